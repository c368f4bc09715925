"""Tests of the two-sample test: chance where sets are alike, certainty where they are apart."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_vae.sample_quality import two_sample_test


def points(centre, count, seed):
    return centre + np.random.default_rng(seed).normal(size=(count, 3))


def test_draws_of_the_same_density_are_not_told_apart():
    found = two_sample_test(points(0, 400, 0), points(0, 400, 1))
    assert found["chance_std"] == pytest.approx(0.5 / np.sqrt(800))
    assert abs(found["accuracy"] - 0.5) < 4 * found["chance_std"]
    assert abs(found["roc_auc"] - 0.5) < 4 * found["chance_std"]


def test_draws_far_from_each_other_are_always_told_apart():
    found = two_sample_test(points(0, 100, 0), points(9, 100, 1), 2, LogisticRegression())
    assert (found["accuracy"], found["roc_auc"], found["accuracy_std"]) == (1.0, 1.0, 0.0)


def test_a_shift_is_told_as_well_as_can_be():
    found = two_sample_test(
        points(0, 1000, 0), points([1, 0, 0], 1000, 1), classifier=LogisticRegression()
    )
    # Of two normal densities one apart: Phi(1/2), and Phi(1/sqrt(2)) for the area.
    assert found["accuracy"] == pytest.approx(0.6915, abs=0.04)
    assert found["roc_auc"] == pytest.approx(0.7602, abs=0.04)


def test_more_points_of_one_set_change_nothing_of_what_is_chance():
    found = two_sample_test(points(0, 900, 0), points(0, 100, 1), 2, LogisticRegression())
    assert found["chance_std"] == pytest.approx(0.5 / np.sqrt(200))
    assert abs(found["accuracy"] - 0.5) < 4 * found["chance_std"]


def test_the_same_seed_gives_the_same_figures():
    sets = points(0, 60, 0), points(0.5, 60, 1)
    one, again, other = (two_sample_test(*sets, 2, seed=seed) for seed in (3, 3, 4))
    assert again == one
    assert other != one
