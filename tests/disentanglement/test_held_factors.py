import numpy as np
import pytest

from keras_vae.disentanglement.held_factors import AmongPoints, DrawnAnew


@pytest.fixture(params=["drawn anew", "among points"])
def source(request, grid, factors):
    if request.param == "drawn anew":
        # The factor of one value is never held.
        return DrawnAnew(grid, lambda images: images[:, [0, 2, 3]])
    return AmongPoints(factors, factors)


def test_pairs_share_the_factor_that_is_held_and_no_other(source):
    generator = np.random.default_rng(0)
    held = generator.integers(3, size=600)
    first, second = source.pairs(held, generator)
    same = first == second
    assert same[np.arange(600), held].all()
    for factor, size in enumerate((3, 4, 5)):
        # Of points, never the same one twice, which is one of 400 at most.
        assert same[held != factor, factor].mean() == pytest.approx(1 / size, abs=0.06)


def test_groups_vary_in_all_but_the_held_factor(source):
    generator = np.random.default_rng(0)
    held = np.arange(90) % 3
    variances = source.variances(held, 50, generator)
    assert np.all(variances[np.arange(90), held] == 0)
    expected = (np.array([3, 4, 5]) ** 2 - 1) / 12
    for factor in range(3):
        mean = variances[held != factor, factor].mean()
        assert mean == pytest.approx(expected[factor], rel=0.05)


def test_all_values_are_held_equally_often(source):
    generator = np.random.default_rng(0)
    first, _ = source.pairs(np.full(900, 2), generator)
    counts = np.bincount(first[:, 2].astype(int))
    np.testing.assert_allclose(counts, 180, atol=50)


def test_a_value_with_few_points_makes_a_small_group():
    factors = np.array([[0, 0], [0, 1], [0, 0], [1, 1], [1, 0], [1, 1]])
    codes = np.arange(12.0).reshape(6, 2)
    variances = AmongPoints(codes, factors).variances(
        np.zeros(4, int), 64, np.random.default_rng(0)
    )
    np.testing.assert_allclose(variances, 4)


def test_bins_of_a_continuous_factor_are_its_values(gaussian):
    source = AmongPoints(gaussian, gaussian)
    first, second = source.pairs(np.zeros(2000, int), np.random.default_rng(1))
    distance = np.abs(first - second).mean(axis=0)
    assert distance[0] < 0.2 < 0.9 < distance[1]
