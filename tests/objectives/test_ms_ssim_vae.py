"""Tests of the term, and of what must be known for it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives import MSSSIMVAE


@pytest.mark.parametrize("dynamic_range", [None, 2.0])
def test_the_loss_has_what_lacks_to_similarity(make_vae, images, dynamic_range):
    vae = make_vae(
        MSSSIMVAE, ms_ssim_weight=7.0, filter_size=3, dynamic_range=dynamic_range, eager=True
    )
    z = vae.reparameterize(vae.encode(images), vae.noise(20, (2,), training=True))
    # Into 4x4 pixels a window of 3x3 fits at one scale.
    similarity = tf.image.ssim(images, vae.decode(z).mean(), dynamic_range or 1.0, filter_size=3)
    expected = 1 - np.mean(np.maximum(similarity, 1e-3))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["ms_ssim_loss"] == pytest.approx(expected, rel=1e-4)
    total = logs["reconstruction_loss"] + logs["kl_loss"] + 7 * expected
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_it_makes_reconstructions_more_alike(make_vae, images):
    def similarity(weight):
        vae = make_vae(MSSSIMVAE, ms_ssim_weight=weight, filter_size=3, beta=0.1)
        vae.fit(np.tile(images, (60, 1, 1, 1)), batch_size=20, epochs=3, verbose=0)
        reconstructed = vae.reconstruct(images)
        return float(np.mean(tf.image.ssim(images, reconstructed, 1.0, filter_size=3)))

    assert similarity(50.0) > similarity(0.0) + 0.05


def test_it_must_know_the_range_and_have_images(make_vae):
    with pytest.raises(ValueError, match="Pass `dynamic_range`"):
        make_vae(MSSSIMVAE, filter_size=3, likelihood="laplace")
    with pytest.raises(ValueError, match="fits into"):
        make_vae(MSSSIMVAE)
