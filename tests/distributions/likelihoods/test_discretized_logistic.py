"""Tests of the discretized logistic against SciPy and sums over all levels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_vae import distributions

RANDOM = np.random.default_rng(0)
LEVELS = np.arange(256) / 255


def by_hand(x, loc, scale):
    """Probabilities of levels, as differences of a logistic's distribution function."""
    above = np.where(x >= 1, 1.0, stats.logistic.cdf(x + 0.5 / 255, loc, scale))
    below = np.where(x <= 0, 0.0, stats.logistic.cdf(x - 0.5 / 255, loc, scale))
    return above - below


def test_the_probability_of_a_level_is_what_the_logistic_has_around_it():
    loc, raw_scale = RANDOM.normal(size=(2, 6, 3, 2, 1))
    x = RANDOM.choice(LEVELS, size=loc.shape)
    x[0, :, :, 0] = [[0, 1], [1, 0], [0, 0]]
    found = distributions.DiscretizedLogistic().distribution(
        np.concatenate([loc, raw_scale], axis=-1)
    )
    expected = np.log(by_hand(x, loc + 0.5, 0.1 * np.exp(raw_scale))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.log_prob(np.float32(x)), expected, rtol=1e-4)


@pytest.mark.parametrize("raw_scale", [-9.0, -4.0, 0.0, 3.0])
@pytest.mark.parametrize("components", [1, 3])
def test_probabilities_of_all_levels_sum_to_1(raw_scale, components):
    rows = RANDOM.normal(size=(4, 1), scale=0.3)
    parts = [rows, np.full_like(rows, raw_scale)]
    if components > 1:
        parts = [RANDOM.normal(size=(4, components)) for _ in range(2)]
        parts.append(np.full((4, components), raw_scale))
    found = distributions.DiscretizedLogistic(components).distribution(np.concatenate(parts, -1))
    levels = np.tile(LEVELS[:, None, None], (1, 4, 1)).astype("float32")
    np.testing.assert_allclose(np.exp(found.log_prob(levels)).sum(axis=0), 1.0, rtol=1e-4)


def test_the_mixture_is_the_mixture():
    # Two channels and three components: those of one channel stand together.
    logits, loc, raw_scale = RANDOM.normal(size=(3, 5, 2, 2, 3))
    flat = [part.reshape(5, 2, 6) for part in (logits, loc, raw_scale)]
    x = RANDOM.choice(LEVELS, size=(5, 2, 2))
    found = distributions.DiscretizedLogistic(3).distribution(np.concatenate(flat, axis=-1))
    centres = loc + 0.5 + np.array([-1, 0, 1]) / 3
    probability = by_hand(x[..., None], centres, 0.1 * np.exp(raw_scale))
    probability = (special.softmax(logits, axis=-1) * probability).sum(axis=-1)
    expected = np.log(probability).sum(axis=(1, 2))
    np.testing.assert_allclose(found.log_prob(np.float32(x)), expected, rtol=1e-4)


def test_moments_are_those_of_the_levels():
    loc, raw_scale = RANDOM.normal(size=(2, 40, 1), scale=0.5)
    found = distributions.DiscretizedLogistic().distribution(np.concatenate([loc, raw_scale], -1))
    weights = by_hand(LEVELS, loc + 0.5, 0.1 * np.exp(raw_scale))
    mean = (weights * LEVELS).sum(axis=-1)
    variance = (weights * LEVELS**2).sum(axis=-1) - mean**2
    np.testing.assert_allclose(found.mean()[:, 0], mean, atol=1e-4)
    np.testing.assert_allclose(found.variance()[:, 0], variance, atol=1e-4)


def test_samples_are_levels_and_as_frequent_as_they_are_probable():
    likelihood = distributions.DiscretizedLogistic(levels=8)
    found = likelihood.distribution(np.array([[0.2, 0.7]], "float32"))
    draws = found.sample(40_000, seed=[0, 1]).numpy().ravel()
    levels = np.arange(8) / 7
    shares = np.array([(np.abs(draws - level) < 1e-6).mean() for level in levels])
    expected = np.exp(found.log_prob(levels[:, None, None].astype("float32"))).ravel()
    assert shares.sum() == 1
    # Four standard errors of a share near a half.
    np.testing.assert_allclose(shares, expected, atol=4 * 0.5 / 200)


@pytest.mark.parametrize("components", [1, 2])
def test_gradients_are_finite_at_the_edges_and_far_off(components):
    likelihood = distributions.DiscretizedLogistic(components)
    size = likelihood.parameters_shape((3,))[-1]
    for value in (-1e4, -30.0, 0.0, 30.0, 1e4):
        parameters = tf.Variable(np.full((1, size), value, "float32"))
        with tf.GradientTape() as tape:
            log_prob = likelihood.distribution(parameters).log_prob(np.float32([[0, 0.2, 1]]))
        assert np.isfinite(log_prob).all()
        assert np.isfinite(tape.gradient(log_prob, parameters)).all()


def test_pixels_between_the_levels_are_refused(make_vae):
    likelihood = distributions.DiscretizedLogistic()
    (_, levels) = likelihood.all_requirements()
    assert levels.broken_by(np.float32(LEVELS)) is None
    assert levels.broken_by(np.arange(256, dtype="float32") / np.float32(255)) is None
    assert "multiples of 1/255" in levels.broken_by(np.float32([0.5]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_components": 0}, "num_components=0"),
        ({"num_components": 1.5}, "num_components=1.5"),
        ({"levels": 1}, "levels=1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        distributions.DiscretizedLogistic(**arguments)
