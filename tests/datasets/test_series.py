"""Tests of series of several lengths as one array."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_vae import datasets


def test_series_are_padded_with_nan_at_their_ends():
    short, long = np.arange(6.0).reshape(3, 2), np.arange(10.0).reshape(5, 2)
    found = datasets.pad_series([short, long])
    assert (found.shape, found.dtype) == ((2, 5, 2), np.float32)
    np.testing.assert_array_equal(found[0, :3], short)
    np.testing.assert_array_equal(found[1], long)
    assert np.isnan(found[0, 3:]).all()
    assert datasets.pad_series([short, long], length=9).shape == (2, 9, 2)


def test_one_feature_and_ragged_tensors():
    found = datasets.pad_series([[1, 2, 3], [4]])
    np.testing.assert_array_equal(found[..., 0], [[1, 2, 3], [4, np.nan, np.nan]])
    ragged = tf.RaggedTensor.from_row_lengths(tf.reshape(tf.range(8.0), (4, 2)), [3, 1])
    np.testing.assert_array_equal(datasets.pad_series(ragged)[0], [[0, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize(
    ("series", "length", "message"),
    [
        ([], None, r"series=\[\]"),
        ("abc", None, "series='abc'"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], None, r"same features. Received: \[1, 2\]"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], None, "as series 1"),
        ([np.zeros((3, 2, 1))], None, r"float64 \(3, 2, 1\) as series 0"),
        ([["a", "b"]], None, "of numbers"),
        ([[[1, 2], [3]]], None, "as series 0"),
        ([np.zeros(4)], 3, "length=3, and series 0 of 4 steps"),
        ([np.zeros(4)], 0, "length=0"),
        ([np.ma.masked_equal([1.0, 2.0], 2.0)], None, "mask .* would be lost.*1 values are masked"),
        (
            [pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"b": [2.0], "a": [1.0]})],
            None,
            r"same columns in the same order. Received: \['a', 'b'\] and \['b', 'a'\]",
        ),
    ],
)
def test_what_is_no_series_is_refused(series, length, message):
    with pytest.raises(ValueError, match=message):
        datasets.pad_series(series, length)
