"""Tests that the Wasserstein autoencoder compares mean codes with the prior."""

import pytest

from keras_vae.distributions import maximum_mean_discrepancy
from keras_vae.objectives import WAE


def test_the_loss_is_the_reconstruction_and_the_discrepancy_of_mean_codes(make_vae, images):
    vae = make_vae(WAE, mmd_weight=40.0, eager=True)
    prior = vae.noise(20, (vae.latent_dim,), training=True, stream=1)
    expected = float(maximum_mean_discrepancy(vae.encoder(images)["loc"], prior, "imq"))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["beta"] == 0
    assert logs["mmd_loss"] == pytest.approx(expected, abs=1e-6)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + 40 * expected, rel=1e-5)


def test_its_defaults_are_the_papers_kernel_and_no_kl(make_vae):
    config = make_vae(WAE).get_config()
    assert (config["kernel"], config["beta"], config["mmd_weight"]) == ("imq", 0.0, 1000.0)
