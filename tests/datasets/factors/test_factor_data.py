"""Tests of what all factor data sets have in common: drawing, holding, refusals."""

import numpy as np
import pytest

from keras_vae.datasets.factors import FactorData


class Pairs(FactorData):
    """Images of two pixels, which are the factors."""

    def __init__(self):
        super().__init__({"first": np.arange(4) / 4, "second": np.arange(3) / 4}, (2,))

    def sample(self, factors, generator=None):
        return np.float32(self.checked(factors) / 4)


@pytest.fixture
def data():
    return Pairs()


def test_names_sizes_and_columns(data):
    assert data.factor_names == ("first", "second")
    assert data.factor_sizes == (4, 3)
    assert (data.num_factors, data.image_shape, data.column("second")) == (2, (2,), 1)


def test_factors_are_uniform_and_independent(data):
    factors = data.sample_factors(12_000, 0)
    assert factors.dtype == np.int64
    counts = np.zeros((4, 3))
    np.add.at(counts, tuple(factors.T), 1)
    # 1,000 of each are expected: five standard deviations.
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_what_is_drawn_is_a_function_of_the_seed(data):
    for a, b in zip(data.draw(20, 3), data.draw(20, np.random.default_rng(3)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(data.sample_factors(20, 3), data.sample_factors(20, 4))


def test_one_call_holds_a_factor_and_draws_the_others(data):
    factors, images = data.draw(50, 0, held={"first": 2})
    assert set(factors[:, 0]) == {2} and set(factors[:, 1]) == {0, 1, 2}
    np.testing.assert_array_equal(images, factors / 4)


def test_pairs_have_a_value_in_common_each_its_own(data):
    first, _ = data.draw(50, 0)
    second, _ = data.draw(50, 1, held={"second": first[:, 1]})
    np.testing.assert_array_equal(first[:, 1], second[:, 1])
    assert not np.array_equal(first[:, 0], second[:, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: data.draw(0, 0), "`count`.*positive integer"),
        (lambda data: data.draw(1, None), "`generator`"),
        (lambda data: data.draw(1, 0, {"third": 0}), r"`held`.*\['first', 'second'\]"),
        (lambda data: data.draw(1, 0, {"first": 4}), "'first' has 4 values.*Received: 4"),
        (lambda data: data.draw(1, 0, {"first": -1}), "Received: -1"),
        (lambda data: data.draw(2, 0, {"first": [1, 1, 1]}), r"2 of them.*shape \(3,\)"),
        (lambda data: data.draw(2, 0, {"first": 0.5}), "float64"),
        (lambda data: data.sample([[0, 3]]), "'second' has 3 values"),
        (lambda data: data.sample([[0.0, 1.0]]), "`factors`.*float64"),
        (lambda data: data.sample([0, 1]), r"shape \(2,\)"),
        (lambda data: data.column("third"), "`name`"),
    ],
)
def test_refusals(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data)
