"""Tests of the likelihoods against formulas written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae
from keras_vae import distributions

RANDOM = np.random.default_rng(0)


# Bernoulli ---------------------------------------------------------------------------------

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


# Continuous Bernoulli ----------------------------------------------------------------------


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


# Gaussian ----------------------------------------------------------------------------------


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


# All of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", distributions.LIKELIHOODS)
def test_half_precision_parameters_give_float32_nats(name):
    likelihood = distributions.get_likelihood(name)
    parameters = RANDOM.normal(size=(5, 4, 4, 1)).astype("float16")
    x = RANDOM.random(parameters.shape).astype("float32")
    found = likelihood.distribution(parameters)
    assert found.log_prob(x).dtype == found.mean().dtype == tf.float32
    wide = likelihood.distribution(np.float32(parameters)).log_prob(x)
    np.testing.assert_allclose(found.log_prob(x), wide, rtol=1e-6)


@pytest.mark.parametrize(
    "part",
    [
        distributions.Bernoulli(),
        distributions.ContinuousBernoulli(),
        distributions.Gaussian(0.25, learn_scale=True),
        distributions.Gaussian("optimal"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_parts_survive_serialisation(part):
    config = keras.saving.serialize_keras_object(part)
    assert config["registered_name"] == f"keras_vae>{type(part).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(part)
    assert again.get_config() == part.get_config()


def test_names_and_objects_are_both_accepted():
    for name, cls in distributions.LIKELIHOODS.items():
        assert type(distributions.get_likelihood(name)) is cls
    own = distributions.Gaussian(0.1)
    assert distributions.get_likelihood(own) is own


@pytest.mark.parametrize("identifier", ["poisson", None, 3, distributions.Gaussian])
def test_unknown_likelihoods_list_the_known_ones(identifier):
    with pytest.raises(ValueError) as raised:
        distributions.get_likelihood(identifier)
    message = str(raised.value)
    assert f"Received: likelihood={identifier!r}" in message
    assert all(repr(name) in message for name in distributions.LIKELIHOODS)


def test_a_likelihood_without_a_distribution_says_what_to_define():
    class Incomplete(keras_vae.distributions.Likelihood):
        """Defines nothing."""

    with pytest.raises(TypeError, match=r"Incomplete.*distribution"):
        Incomplete()


def test_the_continuous_bernoulli_is_finite_at_any_logit():
    for logit in (1e30, 3e38):
        for sign in (-1, 1):
            density = distributions.ContinuousBernoulli().distribution(
                tf.fill((1, 2, 2, 1), sign * logit)
            )
            assert np.isfinite(density.log_prob(tf.ones((1, 2, 2, 1)))).all()
            np.testing.assert_allclose(density.mean(), (1 + sign) / 2, atol=1e-5)
