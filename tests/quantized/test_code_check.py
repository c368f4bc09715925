"""Tests of what is taken for codes, and of what else is told."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.quantized.code_check import CodeCheck

CODES = np.arange(6).reshape(1, 2, 3)
check = CodeCheck((2, 3), 6)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, tf.constant])
def test_integers_of_any_kind_are_codes(kind):
    found = check.wrap_images(kind(CODES))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, CODES)


def test_weights_stay_with_their_codes():
    weights = np.ones(1)
    codes, labels, found = check.wrap((CODES, None, weights))
    np.testing.assert_array_equal(codes, CODES)
    assert labels is None and found is weights
    with pytest.raises(ValueError, match="one sample weight an image"):
        check.wrap((CODES, None, np.ones(2)))


def test_data_sets_are_checked_as_they_come():
    data = tf.data.Dataset.from_tensors((CODES, 1)).map(lambda codes, label: (codes, label))
    ((codes, label),) = check.wrap(data)
    assert codes.dtype == tf.int32 and label == 1
    with (
        pytest.raises(ValueError, match=r"others$"),
        check.errors_made_clear(),
    ):
        list(check.wrap(tf.data.Dataset.from_tensors(CODES - 1)))


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (CODES.astype(float), "float64 of shape [1, 2, 3]"),
        (CODES[0], "int64 of shape [2, 3]"),
        (CODES + 1, "integers from 1 to 6"),
        (CODES[:0], "none at all"),
        ([1, 2], "a list of int"),
        (tf.data.Dataset.from_tensors({"codes": CODES}), "a data set of"),
    ],
    ids=str,
)
def test_anything_else_is_refused(data, received):
    with pytest.raises(ValueError) as error:
        check.wrap(data)
    assert "integers from 0 to 5, an array [n, 2, 3]" in str(error.value)
    assert f"Received: {received}" in str(error.value)
