"""Tests of samples from the prior: the same codes in every picture, in their places."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_vae.callbacks.prior_samples import PriorSamples


def constant_images(codes):
    """Images as bright as the first latent of their code."""
    return np.repeat(np.clip(codes[:, :1], 0, 1), 16, axis=1).reshape(-1, 4, 4, 1)


def test_every_code_is_in_its_place(make_vae, images, tmp_path):
    samples = PriorSamples(tmp_path, num_images=5, seed=3, decode=constant_images)
    make_vae(eager=True).fit(images, epochs=2, verbose=0, callbacks=[samples])
    codes = np.random.default_rng(3).standard_normal((5, 2), np.float32)
    expected = np.rint(255 * np.append(np.clip(codes[:, 0], 0, 1), 1.0)).reshape(2, 3)
    for epoch in ("0001", "0002"):
        picture = np.asarray(Image.open(tmp_path / f"prior_samples/epoch_{epoch}.png"))
        np.testing.assert_array_equal(picture[18::34, 18::34], expected)


def test_codes_are_the_same_whatever_was_drawn_before(make_vae, images, tmp_path):
    codes = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        samples = PriorSamples(tmp_path, num_images=4)
        make_vae(seed=seed, eager=True).fit(images, epochs=1, verbose=0, callbacks=[samples])
        codes.append(samples.codes)
    np.testing.assert_array_equal(*codes)
    assert codes[0].shape == (4, 2)


def test_number_of_latents_that_nobody_tells(images, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile(loss="mse", run_eagerly=True)
    with pytest.raises(ValueError, match="Pass `latent_dim=`"):
        model.fit(
            images, images, verbose=0, callbacks=[PriorSamples("run", decode=constant_images)]
        )
    samples = PriorSamples(tmp_path, num_images=1, latent_dim=7, decode=constant_images)
    model.fit(images, images, verbose=0, callbacks=[samples])
    assert samples.codes.shape == (1, 7)


@pytest.mark.parametrize(
    ("argument", "value"), [("num_images", 0), ("num_images", 2.5), ("seed", -1), ("latent_dim", 0)]
)
def test_invalid_arguments(argument, value):
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected an? .*integer.*{argument}={value}"
    ):
        PriorSamples("run", **{argument: value})
