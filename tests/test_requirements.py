"""Tests of what values must be beyond lying in an interval."""

import pickle

import numpy as np
import pytest

from keras_vae.requirements import Requirement, Within, is_one_hot, is_positive, is_whole

VALUES = np.float32([-1, 0, 0.5, 2, np.nan, 1e9])


@pytest.mark.parametrize(
    ("fits", "expected"),
    [
        (is_whole, [True, True, False, True, True, True]),
        (is_positive, [False, False, True, True, True, True]),
        (Within(0.0, 1.0), [False, True, True, False, True, False]),
    ],
)
def test_values_fit_or_do_not(fits, expected):
    np.testing.assert_array_equal(fits(VALUES), expected)
    # As a copy in another process would.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fits))(VALUES), expected)


def test_classes_are_looked_at_as_a_whole():
    nan = np.nan
    classes = np.float32([[1, 0, 0], [0, 0, 0], [1, 1, 0], [2, -1, 0], [nan] * 3, [nan, 1, 0]])
    np.testing.assert_array_equal(is_one_hot(classes), [True, False, False, False, True, False])


def test_the_message_has_what_was_found_and_where_it_belongs():
    requirement = Requirement("above 0", is_positive, "Shift them.")
    assert requirement.broken_by(np.float32([[1, np.nan]])) is None
    assert requirement.broken_by(np.float32([[1, 2], [-3, 0]])) == (
        "Images must be above 0, the support of the likelihood. Received: -3.0. Shift them."
    )
    of_columns = requirement.of_columns((3, 1), "price")
    assert of_columns.broken_by(np.float32([[-1, 2, -1, 3]])) is None
    said = of_columns.broken_by(np.float32([[1, -2, 1, 3]]))
    assert said.startswith("Values of `price` must be above 0") and "-2.0" in said
    # Columns of columns: the second of those.
    assert of_columns._replace(columns=(1,)).of_columns((5, 7), "own").columns == (7,)
