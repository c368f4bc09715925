"""Tests of the causal transformer: its order, and its first layer against NumPy."""

import keras
import numpy as np
import pytest

from keras_vae import networks
from keras_vae.networks.causal import OneByOne


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


@pytest.mark.parametrize(
    ("policy", "atol"), [("float32", 1e-5), ("mixed_float16", 2e-2), ("mixed_bfloat16", 2e-1)]
)
def test_one_place_after_the_other_gives_the_logits_of_all_at_once(policy, atol):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        network = networks.causal_transformer(5, 7, width=8, depth=2, num_heads=2)
    finally:
        keras.config.set_dtype_policy("float32")
    head = network.get_layer("logits")
    head.kernel.assign(np.random.default_rng(0).normal(size=head.kernel.shape))
    codes = np.random.default_rng(1).integers(0, 7, (3, 5)).astype("int32")
    expected = network(codes).numpy()
    assert np.abs(expected).max() > 1
    stepwise = OneByOne(network)
    memory = stepwise.start(3)
    for place in range(5):
        logits, memory = stepwise.step(place, codes[:, max(place - 1, 0)], memory)
        assert logits.dtype == "float32" and logits.shape == (3, 7)
        np.testing.assert_allclose(logits, expected[:, place], atol=atol)


@pytest.mark.parametrize("arguments", [{"width": 9}, {"num_heads": 0}, {"depth": 1.5}])
def test_sizes_that_do_not_fit_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"Invalid value for argument `{name}`"):
        networks.causal_transformer(5, 7, **{"num_heads": 2, **arguments})
