"""Tests of who sees whom in a masked network."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.distributions.masked_networks import masked_network


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("hidden_sizes", [(), (24,), (24, 30)])
def test_an_output_sees_the_context_and_all_inputs_before_it(reverse, hidden_sizes):
    network = masked_network(4, 2, hidden_sizes, reverse)
    random = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(random.normal(size=weight.shape))
    x = tf.constant(random.normal(size=(50, 6)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = network(x)
    seen = np.abs(tape.batch_jacobian(outputs, x)).max(axis=0) > 1e-6
    before = np.tril(np.ones((4, 4), bool), -1)
    before = before[::-1, ::-1] if reverse else before
    expected = np.concatenate([before, np.ones((4, 2), bool)], axis=1)
    np.testing.assert_array_equal(seen, np.concatenate([expected, expected]))


def test_it_begins_at_zero():
    network = masked_network(3, 1, (8,))
    assert not np.any(network(np.ones((2, 4), "float32")))
