"""The comparison of samplers, on noise in place of digits and with two of the samplers."""

import csv
import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_vae

IMAGES = np.random.default_rng(0).random((150, 28, 28, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def example(load_program):
    return load_program("examples/samplers.py")


@pytest.fixture
def asked(monkeypatch):
    """The same images for every split; records what was asked for."""
    calls = []

    def load(name, split, batch_size, shuffle=True, binarize=None, seed=0):
        calls.append((name, split, binarize))
        return tf.data.Dataset.from_tensor_slices(IMAGES).batch(batch_size)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    return calls


def test_it_measures_every_sampler_and_draws_them(
    example, asked, make_vae, tmp_path, monkeypatch, capsys
):
    make_vae(image_shape=(28, 28, 1)).save_to_preset(tmp_path / "tiny", data={"binarize": "fixed"})
    quick = functools.partial(keras_vae.sample_quality.evaluate, num_folds=2)
    monkeypatch.setattr(keras_vae.sample_quality, "evaluate", quick)
    monkeypatch.chdir(tmp_path)
    options = ["--models", "./tiny", "--dataset", "noise", "--seeds", "2", "--num-codes", "150"]
    options += ["--num-images", "75", "--samplers", "prior", "mixture", "--components", "3"]
    options += ["--folder", "out"]
    monkeypatch.setattr(sys, "argv", ["samplers.py", *options])
    example.main()
    assert asked == [("noise", "train[:150]", "fixed"), ("noise", "test[:150]", "fixed")]
    with open("out/samplers.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    order = ["prior", "mixture", "reconstructions", "training images"]
    assert [(row["sampler"], row["seed"]) for row in rows] == [
        (name, seed) for seed in "01" for name in order
    ]
    distances = [float(row["frechet_distance"]) for row in rows]
    # Images that are drawn from the same ones are nearer to them than samples of a random decoder.
    assert distances[3] < min(distances[:3]) and len(set(distances)) == 8
    lines = (tmp_path / "out/samplers.md").read_text().splitlines()
    mean, spread = np.mean(distances[::4]), np.std(distances[::4])
    assert lines[2].startswith(f"| `tiny` | prior | {mean:.2f} ± {spread:.2f} | ")
    assert len(lines) == 6 and lines[2] in capsys.readouterr().out
    with Image.open("out/tiny.png") as picture:
        assert picture.width > 12 * 28 and picture.height > 4 * 28


@pytest.mark.parametrize(
    ("name", "only"), [("samplers", ""), ("regularised", ""), ("thirty_components", "mixture")]
)
def test_the_page_has_the_tables_of_its_files(example, name, only):
    docs = Path(__file__).parents[2] / "docs"
    with (docs / f"samplers/{name}.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if only in row["sampler"]]
    for row in rows:
        row.update({key: float(row[key]) for key in example.TITLES})
    assert example.table(rows) in (docs / "samplers.md").read_text(encoding="utf-8")


def test_it_trains_a_model_first_whose_preset_is_then_measured_again(
    example, asked, tmp_path, monkeypatch, capsys
):
    quick = functools.partial(keras_vae.sample_quality.evaluate, num_folds=2)
    monkeypatch.setattr(keras_vae.sample_quality, "evaluate", quick)
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", "noise", "--seeds", "1", "--num-codes", "150", "--num-images", "75"]
    options += ["--samplers", "prior", "--folder", "out"]

    def run(*more):
        monkeypatch.setattr(sys, "argv", ["samplers.py", *options, *more])
        example.main()
        with open("out/samplers.csv", encoding="utf-8") as file:
            return [(row["model"], row["sampler"]) for row in csv.DictReader(file)]

    order = ["prior", "reconstructions", "training images"]
    assert run("--train", "rae_l2", "--train-epochs", "2") == [("rae_l2", name) for name in order]
    assert "rae_l2, 2 epochs, seed 0, " in capsys.readouterr().out
    trained = keras_vae.objectives.RAE.from_preset("out/rae_l2")
    assert trained.penalty == "l2" and trained.latent_dim == 10
    before = (tmp_path / "out/samplers.md").read_text()
    run("--models", "out/rae_l2")
    assert (tmp_path / "out/samplers.md").read_text() == before
