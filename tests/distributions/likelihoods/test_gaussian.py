"""Tests of the Gaussian likelihood against formulas written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import distributions

RANDOM = np.random.default_rng(0)


def gaussian_by_hand(x, loc, scale):
    density = -0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
    return np.sum(density, axis=(1, 2, 3))


@pytest.mark.parametrize("kind", ["fixed", "learned", "per pixel"])
def test_gaussian_matches_its_density(kind):
    x, loc = RANDOM.normal(size=(2, 5, 4, 4, 1))
    scale = RANDOM.uniform(0.1, 2, size=loc.shape) if kind == "per pixel" else 0.3
    gaussian = distributions.Gaussian(0.3, learn_scale=kind == "learned")
    gaussian.build((None, 4, 4, 1))
    parameters = {"loc": loc, "scale": scale} if kind == "per pixel" else loc
    found = gaussian.distribution(parameters)
    assert (found.batch_shape, found.event_shape) == ((5,), (4, 4, 1))
    expected = gaussian_by_hand(x, loc, scale)
    np.testing.assert_allclose(found.log_prob(np.float32(x)), expected, rtol=1e-4)
    np.testing.assert_allclose(found.mean(), loc, rtol=1e-6)
    assert len(gaussian.trainable_weights) == (kind == "learned")


def test_the_learned_scale_has_the_gradient_of_the_density():
    x, loc = RANDOM.normal(size=(2, 5, 4, 4, 1))
    gaussian = distributions.Gaussian(0.5, learn_scale=True)
    gaussian.build((None, 4, 4, 1))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(gaussian.distribution(loc).log_prob(np.float32(x)))
    (gradient,) = tape.gradient(total, gaussian.trainable_weights)
    # d log N / d log scale = ((x - loc) / scale)^2 - 1.
    assert float(gradient) == pytest.approx(np.sum(((x - loc) / 0.5) ** 2 - 1), rel=1e-4)


def test_scales_that_are_learned_stay_above_a_minimum():
    gaussian = distributions.Gaussian(0.5, learn_scale=True)
    gaussian.build((None, 1, 1, 1))
    gaussian.log_scale.assign(-50.0)
    zeros = np.zeros((1, 1, 1, 1), "float32")
    minimum = distributions.Gaussian.minimum_scale
    np.testing.assert_allclose(gaussian.distribution(zeros).stddev(), minimum, rtol=1e-6)
    per_pixel = gaussian.distribution({"loc": zeros, "scale": zeros})
    np.testing.assert_allclose(per_pixel.stddev(), minimum, rtol=1e-6)


def test_the_learned_scale_trains_and_is_saved(make_vae, images, tmp_path):
    vae = make_vae(likelihood=distributions.Gaussian(1.0, learn_scale=True), eager=True)
    vae.fit(images, batch_size=4, verbose=0)
    learned = float(vae.likelihood.log_scale)
    assert learned < -0.01  # The pixels vary by less than 1, so it shrinks.
    vae.save(tmp_path / "vae.keras")
    assert float(keras.saving.load_model(tmp_path / "vae.keras").likelihood.log_scale) == learned


def test_the_optimal_scale_is_the_root_mean_squared_error_and_the_likeliest():
    x, loc = RANDOM.normal(size=(2, 5, 4, 4, 1)).astype("float32")
    found = distributions.Gaussian("optimal").distribution(loc)
    assert (found.batch_shape, found.event_shape) == ((5,), (4, 4, 1))
    error = np.sqrt(np.mean((np.float64(x) - loc) ** 2))
    log_prob = found.log_prob(x)
    np.testing.assert_allclose(log_prob, gaussian_by_hand(x, loc, error), rtol=1e-5)
    # With the optimum the exponent is 1/2 a pixel: -N/2 (log 2 pi e s^2), 16 pixels an image.
    expected = -8 * np.log(2 * np.pi * np.e * error**2)
    assert np.mean(log_prob) == pytest.approx(expected, rel=1e-5)
    for factor in (0.5, 0.9, 1.1, 2.0):
        fixed = distributions.Gaussian(factor * error).distribution(loc)
        assert np.mean(fixed.log_prob(x)) < np.mean(log_prob) - 0.01
    np.testing.assert_allclose(found.mean(), loc)
    assert np.all(np.isnan(found.stddev()))


def test_the_optimal_scale_is_that_of_a_learned_one_that_has_converged():
    # At the optimum the scale's own gradient vanishes: the means' is that of a fixed scale.
    x, loc = RANDOM.normal(size=(2, 5, 4, 4, 1)).astype("float32")
    scale = float(np.sqrt(np.mean((x - loc) ** 2)))
    gradients = []
    for gaussian in (distributions.Gaussian("optimal"), distributions.Gaussian(scale)):
        variable = tf.Variable(loc)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(gaussian.distribution(variable).log_prob(x))
        gradients.append(tape.gradient(total, variable).numpy())
    np.testing.assert_allclose(*gradients, atol=1e-5)


def test_the_optimal_scale_stays_above_a_minimum():
    same = tf.Variable(np.full((2, 1, 1, 1), 0.5, "float32"))
    with tf.GradientTape() as tape:
        found = distributions.Gaussian("optimal").distribution(same).log_prob(same.numpy())
    minimum = distributions.Gaussian.minimum_scale
    np.testing.assert_allclose(found, -np.log(minimum * np.sqrt(2 * np.pi)), rtol=1e-5)
    np.testing.assert_array_equal(tape.gradient(found, same), 0.0)


def test_the_optimal_scale_trains_and_is_saved(make_vae, images, tmp_path):
    vae = make_vae(likelihood=distributions.Gaussian("optimal"))
    many = np.tile(images, (20, 1, 1, 1))
    first, second = vae.fit(many, batch_size=20, epochs=2, verbose=0).history["loss"]
    assert second < first - 0.1
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert again.likelihood.scale == "optimal"
    assert again.evaluate(images, verbose=0) == pytest.approx(vae.evaluate(images, verbose=0))


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "best"])
def test_a_scale_must_be_positive_and_finite(scale):
    with pytest.raises(ValueError, match=rf"`scale`. Expected a positive.*scale={scale!r}"):
        distributions.Gaussian(scale)


@pytest.mark.parametrize("scale", ["optimal", 1e-4])
def test_a_learned_scale_starts_at_a_number_above_the_minimum(scale):
    with pytest.raises(ValueError, match=rf"learned `scale` must start.*scale={scale}"):
        distributions.Gaussian(scale, learn_scale=True)


def test_a_decoded_scale_is_the_softplus_of_the_second_half():
    x, loc, raw = RANDOM.normal(size=(3, 5, 4, 4, 1)).astype("float32")
    found = distributions.Gaussian("decoded").distribution(np.concatenate([loc, raw], axis=-1))
    expected = gaussian_by_hand(x, loc, np.logaddexp(0, np.float64(raw)))
    np.testing.assert_allclose(found.log_prob(x), expected, rtol=1e-4)
    assert distributions.Gaussian("decoded").parameters_shape((4, 4, 3)) == (4, 4, 6)


def test_the_optimal_scale_takes_no_holes():
    with pytest.raises(ValueError, match="fitted to whole batches"):
        distributions.Gaussian("optimal").distribution_of_observed(np.zeros((2, 3), "float32"))
