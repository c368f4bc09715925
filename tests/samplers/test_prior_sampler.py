"""Tests of the prior as a sampler."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from keras_vae.samplers import PriorSampler


def test_without_a_model_it_is_the_standard_normal_whatever_the_codes():
    codes = 100 + np.random.default_rng(0).random((10, 2))
    drawn = PriorSampler().fit(codes).sample(20_000, seed=1)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2), atol=0.05)


def test_it_draws_what_the_model_draws_and_its_file_has_the_model(make_vae, tmp_path):
    vae = make_vae(prior="gaussian_mixture")
    vae.prior.loc.assign([[9.0, -9.0]] * 10)
    sampler = PriorSampler(vae).fit(np.zeros((2, 2)))
    expected = vae.prior_distribution().sample(5, seed=tf.constant([4, 0]))
    np.testing.assert_allclose(sampler.sample(5, seed=4), expected, rtol=1e-6)
    np.testing.assert_allclose(vae.sample(5, seed=4), vae.sample(5, seed=4, sampler=sampler))
    sampler.save(tmp_path / "prior.keras")
    # Training that goes on changes nothing of what it has taken.
    vae.prior.loc.assign([[0.0, 0.0]] * 10)
    with warnings.catch_warnings(action="error", category=UserWarning):
        again = keras.saving.load_model(tmp_path / "prior.keras")
    for one in (sampler, again):
        np.testing.assert_allclose(one.sample(5, seed=4), expected, rtol=1e-6)
