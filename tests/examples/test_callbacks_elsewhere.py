"""Runs the example of foreign models on a handful of images, with every callback."""

import numpy as np
import pandas
import pytest
import tensorflow as tf
from PIL import Image


@pytest.fixture(scope="module")
def run(load_program, tmp_path_factory):
    """The folder of a run on random images in place of MNIST."""
    example = load_program("examples/callbacks_elsewhere.py")
    images = np.random.default_rng(0).random((60, 28, 28, 1), np.float32)
    train = tf.data.Dataset.from_tensor_slices(images).batch(20)
    example.load = lambda seed: (train, images, np.arange(60) % 10)
    folder = tmp_path_factory.mktemp("elsewhere")
    example.main(["--epochs", "2", "--steps", "2", "--output-dir", str(folder)])
    return folder


@pytest.mark.slow
def test_every_file_appears_and_every_picture_is_readable(run):
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    pictures = ("reconstructions", "prior_samples", "latent_map", "traversals/latents")
    for model in ("vae", "autoencoder"):
        expected = {"elbo.csv", "losses.csv", "losses.png", "latent_statistics.csv"}
        for name in (*pictures, "traversals/grid"):
            expected |= {f"{name}/epoch_0001.png", f"{name}/epoch_0002.png"}
        expected |= {"traversals/latents.gif", "traversals/grid.gif"}
        if model == "vae":
            expected |= {"rate_distortion.png", "latent_kl.png"}
            expected |= {f"{name}.gif" for name in pictures[:3]}
        assert {f"{model}/{name}" for name in expected} == {
            name for name in files if name.startswith(model)
        }
    for name in files:
        if name.endswith(".csv"):
            assert len(pandas.read_csv(run / name)) > 0
        else:
            with Image.open(run / name) as picture:
                picture.load()
                assert min(picture.size) > 100


@pytest.mark.slow
def test_beta_of_the_foreign_vae_follows_its_schedule(run):
    rows = pandas.read_csv(run / "vae" / "elbo.csv")
    np.testing.assert_allclose(
        rows["loss"],
        rows["reconstruction_loss"] + rows["beta"] * rows["kl_loss"],
        rtol=1e-4,
    )
    assert rows["beta"].is_monotonic_increasing
