"""Tests of the checks of arguments, by what they take, what they refuse, and in which words."""

import keras
import numpy as np
import pytest

from keras_vae import arguments

INFINITE, NAN = float("inf"), float("nan")
NO_COUNTS = [0, -1, 1.0, "1", True, np.True_, None, np.ones(1, int)]
NO_NUMBERS = ["1", True, None, NAN, INFINITE, -INFINITE, 1e39, [1.0], 1j]


@pytest.mark.parametrize("value", [1, np.int64(7), np.uint8(3)])
def test_a_count_is_an_int(value):
    assert type(arguments.count("n", value)) is int and arguments.count("n", value) == value


@pytest.mark.parametrize("value", NO_COUNTS)
def test_no_count(value):
    with pytest.raises(ValueError, match=r"`n`. Expected a positive integer. Received: n="):
        arguments.count("n", value)


def test_a_count_has_a_least():
    assert arguments.count("start", 0, least=0) == 0
    with pytest.raises(ValueError, match=r"an integer of at least 2. Received: num_steps=1"):
        arguments.count("num_steps", 1, least=2)


def test_counts_are_a_sequence():
    assert arguments.counts("sizes", (np.int64(3), 2)) == (3, 2) and arguments.counts("n", []) == ()
    for values in (5, "12", [2.0], [True], [0], None, {1: 2}):
        with pytest.raises(ValueError, match=r"`sizes`. Expected a sequence of positive integers"):
            arguments.counts("sizes", values)


def test_a_seed_fits_31_bits():
    assert arguments.seed("seed", np.int32(0)) == 0 and arguments.seed("seed", 2**31 - 1)
    for value in (-1, 2**31, 1.0, "a", True):
        with pytest.raises(ValueError, match=r"`seed`. Expected an integer from 0 to 2\*\*31 - 1"):
            arguments.seed("seed", value)


def test_one_of_names():
    assert arguments.one_of("kind", "i", ("i", "ii")) == "i"
    for value in ("I", 1, None, ["i"]):
        with pytest.raises(ValueError, match=r"`kind`. Expected one of \['i', 'ii'\]. Received"):
            arguments.one_of("kind", value, ("i", "ii"))


def test_a_share_lies_between_0_and_1():
    assert arguments.share("rise", np.float32(0.5)) == 0.5
    for value in (0, 1, True, "0.5", NAN, None):
        with pytest.raises(
            ValueError, match=r"`rise`. Expected a number between 0 and 1. Received"
        ):
            arguments.share("rise", value)


@pytest.mark.parametrize("value", [2, 2.0, np.float64(2), np.array(2), keras.Variable(2.0)])
def test_a_number_may_be_anything_that_is_one(value):
    assert arguments.number("beta", value) == 2.0


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_no_number(value):
    with pytest.raises(ValueError, match=r"`beta`. Expected a finite number. Received: beta="):
        arguments.number("beta", value)


def test_a_number_has_a_least():
    assert arguments.number("beta", -3.0) == -3.0
    with pytest.raises(ValueError, match=r"a finite number of at least 0. Received: beta=-1"):
        arguments.number("beta", -1, least=0)


def test_a_positive_number():
    assert arguments.positive("scale", 1) == 1.0
    for value in (0, -1, True, "1", NAN, INFINITE):
        with pytest.raises(ValueError, match=r"`scale`. Expected a positive number. Received"):
            arguments.positive("scale", value)


def test_a_flag_is_a_boolean():
    assert arguments.flag("gif", np.True_) is True
    for value in ("no", None, 1, NAN):
        with pytest.raises(ValueError, match=r"`gif`. Expected `True` or `False`. Received: gif="):
            arguments.flag("gif", value)


def test_a_path_is_text_or_a_path(tmp_path):
    assert arguments.path("folder", tmp_path) is tmp_path
    assert arguments.path("folder", "runs") == "runs"
    for value in ("", None, True, NAN):
        with pytest.raises(ValueError, match=r"`folder`. Expected a path. Received: folder="):
            arguments.path("folder", value)
    # All of its numbers would not help.
    with pytest.raises(ValueError, match=r"Received: an array of shape \(2, 4\)"):
        arguments.path("folder", np.zeros((2, 4)))
