import math

import numpy as np
import pytest

from keras_vae.disentanglement import gaussian_total_correlation


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 90.0])
def test_a_rotated_gaussian_has_its_closed_form(gaussian, degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = gaussian_total_correlation(gaussian * [1, 3] @ turn)
    # Variances 1 and 9, turned; the determinant stays 9.
    first = np.cos(angle) ** 2 + 9 * np.sin(angle) ** 2
    second = np.sin(angle) ** 2 + 9 * np.cos(angle) ** 2
    assert found["score"] == pytest.approx(0.5 * np.log(first * second / 9), abs=1e-9)


def test_neither_units_nor_places_matter(rotated):
    codes = rotated(30) * [1, 2] @ [[1, 0.5], [0, 1]]
    # Variances 1 and 4, sheared: 1 and 1/4 + 4, with the determinant 4.
    for z in (codes, (codes + 4) * [1e-9, 1e9]):
        found = gaussian_total_correlation(z)["score"]
        assert found == pytest.approx(0.5 * np.log(4.25 / 4), rel=1e-6)


def test_independent_codes_and_constants_have_0(codes):
    assert gaussian_total_correlation(codes)["score"] == pytest.approx(0, abs=1e-12)
    with_constant = np.concatenate([codes, np.full((len(codes), 1), 0.1)], axis=1)
    found = gaussian_total_correlation(with_constant)
    assert found["score"] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found["correlation"], np.eye(4), atol=1e-12)
    assert gaussian_total_correlation(np.ones((9, 3)))["score"] == 0


def test_noise_has_what_so_many_points_give():
    scores = [
        gaussian_total_correlation(np.random.default_rng(seed).normal(size=(500, 6)))["score"]
        for seed in range(20)
    ]
    assert np.mean(scores) == pytest.approx(6 * 5 / (4 * 500), rel=0.2)


def test_a_copy_is_infinite(codes):
    copied = np.concatenate([codes, codes[:, :1]], axis=1)
    assert gaussian_total_correlation(copied)["score"] == math.inf
