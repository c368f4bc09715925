"""Tests of the causal transformer: its order, and its first layer against NumPy."""

import keras
import numpy as np
import pytest

from keras_vae import networks


def test_the_first_layer_adds_up_the_code_before_and_the_place():
    layer = networks.Before(4, 3)
    codes = np.array([[2, 0, 3], [1, 1, 2]])
    found = layer(codes).numpy()
    vectors, places = layer.codes.numpy(), layer.places.numpy()
    np.testing.assert_array_equal(found[:, 0], np.stack([places[0]] * 2))
    np.testing.assert_allclose(found[:, 1:], vectors[codes[:, :-1]] + places[1:], rtol=1e-6)
    again = networks.Before.from_config(layer.get_config())
    assert again(keras.KerasTensor((None, 3), "int32")).shape == (None, 3, 3)


def test_logits_begin_at_zeros_and_are_of_each_place():
    network = networks.causal_transformer(5, 7, width=8, depth=2, num_heads=2)
    logits = network(np.zeros((3, 5), int))
    assert logits.shape == (3, 5, 7) and not np.any(logits)


@pytest.mark.parametrize("arguments", [{"width": 9}, {"num_heads": 0}, {"depth": 1.5}])
def test_sizes_that_do_not_fit_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"Invalid value for argument `{name}`"):
        networks.causal_transformer(5, 7, **{"num_heads": 2, **arguments})
