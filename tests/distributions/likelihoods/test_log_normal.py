"""Tests of the likelihood of positive values against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae.distributions import LogNormal

X = np.float32([1e-30, 1e-3, 1, 2.5, 1e6])


@pytest.mark.parametrize("raw", [-2.0, 0.0, 2.0])
def test_it_is_scipys(raw):
    found = LogNormal().distribution(np.tile(np.float32([0.5, raw]), (5, 1)))
    expected = stats.lognorm(np.logaddexp(0, raw), scale=np.exp(0.5))
    np.testing.assert_allclose(found.log_prob(X[:, None]), expected.logpdf(X), rtol=1e-4)
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=1e-4)


@pytest.mark.parametrize("loc", [-1e30, 1e30])
@pytest.mark.parametrize("raw", [-1e30, 1e30])
def test_edges_are_finite(loc, raw):
    parameters = tf.Variable([[loc, raw]])
    with tf.GradientTape() as tape:
        density = LogNormal().distribution(parameters)
        found = density.log_prob([[1e-30]])
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(tape.gradient(found, parameters)))
    assert np.all(np.isfinite(density.mean()))


def test_zeros_are_refused():
    (requirement,) = LogNormal().requirements()
    assert requirement.broken_by(np.float32([[1e-30, np.nan]])) is None
    assert "must be above 0" in requirement.broken_by(np.float32([[1.0, 0.0]]))
