"""The index of the trained models: how it is written, and that the one here is up to date."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae import drawing, presets

ROOT = Path(__file__).parents[2]
INDEX = (ROOT / "saved_models" / "README.md").read_text(encoding="utf-8")
DETAILS = {
    "description": "A tiny VAE.",
    "data": {"test_images_held_out": True},
    "training": {
        "command": "python tools/train_zoo.py tiny",
        "seed": 4,
        "batch_size": 16,
        "steps": 1200,
        "epochs": 3,
        "optimizer": "Adam",
        "learning_rate": "0.001",
        "beta": 2.0,
        "reduction": "sum",
        "latent_dim": 2,
        "minutes": 0.5,
        "machine": "2 cores",
        "date": "2026-01-02",
    },
    "evaluation": {"dataset": "dots", "binarize": None},
    "figures": {
        "elbo": -20.126,
        "elbo_standard_error": 0.054,
        "distortion": 18.0,
        "distortion_standard_error": 0.2,
        "rate": 2.126,
        "rate_standard_error": 0.01,
        "log_likelihood": -19.5,
        "log_likelihood_standard_error": 0.06,
        "num_samples": 50,
        "active_units": 1,
        "kl_per_dimension": [0.126, 2.0],
        "probe_accuracy": 0.876,
    },
}


@pytest.fixture(scope="module")
def example(load_program):
    return load_program("tools/zoo_index.py")


@pytest.fixture
def write(make_vae, tmp_path):
    """Writes a model and its card into the folder that is to be indexed."""

    def write(name, **changes):
        return presets.write(make_vae(), tmp_path, name, {**DETAILS, **changes})

    return write


def run(example, monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", ["zoo_index.py", "--folder", str(folder)])
    example.main()
    return (folder / "README.md").read_text(encoding="utf-8")


def line_of(text, name):
    """The cells of one model in the table."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| [`{name}`]"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_model_of_a_folder_has_a_line_a_section_and_a_picture(
    example, write, tmp_path, monkeypatch, capsys
):
    write("beta")
    write("alpha", data={"test_images_held_out": False}, description="The first.")
    write("gamma", evaluation={"dataset": "dots", "binarize": "fixed"})

    index = run(example, monkeypatch, tmp_path)

    size = f"{(tmp_path / 'beta.keras').stat().st_size / 1e6:.1f} MB"
    assert line_of(index, "beta") == [
        "[`beta`](#beta)",
        "dots, grey",
        "-20.13 ± 0.05",
        "18.00 ± 0.20",
        "2.13 ± 0.01",
        "-19.50 ± 0.06 (50)",
        "1 of 2",
        "87.6%",
        size,
    ]
    assert line_of(index, "alpha")[1] == "dots, grey, seen in training"
    assert line_of(index, "gamma")[1] == "dots, binarised"
    assert index.index("## alpha\n\nThe first.") < index.index("## beta") < index.index("## gamma")
    assert (
        "`python tools/train_zoo.py tiny`: 1,200 steps (3 epochs) of batch 16, Adam at 0.001, "
        "beta 2 (reduction `sum`), seed 4; 0.5 minutes on 2 cores, 2026-01-02."
    ) in index
    for name in ("alpha", "beta", "gamma"):
        assert f"(images/{name}.png)" in index
        with Image.open(tmp_path / "images" / f"{name}.png") as picture:
            picture.load()
    assert "README.md: 3 models" in capsys.readouterr().out


def test_latents_that_were_measured_have_their_scores(example, write, tmp_path, monkeypatch):
    scores = {"mutual_information_gap": {"score": 0.126}, "dci": {"score": 0.5, "completeness": 1}}
    found = [
        {"dataset": "sprites", "num_train": 10_000, "num_test": 5, "scores": scores},
        {"dataset": "mnist", "num_test": 7, "scores": {"gaussian_total_correlation": {"score": 2}}},
    ]
    figures = {name: v for name, v in DETAILS["figures"].items() if name != "probe_accuracy"}
    write("alpha", disentanglement=found, figures=figures)
    index = run(example, monkeypatch, tmp_path)
    assert (
        "\nLatents on sprites, 10,000 + 5 points: `mutual_information_gap` 0.13, `dci` 0.50.\n"
        "\nLatents on mnist, 7 points: `gaussian_total_correlation` 2.00.\n"
    ) in index
    # There are no labels to probe.
    assert line_of(index, "alpha")[7] == ""


def test_writing_it_again_changes_no_byte(example, write, tmp_path, monkeypatch):
    write("alpha")
    first = run(example, monkeypatch, tmp_path)
    picture = (tmp_path / "images" / "alpha.png").read_bytes()
    assert run(example, monkeypatch, tmp_path) == first
    assert (tmp_path / "images" / "alpha.png").read_bytes() == picture


def test_a_model_that_is_still_being_measured_is_left_out(
    example, make_vae, write, tmp_path, monkeypatch, capsys
):
    write("alpha")
    presets.write(make_vae(), tmp_path, "unmeasured", {})
    assert "unmeasured" not in run(example, monkeypatch, tmp_path)
    assert "unmeasured is left out" in capsys.readouterr().out


def test_the_picture_has_samples_above_and_the_most_used_latent_next(
    example, make_vae, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        drawing, "image_grid", lambda images, labels, **_: drawn.append((images, labels))
    )
    vae = make_vae()
    example.picture(vae, DETAILS)
    ((images, labels),) = drawn
    assert labels == ["samples", "", "z1  KL 2.00", "z0  KL 0.13"]
    assert images.shape == (4, 10, 4, 4, 1)
    np.testing.assert_allclose(images[:2].reshape(20, 4, 4, 1), vae.sample(20, seed=0), atol=1e-6)
    ends = vae.decode(np.array([[0, -2.5], [0, 2.5]], np.float32)).mean()
    np.testing.assert_allclose(images[2, [0, -1]], ends, atol=1e-6)


def test_latents_without_a_kl_of_their_own_are_drawn_in_order_over_the_breadth_of_the_prior(
    example, make_vae, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        drawing, "image_grid", lambda images, labels, **_: drawn.append((images, labels))
    )
    vae = make_vae(prior="gaussian_mixture")
    figures = {name: value for name, value in DETAILS["figures"].items() if "kl_per" not in name}
    example.picture(vae, {**DETAILS, "figures": figures})
    ((images, labels),) = drawn
    assert labels == ["samples", "", "z0", "z1"]
    # Ten equal Gaussians, whose means vary and whose scale is that of the start.
    means, scale = vae.prior.loc.numpy(), np.log1p(np.exp(0.54)) + vae.prior.minimum_scale
    deviation = np.sqrt(scale**2 + means.var(axis=0))
    steps = np.array([[0, -2.5], [0, 2.5]], np.float32)
    ends = vae.decode((means.mean(axis=0) + steps * deviation).astype(np.float32)).mean()
    np.testing.assert_allclose(images[3, [0, -1]], ends, atol=1e-5)


@pytest.mark.parametrize("name", presets.names())
def test_the_index_here_has_the_figures_of_each_card(name):
    card = presets.card(name)
    figures = card["figures"]
    _, data, *cells = line_of(INDEX, name)
    assert data.startswith(card["evaluation"]["dataset"])
    measured = [
        name for name in ("elbo", "distortion", "rate", "log_likelihood") if name in figures
    ]
    for cell, figure in zip(cells, measured, strict=False):
        value, sign, error = cell.split()[:3]
        assert sign == "±"
        assert float(value) == pytest.approx(figures[figure], abs=0.0051)
        assert float(error) == pytest.approx(figures[f"{figure}_standard_error"], abs=0.0051)
    if name in presets.names(keras_vae.VAE):
        assert cells[3].endswith(f"({figures['num_samples']})")
        assert cells[4] == f"{figures['active_units']} of {card['training']['latent_dim']}"
    else:
        assert cells[3] == "" and "log_likelihood" not in figures
        assert cells[4] == f"{figures['codes_in_use']} of {card['training']['num_codes']} codes"
    if "probe_accuracy" in figures:
        accuracy = float(cells[5].rstrip("%"))
        assert accuracy == pytest.approx(100 * figures["probe_accuracy"], abs=0.051)
    else:
        assert cells[5] == ""
    with Image.open(presets.folder() / "images" / f"{name}.png") as picture:
        picture.load()


def test_the_index_here_is_what_the_script_writes(example):
    names = presets.names()
    cards = [presets.card(name) for name in names]
    sizes = [(presets.folder() / f"{name}.keras").stat().st_size for name in names]
    rows = "".join(map(example.row, cards, sizes))
    expected = example.HEADER + rows + "".join(map(example.section, cards))
    assert expected == INDEX, "Run `python tools/zoo_index.py`."
