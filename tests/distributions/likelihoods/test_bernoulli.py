"""Tests of the likelihoods of pixels in [0, 1] against formulas written out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import distributions

RANDOM = np.random.default_rng(0)

LOGITS = np.array([-100, -30, -5, -1e-3, 0, 1e-3, 5, 30, 100], "float32")
GREY = np.array([0, 0.25, 1], "float32")


def pixel_pairs():
    """Every logit with every grey value, as images [pairs, 1, 1, 1]."""
    logits, grey = np.meshgrid(LOGITS, GREY)
    return logits.reshape(-1, 1, 1, 1), grey.reshape(-1, 1, 1, 1)


def test_bernoulli_is_the_negative_cross_entropy_for_grey_pixels_and_any_logit():
    logits, grey = pixel_pairs()
    parameters = tf.Variable(logits)
    with tf.GradientTape() as tape:
        found = distributions.Bernoulli().distribution(parameters).log_prob(grey)
    wide, x = np.float64(logits), np.float64(grey)
    expected = -(x * np.logaddexp(0, -wide) + (1 - x) * np.logaddexp(0, wide))
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-5, atol=1e-6)
    gradient = tape.gradient(found, parameters)
    np.testing.assert_allclose(gradient, x - 1 / (1 + np.exp(-wide)), atol=1e-6)


def test_bernoulli_is_tfps_on_binary_pixels():
    logits = RANDOM.normal(scale=3, size=(5, 4, 4, 1)).astype("float32")
    x = np.float32(RANDOM.random(logits.shape) < 0.5)
    found = distributions.Bernoulli().distribution(logits)
    expected = tfd.Independent(tfd.Bernoulli(logits=logits, dtype=tf.float32), 3)
    np.testing.assert_allclose(found.log_prob(x), expected.log_prob(x), rtol=1e-5)
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=1e-6)
    assert (found.batch_shape, found.event_shape) == ((5,), (4, 4, 1))


@pytest.mark.parametrize("logit", [-20.0, -1.0, -0.01, 0.0, 0.01, 1.0, 20.0])
def test_the_continuous_bernoulli_normalises_and_the_bernoulli_does_not(logit):
    # Midpoints of 20,000 cells; the rule errs by less than 1e-4 at these logits.
    x = ((np.arange(20_000) + 0.5) / 20_000).astype("float32").reshape(-1, 1, 1, 1)
    logits = np.full_like(x, logit)
    continuous = distributions.ContinuousBernoulli().distribution(logits)
    assert np.mean(np.exp(np.float64(continuous.log_prob(x)))) == pytest.approx(1, abs=1e-3)
    customary = distributions.Bernoulli().distribution(logits)
    assert np.mean(np.exp(np.float64(customary.log_prob(x)))) < 0.9


def test_the_continuous_bernoulli_has_finite_gradients():
    logits, grey = pixel_pairs()
    parameters = tf.Variable(logits)
    with tf.GradientTape() as tape:
        found = distributions.ContinuousBernoulli().distribution(parameters).log_prob(grey)
    gradient = tape.gradient(found, parameters)
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(gradient))
    assert np.all(np.abs(gradient) <= 1)


def test_the_continuous_bernoulli_is_finite_at_any_logit():
    for logit in (1e30, 3e38):
        for sign in (-1, 1):
            density = distributions.ContinuousBernoulli().distribution(
                tf.fill((1, 2, 2, 1), sign * logit)
            )
            assert np.isfinite(density.log_prob(tf.ones((1, 2, 2, 1)))).all()
            np.testing.assert_allclose(density.mean(), (1 + sign) / 2, atol=1e-5)
