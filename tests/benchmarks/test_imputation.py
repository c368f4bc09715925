"""Tests that the errors of imputed values are of what was lost, and of nothing else."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def table(load_program):
    columns = np.random.default_rng(0).normal(size=(200, 7)) * 5 + 3
    columns[:, 3] = 1.0  # A column of one value.
    columns[:150, 5] = 0.0  # Three of four quarters are the same.
    return load_program("benchmarks/imputation.py").Table(columns)


def test_every_third_column_becomes_classes_and_numbers_are_standardised(table):
    assert table.numbers == [0, 1, 6, 9]
    assert table.classes == [range(2, 6), range(7, 9)]
    np.testing.assert_allclose(table.whole[:, table.numbers].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(table.whole[:, table.numbers].std(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(table.whole[:, 2:6].sum(axis=0), [50] * 4)
    np.testing.assert_array_equal(table.whole[:, 7:9].sum(axis=1), 1)


def test_so_many_values_are_lost_classes_as_a_whole_and_never_a_row(table):
    lost = np.isnan(table.with_holes(0.5, seed=0))
    groups = [*([index] for index in table.numbers), *table.classes]
    by_value = np.stack([lost[:, group[0]] for group in groups], axis=1)
    for group, of_value in zip(groups, by_value.T, strict=True):
        np.testing.assert_array_equal(lost[:, list(group)], of_value[:, None].repeat(len(group), 1))
    assert not by_value.all(axis=1).any()
    # One in six is never lost: 5/6 of a half.
    assert by_value.mean() == pytest.approx(5 / 12, abs=0.05)


def test_errors_are_those_of_lost_values(table):
    holes = table.with_holes(0.3, seed=1)
    assert table.errors(holes, table.whole) == (0, 0)
    imputed = np.where(np.isnan(holes), table.whole + 2, 1e6)
    imputed[:, 2:6] = table.whole[:, [3, 4, 5, 2]]  # Another class everywhere.
    lost = np.isnan(holes)
    numbers, wrong = table.errors(holes, imputed.astype(np.float32))
    assert numbers == pytest.approx(2)
    assert wrong == pytest.approx(lost[:, 2].sum() / (lost[:, 2].sum() + lost[:, 7].sum()))
