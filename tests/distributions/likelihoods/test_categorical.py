"""Tests of classes that are one-hot."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_vae.distributions import Categorical

RANDOM = np.random.default_rng(0)


def test_it_is_the_softmax_of_the_class():
    logits = RANDOM.normal(size=(6, 2, 4)).astype("float32")
    classes = RANDOM.integers(0, 4, size=(6, 2))
    x = np.float32(keras.utils.to_categorical(classes, 4))
    found = Categorical().distribution(logits)
    log_softmax = special.log_softmax(np.float64(logits), axis=-1)
    expected = np.take_along_axis(log_softmax, classes[..., None], axis=-1).sum((1, 2))
    np.testing.assert_allclose(found.log_prob(x), expected, rtol=1e-5)
    np.testing.assert_allclose(found.mean(), np.exp(log_softmax), rtol=1e-5)


@pytest.mark.parametrize("logit", [-1e30, -100.0, 100.0, 1e30])
def test_a_class_that_is_impossible_has_a_finite_gradient(logit):
    logits = tf.Variable([[logit, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        found = Categorical().distribution(logits).log_prob([[1.0, 0.0, 0.0]])
    assert np.all(np.isfinite(found))
    expected = np.array([[1.0, 0.0, 0.0]]) - special.softmax([logit, 0.0, 0.0])
    np.testing.assert_allclose(tape.gradient(found, logits), expected, atol=1e-6)


@pytest.mark.parametrize("event", [[0.5, 0.5, 0], [1, 1, 0], [0, 0, 0], [np.nan, 1, 0], [0, 2, -1]])
def test_what_is_not_one_hot_is_refused(event):
    (requirement,) = Categorical().requirements()
    good = np.float32([[0, 1, 0], [np.nan] * 3])
    assert requirement.broken_by(good) is None
    said = requirement.broken_by(np.float32([*good, event]))
    assert "must be one-hot on the last axis" in said and "to_categorical" in said


def test_one_class_is_none():
    for ask in (Categorical().parameters_shape, Categorical().build):
        with pytest.raises(ValueError, match="two classes or more on the last axis"):
            ask((3, 1))


def test_probabilities_are_refused_and_logits_are_not():
    logits = RANDOM.normal(size=(16, 3)).astype("float32")
    Categorical().check_parameters(logits)
    with pytest.raises(ValueError, match="as of a softmax"):
        Categorical().check_parameters(special.softmax(logits, axis=-1))
