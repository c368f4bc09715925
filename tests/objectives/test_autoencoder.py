"""Tests that the autoencoder is deterministic and minimises the reconstruction term alone."""

import numpy as np
import pytest

from keras_vae.objectives import Autoencoder


def test_the_loss_is_the_reconstruction_at_the_mean_code(make_vae, images):
    vae = make_vae(Autoencoder, eager=True)
    logs = vae.evaluate(images, batch_size=20, verbose=0, return_dict=True)
    logits = np.float64(vae.decoder(vae.encoder(images)["loc"]))
    entropy = np.sum(np.logaddexp(0, logits) - images * logits, axis=(1, 2, 3))
    assert logs["loss"] == pytest.approx(entropy.mean(), rel=1e-5)
    assert logs["reconstruction_loss"] == logs["loss"]
    assert logs["beta"] == 0 and logs["kl_loss"] > 0


def test_no_noise_reaches_the_training(make_vae, images):
    def trained(seed):
        vae = make_vae(Autoencoder, seed=seed, eager=True)
        for _ in range(2):
            vae.train_on_batch(images)
        return np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])

    np.testing.assert_array_equal(trained(1), trained(2))


def test_a_pass_in_training_is_the_pass_outside(make_vae, images):
    vae = make_vae(Autoencoder, eager=True)
    np.testing.assert_allclose(vae(images, training=True), vae(images), atol=1e-6)
