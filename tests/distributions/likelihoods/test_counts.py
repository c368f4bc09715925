"""Tests of the likelihoods of counts against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae.distributions import NegativeBinomial, Poisson

RANDOM = np.random.default_rng(0)
COUNTS = np.float32([0, 1, 2, 7, 40, 3000])


def softplus(raw):
    return np.logaddexp(0, np.float64(raw))


def negative_binomial(x, mean, dispersion):
    return stats.nbinom.logpmf(x, dispersion, dispersion / (dispersion + mean))


@pytest.mark.parametrize("log_mean", [-8.0, 0.0, 1.5, 8.0])
def test_poisson_is_scipys(log_mean):
    found = Poisson().distribution(np.full((6, 1), log_mean, "float32"))
    expected = stats.poisson.logpmf(COUNTS, np.exp(log_mean))
    np.testing.assert_allclose(found.log_prob(COUNTS[:, None]), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.mean(), np.exp(log_mean), rtol=1e-5)
    np.testing.assert_allclose(found.variance(), np.exp(log_mean), rtol=1e-5)


@pytest.mark.parametrize("count", [15, 16, 17, 1e3, 1e5, 1e6, 1e7, 4e8])
def test_poisson_is_scipys_of_large_counts(count):
    # About the mean, where terms as large as 8e9 nearly cancel, and far from it.
    deviations = np.float32([0, 1, -3, 30]) / np.sqrt(count)
    log_mean = tf.constant(np.float32(np.log(count)) + deviations)[:, None]
    with tf.GradientTape() as tape:
        tape.watch(log_mean)
        found = Poisson().distribution(log_mean).log_prob(np.full((4, 1), count, "float32"))
    mean = np.exp(np.float64(np.minimum(log_mean, 20.0)))[:, 0]
    expected = stats.poisson.logpmf(count, mean)
    # The logarithm of a mean has seven digits, of which a small error is one of many counts.
    rtol = 1e-4 if count < 1e6 else 1e-2
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=0.02)
    slope = tape.gradient(found, log_mean)[:, 0]
    is_free = log_mean[:, 0] < 20
    np.testing.assert_allclose(
        slope[is_free], (count - mean)[is_free], rtol=1e-3, atol=3e-6 * count
    )


@pytest.mark.parametrize("raw", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("log_mean", [-8.0, 0.0, 1.5, 8.0])
def test_the_negative_binomial_is_scipys(log_mean, raw):
    parameters = np.tile(np.float32([log_mean, raw]), (6, 1))
    found = NegativeBinomial().distribution(parameters)
    mean, dispersion = np.exp(log_mean), softplus(raw)
    expected = negative_binomial(COUNTS, mean, dispersion)
    np.testing.assert_allclose(found.log_prob(COUNTS[:, None]), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.mean(), mean, rtol=1e-4)
    np.testing.assert_allclose(found.variance(), mean + mean**2 / dispersion, rtol=1e-3)


def test_a_large_dispersion_is_a_poisson():
    parameters = np.tile(np.float32([1.0, 1e4]), (4, 1))
    found = NegativeBinomial().distribution(parameters).log_prob(COUNTS[:4, None])
    poisson = Poisson().distribution(parameters[:, :1]).log_prob(COUNTS[:4, None])
    np.testing.assert_allclose(found, poisson, rtol=1e-2)


def test_the_size_factor_multiplies_the_means_by_the_mean_count():
    x = RANDOM.poisson(3.0, size=(5, 2, 3)).astype("float32")
    log_mean, raw = RANDOM.normal(size=(2, 5, 2, 3)).astype("float32")
    size = x.mean(axis=(1, 2), keepdims=True)
    mean = size * np.exp(np.float64(log_mean))
    found = Poisson(size_factor="total").distribution(log_mean).log_prob(x)
    np.testing.assert_allclose(found, stats.poisson.logpmf(x, mean).sum((1, 2)), rtol=1e-4)
    parameters = np.concatenate([log_mean, raw], axis=-1)
    likelihood = NegativeBinomial(size_factor="total")
    found = likelihood.distribution(parameters).log_prob(x)
    expected = negative_binomial(x, mean, softplus(raw)).sum((1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    # Without an example at hand, those of one whose mean count is 1.
    mean = likelihood.distribution(parameters).mean()
    np.testing.assert_allclose(mean, np.exp(log_mean), rtol=1e-4)


@pytest.mark.parametrize("cls", [Poisson, NegativeBinomial])
def test_an_example_without_counts_has_a_finite_size(cls):
    likelihood = cls(size_factor="total")
    parameters = tf.Variable(tf.zeros((1, *likelihood.parameters_shape((4,)))))
    with tf.GradientTape() as tape:
        found = likelihood.distribution(parameters).log_prob(np.zeros((1, 4), "float32"))
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(tape.gradient(found, parameters)))
    # Four means of a fourth: one count altogether.
    if cls is Poisson:
        assert float(found[0]) == pytest.approx(-1.0)


@pytest.mark.parametrize("cls", [Poisson, NegativeBinomial])
@pytest.mark.parametrize("raw", [-1e30, -100.0, 100.0, 1e30])
def test_edges_are_finite(cls, raw):
    parameters = tf.Variable(tf.fill((2, *cls().parameters_shape((1,))), raw))
    with tf.GradientTape() as tape:
        found = cls().distribution(parameters).log_prob(np.float32([[0], [1e6]]))
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(tape.gradient(found, parameters)))


def test_fractions_are_refused_and_a_size_of_the_observed_too():
    (requirement,) = Poisson().requirements()
    assert requirement.broken_by(np.float32([[0, 3], [np.nan, 1e6]])) is None
    assert "must be whole numbers" in requirement.broken_by(np.float32([[0, 2.5]]))
    with pytest.raises(ValueError, match="needs all counts of an example"):
        Poisson(size_factor="total").distribution_of_observed(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"`size_factor`. Expected one of"):
        NegativeBinomial(size_factor="mean")
