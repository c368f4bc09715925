"""Tests of the likelihood of proportions against SciPy, and of its edges."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae.distributions import Beta

X = np.float32([0.001, 0.2, 0.5, 0.999])


def softplus(raw):
    return np.logaddexp(0, np.float64(raw))


@pytest.mark.parametrize("raw", [(-2.0, 0.5), (0.0, 0.0), (30.0, 3.0)])
def test_it_is_scipys_off_the_edges(raw):
    found = Beta().distribution(np.tile(np.float32(raw), (4, 1)))
    expected = stats.beta(*softplus(raw))
    np.testing.assert_allclose(found.log_prob(X[:, None]), expected.logpdf(X), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=1e-4)


def test_nearer_to_an_edge_than_the_margin_is_as_far_as_the_margin():
    raw = np.tile(np.float32([0.3, 2.0]), (4, 1))
    found = Beta(margin=0.01).distribution(raw).log_prob(np.float32([[0], [0.005], [0.999], [1]]))
    expected = stats.beta(*softplus([0.3, 2.0])).logpdf([0.01, 0.01, 0.99, 0.99])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("first", [-1e30, 0.0, 1e30])
@pytest.mark.parametrize("second", [-1e30, 0.0, 1e30])
def test_edges_are_finite(first, second):
    parameters = tf.Variable(np.tile(np.float32([first, second]), (3, 1)))
    with tf.GradientTape() as tape:
        found = Beta().distribution(parameters).log_prob(np.float32([[0], [0.5], [1]]))
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(tape.gradient(found, parameters)))


@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0, -0.1])
def test_a_margin_leaves_something_between(margin):
    with pytest.raises(ValueError, match=r"`margin`. Expected a number between 0 and"):
        Beta(margin=margin)
