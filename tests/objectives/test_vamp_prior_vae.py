"""Tests of the prior that is a mixture of posteriors: its density, its gradient, its start."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives import VampPriorVAE


def test_the_prior_is_the_mean_of_the_pseudo_inputs_posteriors(make_vae):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=5)
    z = np.random.default_rng(0).normal(size=(7, 2)).astype("float32")
    posterior = {key: np.float64(v) for key, v in vae.encoder(vae.pseudo_inputs.value).items()}
    scaled = (np.float64(z)[:, None] - posterior["loc"]) / posterior["scale"]
    density = np.exp(-0.5 * scaled**2) / (posterior["scale"] * np.sqrt(2 * np.pi))
    expected = np.log(np.mean(np.prod(density, axis=-1), axis=1))
    np.testing.assert_allclose(vae.prior_distribution().log_prob(z), expected, rtol=1e-4)


def test_the_kl_is_the_sampled_one(make_vae, images):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=5, beta=0.5, eager=True)
    posterior = vae.encode(images)
    z = vae.reparameterize(posterior, vae.noise(20, (vae.latent_dim,), training=True))
    kl = np.mean(posterior.log_prob(z) - vae.prior_distribution().log_prob(z))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-5)
    expected = logs["reconstruction_loss"] + 0.5 * kl
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_pseudo_inputs_begin_as_grey_images_and_are_trained(make_vae, images):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=50, eager=True)
    before = vae.pseudo_inputs.numpy()
    assert before.shape == (50, 4, 4, 1)
    assert 0 <= before.min() < 0.1 and 0.9 < before.max() <= 1
    vae.train_on_batch(images)
    # Adam moves what has a gradient by its rate, 0.01.
    assert np.median(np.abs(vae.pseudo_inputs - before)) > 5e-3


def test_pseudo_inputs_stay_inside_the_support(make_vae):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=5)
    inside = np.clip(vae.pseudo_inputs + 0.5, 0, 1)
    vae.pseudo_inputs.assign(vae.pseudo_inputs + 0.5)
    outside = vae.prior_distribution().log_prob(tf.zeros([1, 2]))
    vae.pseudo_inputs.assign(inside)
    np.testing.assert_allclose(
        outside, vae.prior_distribution().log_prob(tf.zeros([1, 2])), rtol=1e-6
    )


def test_images_as_pseudo_inputs_make_the_aggregate_posterior_the_prior(make_vae, images, tmp_path):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=20)
    vae.pseudo_inputs.assign(images)
    posterior = vae.encode(images)
    samples = vae.prior_distribution().sample(20_000, seed=tf.constant([1, 2])).numpy()
    mean, deviation = posterior.mean().numpy(), posterior.stddev().numpy()
    expected = mean.mean(axis=0)
    # Five standard errors of the mean of 20,000 draws.
    error = 5 * np.sqrt((deviation**2).mean(axis=0) + mean.var(axis=0)) / np.sqrt(20_000)
    assert np.all(np.abs(samples.mean(axis=0) - expected) < error)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(again.pseudo_inputs, images)
    np.testing.assert_array_equal(again.sample(3, seed=1), vae.sample(3, seed=1))


def test_there_is_at_least_one(make_vae):
    with pytest.raises(ValueError, match=r"`num_pseudo_inputs`. Expected a positive integer"):
        make_vae(VampPriorVAE, num_pseudo_inputs=0)
