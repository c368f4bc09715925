"""Tests of the Gaussians and their divergences against formulas written out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import distributions

RANDOM = np.random.default_rng(0)
LOC = RANDOM.normal(size=(6, 3)).astype("float32")
SCALE = RANDOM.uniform(0.1, 2.0, size=(6, 3)).astype("float32")


def kl_by_hand(loc, scale):
    """Kingma & Welling (2014), appendix B, per dimension, in float64."""
    loc, scale = np.float64(loc), np.float64(scale)
    return 0.5 * (loc**2 + scale**2 - 1) - np.log(scale)


def test_the_posterior_is_a_factorised_gaussian():
    posterior = distributions.diagonal_normal(LOC, SCALE)
    assert (posterior.batch_shape, posterior.event_shape) == ((6,), (3,))
    noise = RANDOM.normal(size=(6, 3)).astype("float32")
    z = distributions.reparameterized_sample(posterior, noise)
    np.testing.assert_allclose(z, LOC + SCALE * noise, rtol=1e-6)
    density = -0.5 * noise**2 - np.log(SCALE) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(posterior.log_prob(z), density.sum(axis=1), rtol=1e-4)


def test_the_closed_form_kl_is_the_published_one():
    posterior = distributions.diagonal_normal(LOC, SCALE)
    prior = distributions.get_prior("standard_normal").distribution(3)
    found = distributions.kl_per_dimension(posterior, prior)
    np.testing.assert_allclose(found, kl_by_hand(LOC, SCALE), rtol=1e-5)
    whole = tfd.kl_divergence(
        tfd.MultivariateNormalDiag(LOC, SCALE), tfd.MultivariateNormalDiag(tf.zeros(3), tf.ones(3))
    )
    np.testing.assert_allclose(tf.reduce_sum(found, axis=1), whole, rtol=1e-5)


def test_the_closed_form_kl_agrees_with_sampling():
    posterior = distributions.diagonal_normal(LOC, SCALE)
    prior = distributions.get_prior("standard_normal").distribution(3)
    z = distributions.reparameterized_sample(posterior, RANDOM.normal(size=(50_000, 6, 3)))
    ratio = (posterior.log_prob(z) - prior.log_prob(z)).numpy()
    # Five standard errors of the mean of 50,000 draws.
    tolerance = 5 * ratio.std(axis=0) / np.sqrt(50_000)
    expected = kl_by_hand(LOC, SCALE).sum(axis=1)
    assert np.all(np.abs(ratio.mean(axis=0) - expected) < tolerance)
    assert tolerance.max() < 0.1


def test_the_kl_vanishes_only_at_the_prior():
    prior = distributions.get_prior("standard_normal").distribution(2)
    same = distributions.diagonal_normal([[0.0, 0.0]], [[1.0, 1.0]])
    np.testing.assert_allclose(distributions.kl_per_dimension(same, prior), 0.0, atol=1e-7)
    other = distributions.diagonal_normal([[0.1, 0.0]], [[1.0, 0.9]])
    assert np.min(distributions.kl_per_dimension(other, prior)) > 1e-3


def test_half_precision_gives_a_float32_gaussian():
    assert distributions.diagonal_normal(np.float16(LOC), np.float16(SCALE)).dtype == tf.float32


def test_the_kl_to_a_full_covariance_is_the_published_one_and_agrees_with_sampling():
    # Of a Gaussian to N(0, I): (tr S + m^T m - d - log det S) / 2.
    lower = np.tril(RANDOM.normal(size=(6, 3, 3)), -1) + np.stack([np.diag(row) for row in SCALE])
    posterior = tfd.MultivariateNormalTriL(LOC, np.float32(lower))
    prior = distributions.get_prior("standard_normal").distribution(3)
    covariance = lower @ lower.transpose(0, 2, 1)
    squares = np.trace(covariance, axis1=1, axis2=2) + np.sum(np.float64(LOC) ** 2, axis=1)
    expected = 0.5 * (squares - 3 - np.linalg.slogdet(covariance)[1])
    found = distributions.kl_divergence(posterior, prior)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    noise = RANDOM.normal(size=(20_000, 6, 3)).astype("float32")
    z = distributions.reparameterized_sample(posterior, noise)
    ratio = (posterior.log_prob(z) - prior.log_prob(z)).numpy()
    # Five standard errors of the mean of 20,000 draws.
    tolerance = 5 * ratio.std(axis=0) / np.sqrt(20_000)
    assert np.all(np.abs(ratio.mean(axis=0) - expected) < tolerance)
    assert tolerance.max() < 0.3


def test_there_is_no_closed_form_for_other_pairs():
    posterior = distributions.diagonal_normal(LOC, SCALE)
    mixture = distributions.mixture(tf.zeros([6]), posterior)
    assert distributions.kl_divergence(posterior, mixture) is None
    assert not distributions.is_factorized(mixture)
    full = tfd.MultivariateNormalTriL(LOC, tf.eye(3, batch_shape=[6]))
    normal = distributions.get_prior("standard_normal").distribution(3)
    for pair in ((posterior, mixture), (full, normal)):
        with pytest.raises(ValueError, match=r"factorise over the latents. Received: posterior"):
            distributions.kl_per_dimension(*pair)
