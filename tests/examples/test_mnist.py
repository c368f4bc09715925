"""The main job, on a few small images in place of MNIST."""

import sys

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import keras_vae
from keras_vae.datasets import source

SETTINGS = ["--steps", "5", "--batch-size", "8", "--hidden-sizes", "6", "--latent-dim", "3"]


@pytest.fixture
def mnist(load_program):
    return load_program("examples/mnist.py")


@pytest.fixture
def loaded(monkeypatch):
    """Twenty images of 8x8 pixels for every data set; records which were trained on."""
    images = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
    names = []

    def load(name, split, batch_size, seed=0, start=0, **_):
        if split == "train+test":
            names.append(name)
        return keras_vae.datasets.from_arrays(images, None, batch_size, seed=seed, start=start)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    monkeypatch.setattr(source, "prepared_builder", lambda name: None)
    return names


def run(mnist, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mnist.py", *arguments])
    mnist.main()


def test_it_leaves_everything_that_it_promises(mnist, loaded, monkeypatch, tmp_path, capsys):
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "run"))

    assert loaded == ["mnist"]
    folder = tmp_path / "run"
    table = pd.read_csv(folder / "elbo.csv")
    assert list(table) == ["step", "loss", "reconstruction_loss", "kl_loss", "elbo", "beta"]
    assert table["step"].tolist() == [1, 2, 4]
    np.testing.assert_allclose(
        table["loss"], table["reconstruction_loss"] + 0.01 * table["kl_loss"], rtol=1e-5
    )
    for picture in (
        "losses.png",
        "reconstructions/step_00000004.png",
        "traversals/grid/step_00000004.png",
        "traversals/latents/step_00000004.png",
    ):
        with Image.open(folder / picture) as opened:
            opened.load()
    vae = keras.saving.load_model(folder / "model.keras")
    assert int(vae.optimizer.iterations) == 5
    printed = capsys.readouterr().out
    assert "Mean loss of steps 1 to 5" in printed


def test_without_mnist_it_says_so_and_takes_typeset_digits(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    load = keras_vae.datasets.load

    def unavailable(name, *arguments, **settings):
        if name == "mnist":
            raise keras_vae.datasets.DatasetUnavailableError("no MNIST here")
        return load(name, *arguments, **settings)

    monkeypatch.setattr(keras_vae.datasets, "load", unavailable)
    monkeypatch.setattr(source, "prepared_builder", unavailable)
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path))
    assert loaded == ["typeset_digits"]
    assert (
        "MNIST is neither prepared here nor downloadable: training on typeset_digits instead."
        in capsys.readouterr().out
    )

    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, "--dataset", "mnist", "--output-dir", str(tmp_path))
    assert exit.value.code == 2
    assert "error: no MNIST here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beta", "-1"], "`beta`. Expected a finite number of at least 0. Received: beta=-1.0"),
        (["--beta", "nan"], "`beta`. Expected a finite number"),
        (
            ["--latent-dim", "0"],
            "`latent_dim`. Expected a positive integer. Received: latent_dim=0",
        ),
        (["--hidden-sizes", "-3"], "`hidden_sizes`. Expected a sequence of positive integers"),
    ],
)
def test_bad_settings_are_one_clear_line_and_nothing_is_written(
    mnist, loaded, monkeypatch, tmp_path, capsys, arguments, message
):
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, *arguments, "--output-dir", str(tmp_path / "run"))
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "file" / "run"))
    assert exit.value.code == 2
    assert "Cannot write into the folder" in capsys.readouterr().err
    assert loaded == []


def test_an_interrupted_run_ends_as_one_that_never_was(mnist, loaded, monkeypatch, tmp_path):
    def train(folder):
        run(mnist, monkeypatch, *SETTINGS, "--resume", "--output-dir", str(tmp_path / folder))

    def die(resume, epoch, logs=None):
        if epoch == 3:
            raise SystemExit

    monkeypatch.setattr(mnist, "_steps_between_saves", lambda steps: 1)
    train("unbroken")
    with monkeypatch.context() as broken:
        broken.setattr(keras_vae.callbacks.Resume, "on_epoch_begin", die)
        with pytest.raises(SystemExit):
            train("broken")
    train("broken")
    tables = [(tmp_path / folder / "elbo.csv").read_text() for folder in ("unbroken", "broken")]
    assert tables[0] == tables[1]
    one, other = (
        keras.saving.load_model(tmp_path / folder / "model.keras")
        for folder in ("unbroken", "broken")
    )
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_help_names_every_option(mnist, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, "--help")
    assert exit.value.code == 0
    printed = capsys.readouterr().out
    for option in (
        "dataset",
        "beta",
        "reduction",
        "latent-dim",
        "hidden-sizes",
        "scale",
        "batch-size",
        "learning-rate",
        "steps",
        "seed",
        "output-dir",
    ):
        assert f"--{option}" in printed
