"""Tests of how coarsely weights may be rounded."""

import keras
import numpy as np

from keras_vae.explorer.packing import FINEST, restored
from keras_vae.explorer.rounding import fewest_bits

INPUTS = np.random.default_rng(1).normal(size=(50, 6)).astype("float32")


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(40, "tanh"), keras.layers.Dense(3)]
    )


def outcome(one):
    return np.asarray(one(INPUTS))


def error(one, bits):
    copy = keras.models.clone_model(one)
    copy.set_weights([restored(w, bits) if w.ndim > 1 else w for w in one.get_weights()])
    return np.abs(outcome(copy) - outcome(one)).max()


def test_there_are_as_many_bits_as_are_needed_and_no_more():
    one = network()
    for tolerance in (1e-2, 1e-3, 1e-4):
        bits = fewest_bits(one, outcome, tolerance)
        assert error(one, bits) <= tolerance
        assert bits == 12 or error(one, bits - 1) > tolerance
    assert fewest_bits(one, outcome, 1.0) == 12


def test_what_no_rounding_would_do_for_stays_as_exact_as_can_be():
    assert fewest_bits(network(), outcome, 0.0) == FINEST


def test_the_network_itself_is_left_alone():
    one = network()
    before = [w.copy() for w in one.get_weights()]
    fewest_bits(one, outcome, 1e-3)
    for now, was in zip(one.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)
