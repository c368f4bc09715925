"""Tests of the sphere's distribution against Bessel functions, integrals and other samplers."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_vae.distributions import kl_divergence
from keras_vae.distributions.priors import SphericalUniform
from keras_vae.distributions.von_mises_fisher import VonMisesFisherDistribution

# Each the mean direction of one distribution, and its concentration.
RANDOM = np.random.default_rng(0)
CONCENTRATIONS = np.array([0.01, 1.0, 10.0, 300.0, 1e4])
DIMENSIONS = [3, 4, 10, 50]


def make(dimension):
    directions = RANDOM.normal(size=(len(CONCENTRATIONS), dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distribution = VonMisesFisherDistribution(
        tf.constant(directions, tf.float32), tf.constant(CONCENTRATIONS, tf.float32)
    )
    return distribution, directions


def mean_cosine(dimension):
    """I_{m/2}(k) / I_{m/2 - 1}(k)."""
    order = dimension / 2
    return special.ive(order, CONCENTRATIONS) / special.ive(order - 1, CONCENTRATIONS)


def log_constant(dimension):
    """Log of k^(m/2-1) / ((2 pi)^(m/2) I_(m/2-1)(k))."""
    order = dimension / 2 - 1
    bessel = np.log(special.ive(order, CONCENTRATIONS)) + CONCENTRATIONS
    return order * np.log(CONCENTRATIONS) - dimension / 2 * np.log(2 * np.pi) - bessel


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_density_and_divergence_are_those_of_bessel_functions(dimension):
    distribution, directions = make(dimension)
    constant = log_constant(dimension)
    z = np.float32(directions + 0.05 * RANDOM.normal(size=directions.shape))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    exact = CONCENTRATIONS * np.sum(directions * z, axis=1) + constant
    np.testing.assert_allclose(distribution.log_prob(z), exact, rtol=1e-3, atol=1e-4)
    at_mean = distribution.log_prob(tf.constant(directions, tf.float32))
    np.testing.assert_allclose(at_mean, CONCENTRATIONS + constant, rtol=1e-5, atol=1e-4)
    # The area of the sphere is 2 pi^(m/2) / Gamma(m/2).
    log_area = np.log(2) + dimension / 2 * np.log(np.pi) - special.gammaln(dimension / 2)
    expected = CONCENTRATIONS * mean_cosine(dimension) + constant + log_area
    found = kl_divergence(distribution, SphericalUniform().distribution(dimension))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


def test_the_divergence_is_the_integral_over_the_sphere():
    distribution, _ = make(3)
    # Over bands of the sphere in R^3, of area 2 pi dw, density times log of density by uniform.
    w = np.linspace(-1, 1, 2_000_001)
    for index, concentration in enumerate(CONCENTRATIONS[:4]):
        density = np.exp(concentration * (w - 1))
        density /= np.trapezoid(density, w) * 2 * np.pi
        integrand = 2 * np.pi * density * np.log(density * 4 * np.pi)
        expected = np.trapezoid(integrand, w)
        found = float(distribution.kl_to_uniform()[index])
        assert found == pytest.approx(expected, rel=1e-4, abs=2e-5)


@pytest.mark.parametrize("dimension", [3, 10])
def test_noise_becomes_draws_of_it(dimension):
    distribution, directions = make(dimension)
    # Every share of the first number once, so that its mean has no noise.
    shares = (np.arange(4000) + 0.5) / 4000
    noise = RANDOM.normal(size=(4000, len(CONCENTRATIONS), dimension))
    noise[:, :, 0] = stats.norm.ppf(shares)[:, None]
    z = np.float64(distribution.from_noise(tf.constant(noise, tf.float32)))
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-5)
    gaps = 0.5 * np.sum((z - directions) ** 2, axis=-1)
    np.testing.assert_allclose(gaps.mean(axis=0), 1 - mean_cosine(dimension), rtol=2e-3)
    for index, concentration in enumerate(CONCENTRATIONS[1:4], start=1):
        others = stats.vonmises_fisher(directions[index], concentration).rvs(
            4000, random_state=np.random.default_rng(1)
        )
        # Along the mean direction, and along any other.
        for axis in (directions[index], np.eye(dimension)[0]):
            assert stats.ks_2samp(z[:, index] @ axis, others @ axis).pvalue > 1e-3
    deviations = z.std(axis=0)
    np.testing.assert_allclose(distribution.stddev(), deviations, rtol=0.06)
    np.testing.assert_allclose(distribution.mean(), directions, atol=1e-6)


def test_the_gradient_of_samples_is_that_of_the_mean():
    concentration = tf.Variable([0.5, 5.0, 200.0])
    noise = np.zeros((4000, 3, 10), "float32")
    noise[:, :, 0] = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
    noise[:, :, 1] = 1
    direction = np.eye(10, dtype="float32")[[2] * 3]
    with tf.GradientTape() as tape:
        z = VonMisesFisherDistribution(direction, concentration.value()).from_noise(noise)
        mean = tf.reduce_sum(tf.reduce_mean(z, axis=0) * direction)
    k = concentration.numpy().astype("float64")
    cosine = special.ive(5, k) / special.ive(4, k)
    # d/dk I_(m/2) / I_(m/2 - 1) = 1 - A^2 - (m - 1) A / k.
    expected = 1 - cosine**2 - 9 * cosine / k
    np.testing.assert_allclose(tape.gradient(mean, concentration), expected, rtol=0.01)


@pytest.mark.slow
def test_it_compiles_and_has_finite_gradients_at_both_ends():
    def terms(loc, scale):
        concentration = 1 / tf.reduce_mean(scale**2, axis=-1)
        distribution = VonMisesFisherDistribution(tf.math.l2_normalize(loc, -1), concentration)
        z = distribution.from_noise(noise)
        return tf.reduce_sum(z) + distribution.kl_to_uniform() + distribution.log_prob(z)

    noise = tf.random.stateless_normal([3, 5], [1, 2])
    # The first axis is where samples are turned from, and 0 has no direction.
    loc = tf.constant([[1.0, 0, 0, 0, 0], [0.0] * 5, [0.3, -0.2, 0.1, 0, 0.5]])
    scale = tf.constant([[1e-4] * 5, [50.0] * 5, [0.5] * 5])
    for jit_compile in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([loc, scale])
            value = tf.function(terms, jit_compile=jit_compile)(loc, scale)
        gradients = tape.gradient(value, [loc, scale])
        assert all(np.isfinite(part).all() for part in (value, *gradients))
        assert np.abs(gradients[1]).max() > 0.1
