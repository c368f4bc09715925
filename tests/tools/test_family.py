"""The comparison of the family, on a few typeset digits."""

import csv
import functools
import sys

import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae import distributions, objectives
from keras_vae.datasets import source, typeset_digits

SHAPE = (28, 28, 1)


@pytest.fixture(scope="module")
def example(load_program):
    return load_program("tools/family.py")


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """A folder of prepared data: 400 typeset digits to train on and forty to test on."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typeset_digits, "SPLITS", {"train": 400, "test": 40})
        source.prepared_builder("typeset_digits", folder)
    return folder


@pytest.fixture
def main(example, few_digits, monkeypatch):
    """Runs the command on the few digits, without compiling, which takes longer than the steps."""
    load = functools.partial(keras_vae.datasets.load, data_dir=few_digits)
    monkeypatch.setattr(keras_vae.datasets, "load", load)
    compile = keras_vae.VAE.compile
    monkeypatch.setattr(
        keras_vae.VAE,
        "compile",
        lambda vae, optimizer, **_: compile(vae, optimizer, run_eagerly=True),
    )

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["family.py", *map(str, arguments)])
        example.main()

    return run


@pytest.mark.exhaustive
def test_each_member_has_a_row_and_a_picture(example, main, tmp_path, capsys):
    names = ["autoencoder", "free_bits", "conditional_vae"]
    trial = ["--dataset", "typeset_digits", "--epochs", "2", "--steps", "2"]
    main("--objectives", *names, *trial, "--output-dir", tmp_path)

    with (tmp_path / "family.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["objective"] for row in rows] == names
    for row in rows:
        bound = float(row["reconstruction"]) + float(row["kl"])
        assert float(row["elbo"]) == pytest.approx(-bound)
        assert float(row["last_loss"]) < float(row["first_loss"])
        assert 0 <= int(row["active_units"]) <= 10 and float(row["milliseconds"]) > 0
        with Image.open(tmp_path / f"{row['objective']}.png") as picture:
            # Samples and ten latents; a row more for the classes.
            rows_of_images = 12 if row["objective"] == "conditional_vae" else 11
            assert picture.height == 2 + 30 * rows_of_images
    # Ten latents at two free nats each cost twenty, whatever the KL of an untrained model.
    free = rows[names.index("free_bits")]
    assert float(free["kl"]) < 15
    table = (tmp_path / "family.md").read_text().splitlines()
    assert len(table) == 2 + len(names)
    assert table[2].startswith(f"| autoencoder | ({float(rows[0]['elbo']):.2f}) | ")
    assert table[3].startswith(f"| free_bits | {float(rows[1]['elbo']):.2f} | ")
    assert f"Everything is in {tmp_path}/" in capsys.readouterr().out


def test_every_objective_is_a_member_and_can_be_made(example):
    made = {name: example.make(name, SHAPE) for name in example.MEMBERS}
    for name in objectives.__all__:
        assert any(type(vae) is getattr(objectives, name) for vae in made.values()), (
            f"{name} has no entry in MEMBERS of tools/family.py"
        )
    posteriors = {type(vae.posterior).__name__ for vae in made.values()}
    assert posteriors == {cls.__name__ for cls in distributions.POSTERIORS.values()}
    priors = {type(vae.prior).__name__ for vae in made.values()}
    assert priors == {cls.__name__ for cls in distributions.PRIORS.values()}


def test_members_start_from_the_same_weights(example):
    first, other = example.make("vae", SHAPE), example.make("factor_vae", SHAPE)
    for network in ("encoder", "decoder"):
        pairs = (getattr(vae, network).get_weights() for vae in (first, other))
        for a, b in zip(*pairs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "vea"], "invalid choice: 'vea'"),
        (["--objectives", "vae", "--dataset", "mnits"], "Did you mean"),
    ],
)
def test_what_cannot_be_is_one_clear_line(main, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit:
        main(*arguments, "--output-dir", tmp_path)
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_row_goes_along_the_codes_of_its_latent(example, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        example.drawing, "image_grid", lambda images, labels, **_: drawn.append((images, labels))
    )
    vae = example.make("vae", SHAPE)
    spread = np.linspace(0.1, 1.0, 10, dtype=np.float32)
    means = 3.0 + spread * np.random.default_rng(0).normal(size=(1000, 10)).astype(np.float32)
    example.picture(vae, means)
    ((images, labels),) = drawn
    assert labels[:2] == ["samples", f"z9  {means[:, 9].std():.2f}"]
    np.testing.assert_allclose(images[0], vae.sample(10, seed=0), atol=1e-6)
    end = means.mean(axis=0)
    end[9] += 2.5 * means[:, 9].std()
    np.testing.assert_allclose(images[1, -1], vae.decode(end[None]).mean()[0], atol=1e-5)
