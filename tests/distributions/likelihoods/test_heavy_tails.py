"""Tests of Laplace's distribution and Student's t against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae.distributions import Laplace, StudentT

# As far out as SciPy's logarithm of Laplace's density is finite.
X = np.float32([-20, -3, -0.5, 0, 0.5, 3, 20])
SCIPY = {
    "laplace": (Laplace(), stats.laplace),
    "student_t": (StudentT(), stats.t(4.0)),
    "student_t of 7": (StudentT(7.0), stats.t(7.0)),
}


def scipys(distribution, x, loc, scale):
    """The logarithm of a standard density, moved and stretched."""
    return distribution.logpdf((np.float64(x) - loc) / scale) - np.log(scale)


@pytest.mark.parametrize("raw", [-3.0, 0.0, 10.0])
@pytest.mark.parametrize("name", SCIPY)
def test_it_is_scipys(name, raw):
    likelihood, distribution = SCIPY[name]
    found = likelihood.distribution(np.tile(np.float32([0.5, raw]), (7, 1)))
    scale = np.logaddexp(0, raw)
    expected = scipys(distribution, X, 0.5, scale)
    np.testing.assert_allclose(found.log_prob(X[:, None]), expected, rtol=1e-4)
    np.testing.assert_allclose(found.mean(), 0.5)
    np.testing.assert_allclose(found.stddev(), scale * distribution.std(), rtol=1e-4)


@pytest.mark.parametrize("name", SCIPY)
def test_far_errors_pull_less_than_a_gaussian(name):
    likelihood, _ = SCIPY[name]
    pulls = []
    for far in (10.0, 1e5):
        parameters = tf.Variable([[0.0, 0.0]])
        with tf.GradientTape() as tape:
            found = likelihood.distribution(parameters).log_prob([[far]])
        pulls.append(tape.gradient(found, parameters).numpy()[0, 0])
    assert 0 <= pulls[1] <= pulls[0] * 1.001


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("raw", [-1e30, 1e30])
def test_edges_are_finite(name, raw):
    likelihood, _ = SCIPY[name]
    parameters = tf.Variable([[0.0, raw]])
    with tf.GradientTape() as tape:
        found = likelihood.distribution(parameters).log_prob([[5.0]])
    assert np.all(np.isfinite(found)) and np.all(np.isfinite(tape.gradient(found, parameters)))


@pytest.mark.parametrize("df", [2, 0.0, -1, np.nan, np.inf, "many"])
def test_degrees_of_freedom_are_above_2(df):
    with pytest.raises(ValueError, match=r"`df`. Expected a"):
        StudentT(df)
