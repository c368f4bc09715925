"""The example of a VQ-VAE, on a few small images."""

import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_vae

# Two kinds of images: bright above, or below.
IMAGES = np.zeros((64, 8, 8, 1), np.float32)
IMAGES[::2, :4] = IMAGES[1::2, 4:] = 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], pytest.param(["--gradient"], marks=pytest.mark.exhaustive)], ids=str
)
def test_it_prints_its_figures_and_leaves_its_files(
    load_program, monkeypatch, capfd, tmp_path, options
):
    batches = tf.data.Dataset.from_tensor_slices(IMAGES).batch(16)
    monkeypatch.setattr(keras_vae.datasets, "load", lambda *_, **__: (batches, batches))
    sizes = ["--num-codes", "4", "--code-dim", "2", "--width", "4", "--epochs", "8"]
    command = ["vqvae.py", "--dataset", "halves", *sizes, "--output-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*command, *options])
    load_program("examples/vqvae.py")

    printed = capfd.readouterr().out
    numbers = dict(re.findall(r"^(.+?), nats an image: +(-?[\d.]+)$", printed, re.MULTILINE))
    distortion, uniform, nats = (
        float(numbers[name])
        for name in ("-log p(x|codes)", "codes by a uniform prior", "codes by the trained prior")
    )
    assert uniform == pytest.approx(4 * np.log(4), abs=0.01) and nats < uniform
    assert float(numbers["bound on log p(x)"]) == pytest.approx(-distortion - nats, abs=0.02)
    vqvae = keras.saving.load_model(tmp_path / "vqvae.keras")
    assert ("codebook_loss" in printed) == bool(options)
    assert vqvae.sample(3, seed=0).shape == (3, 8, 8, 1)
    assert re.search(r"^64 grids of codes are drawn in [\d.]+ s$", printed, re.MULTILINE)
    for name in ("samples", "uniform", "real"):
        assert Image.open(tmp_path / f"{name}.png").width > 8 * 8
    assert len(list((tmp_path / "reconstructions").glob("*.png"))) == 8
