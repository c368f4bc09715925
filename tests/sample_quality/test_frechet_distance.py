"""Tests of the Frechet distance against closed forms, on points whose moments are exact."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from keras_vae.sample_quality import frechet_distance


def points(mean, covariance, count=200, seed=0):
    """Points of exactly that mean and covariance."""
    noise = np.random.default_rng(seed).normal(size=(count, len(mean)))
    noise -= noise.mean(axis=0)
    white = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(np.asarray(covariance, float)).T + mean


def distance(*pairs):
    return frechet_distance(*(points(*pair, seed=seed) for seed, pair in enumerate(pairs)))


def test_of_numbers_it_is_that_of_means_and_deviations():
    found = distance(([1.0], [[4.0]]), ([4.0], [[9.0]]))
    assert found["mean_part"] == pytest.approx(9.0)
    assert found["covariance_part"] == pytest.approx((3 - 2) ** 2)
    assert found["frechet_distance"] == pytest.approx(10.0)


def test_where_covariances_commute_it_is_that_of_the_axes():
    found = distance(([0.0, 1.0], np.diag([1.0, 16.0])), ([2.0, 1.0], np.diag([25.0, 4.0])))
    assert found["frechet_distance"] == pytest.approx(4 + (5 - 1) ** 2 + (4 - 2) ** 2)


def test_of_any_gaussians_it_is_the_formula_with_the_root_of_the_product():
    random = np.random.default_rng(3)
    factors = random.normal(size=(2, 5, 5))
    first, second = (factor @ factor.T for factor in factors)
    found = distance((np.zeros(5), first), (np.full(5, 0.5), second))
    expected = 1.25 + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert found["frechet_distance"] == pytest.approx(expected, rel=1e-6)


def test_it_is_symmetric_and_nothing_of_the_same_points():
    first, second = points([0.0, 1.0], np.eye(2)), points([3.0, 1.0], [[2.0, 1.0], [1.0, 2.0]])
    there = frechet_distance(first, second)["frechet_distance"]
    assert there == pytest.approx(frechet_distance(second, first)["frechet_distance"])
    assert 0 <= frechet_distance(first, first[::-1])["frechet_distance"] < 1e-9


def test_features_that_are_always_zero_do_no_harm():
    first, second = (np.pad(points([m], [[1.0]]), [(0, 0), (0, 2)]) for m in (0.0, 2.0))
    assert frechet_distance(first, second)["frechet_distance"] == pytest.approx(4.0)
