"""Tests of the networks of Burgess et al."""

import itertools

import keras
import numpy as np
import pytest

from keras_vae import networks


def dense(*sizes):
    """Parameters of a chain of fully connected layers."""
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize(("side", "halvings"), [(8, 1), (32, 3), (64, 4)])
def test_the_networks_of_burgess_et_al_have_their_number_of_parameters(side, halvings):
    encoder = networks.burgess_encoder((side, side, 3), 10)
    decoder = networks.burgess_decoder((side, side, 3), 10)
    between = (halvings - 1) * (16 * 32 * 32 + 32)
    first, last = 16 * 3 * 32 + 32, 16 * 3 * 32 + 3
    assert encoder.count_params() == first + between + dense(512, 256, 256) + 2 * dense(256, 10)
    assert decoder.count_params() == dense(10, 256, 256, 512) + between + last
    assert encoder.input_shape == decoder.output_shape == (None, side, side, 3)
    assert encoder.get_layer(f"conv_{halvings - 1}").output.shape[1:] == (4, 4, 32)


def test_the_networks_of_burgess_et_al_begin_with_weights_of_he():
    encoder, decoder = networks.burgess_encoder(), networks.burgess_decoder()
    for layer in (*encoder.layers, *decoder.layers):
        if layer.weights:
            assert isinstance(layer.kernel_initializer, keras.initializers.HeUniform), layer.name


def test_the_networks_of_burgess_et_al_begin_with_biases_of_pytorch():
    keras.utils.set_random_seed(0)
    encoder, decoder = networks.burgess_encoder(), networks.burgess_decoder()
    # What PyTorch counts as the inputs of a layer: of a transposed convolution its outputs.
    inputs = {
        encoder: {"conv_0": 16, "conv_3": 16 * 32, "hidden_0": 512, "hidden_1": 256, "loc": 256},
        decoder: {"hidden_0": 10, "hidden_2": 256, "conv_0": 16 * 32, "pixels": 16},
    }
    for network, layers in inputs.items():
        for name, count in layers.items():
            bias = np.asarray(network.get_layer(name).bias) * count**0.5
            assert np.abs(bias).max() <= 1 and bias.any(), name
            if bias.size >= 32:
                # The standard deviation of a uniform number in [-1, 1], and four of its errors.
                assert bias.std() == pytest.approx(3**-0.5, abs=1.03 / bias.size**0.5), name


@pytest.mark.parametrize("build", [networks.burgess_encoder, networks.burgess_decoder])
@pytest.mark.parametrize("shape", [(28, 28, 1), (4, 4, 1), (32, 64, 1), (64, 64), (2, 2, 1)])
def test_the_networks_of_burgess_et_al_take_square_images_of_certain_sides(build, shape):
    with pytest.raises(ValueError, match=r"8, 16, 32, 64.*conv_encoder"):
        build(shape)
