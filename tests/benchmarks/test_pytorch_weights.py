"""First weights as PyTorch draws them."""

import numpy as np
import pytest

import keras_vae
from keras_vae import networks


@pytest.fixture(scope="module")
def as_pytorch(load_program):
    return load_program("benchmarks/pytorch_weights.py").as_pytorch


def made():
    return keras_vae.VAE(networks.mlp_encoder((100,), 20, [80]), networks.mlp_decoder((100,), 20))


def test_kernels_and_biases_are_uniform_within_one_over_the_root_of_the_inputs(as_pytorch):
    vae = as_pytorch(made(), 0)
    for name, inputs in {"hidden_0": 100, "loc": 80, "raw_scale": 80}.items():
        kernel, bias = vae.encoder.get_layer(name).get_weights()
        limit = inputs**-0.5
        for part in (kernel, bias):
            assert 0.8 * limit < abs(part).max() <= limit and abs(part.mean()) < 0.2 * limit
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.05)


def test_a_seed_gives_the_same_weights_and_another_one_others(as_pytorch):
    first, again, other = (as_pytorch(made(), seed).decoder.get_weights() for seed in (3, 3, 4))
    for one, same, unlike in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != unlike).all()
