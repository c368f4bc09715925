"""Tests of what a page is told of the prior."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.distributions import mixture
from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.explorer import priors


def test_a_normal_prior_is_its_mean_and_deviation():
    found = priors.describe(diagonal_normal(tf.constant([1.0, -2.0]), tf.constant([0.5, 3.0])))
    assert found["kind"] == "normal"
    assert found["loc"].tolist() == [1.0, -2.0] and found["scale"].tolist() == [0.5, 3.0]


def test_a_mixture_is_its_components():
    loc, scale = np.arange(6.0).reshape(3, 2), np.full((3, 2), 0.5)
    prior = mixture(tf.math.log([0.2, 0.3, 0.5]), diagonal_normal(loc, scale))
    found = priors.describe(prior)
    assert found["kind"] == "mixture"
    assert found["weights"] == pytest.approx([0.2, 0.3, 0.5])
    np.testing.assert_array_equal(found["loc"], loc)
    np.testing.assert_array_equal(found["scale"], scale)


@pytest.mark.parametrize(
    "prior",
    [
        tfd.MultivariateNormalTriL(tf.zeros([2]), tf.constant([[1.0, 0.0], [0.9, 0.1]])),
        tfd.Independent(tfd.Laplace(tf.zeros([2]), tf.ones([2])), 1),
    ],
    ids=["correlated", "of another family"],
)
def test_any_other_is_draws_of_it_the_same_every_time(prior):
    found = priors.describe(prior)
    assert found["kind"] == "drawn" and found["codes"].shape == (500, 2)
    np.testing.assert_array_equal(found["codes"], priors.describe(prior)["codes"])
    covariance = prior.covariance() if hasattr(prior, "scale_tril") else 2 * np.eye(2)
    assert np.cov(found["codes"].T) == pytest.approx(np.asarray(covariance), abs=0.35)


def test_moments_are_those_of_draws_where_a_distribution_does_not_tell():
    mean, deviation = priors.moments(tfd.SphericalUniform(4))
    # The variances of a point on the sphere add up to 1; four standard errors of 500 draws.
    np.testing.assert_allclose(mean, 0, atol=4 * 0.5 / np.sqrt(500))
    np.testing.assert_allclose(deviation, 0.5, rtol=0.15)
    known = diagonal_normal(tf.constant([1.0, -2.0]), tf.constant([0.5, 3.0]))
    np.testing.assert_allclose(priors.moments(known), [[1, -2], [0.5, 3]])
