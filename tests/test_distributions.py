"""Tests of the posterior, the likelihoods and the prior against formulas written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae
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


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf")])
def test_a_scale_must_be_positive_and_finite(scale):
    with pytest.raises(ValueError, match=rf"`scale`. Expected a positive.*scale={scale}"):
        distributions.Gaussian(scale)


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
    assert distributions.diagonal_normal(np.float16(LOC), np.float16(SCALE)).dtype == tf.float32


@pytest.mark.parametrize(
    "part",
    [
        distributions.Bernoulli(),
        distributions.ContinuousBernoulli(),
        distributions.Gaussian(0.25, learn_scale=True),
        distributions.StandardNormal(),
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
    prior = distributions.StandardNormal()
    assert distributions.get_prior(prior) is prior


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
