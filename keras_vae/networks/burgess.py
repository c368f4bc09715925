"""The networks of Burgess et al. (2018), as they were trained elsewhere."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_vae import arguments
from keras_vae.networks.parts import (
    hidden_layers,
    image_input,
    parameters_shape,
    posterior_parameters,
    require_channels_last,
)

_KERNEL = 4


def burgess_encoder(
    input_shape: Sequence[int] = (64, 64, 1),
    latent_dim: int = 10,
    scale: str = "log_variance",
    name: str = "burgess_encoder",
    missing: bool = False,
) -> keras.Model:
    """The encoder of Burgess et al., "Understanding disentangling in beta-VAE" (2018).

    Convolutions of 32 filters, 4x4, halve height and width down to 4, `[64, 64] -> [4, 4]` by four
    of them; two layers of 256 units follow. Initial weights are He's (2015), uniform, and biases
    PyTorch's, up to 1 / sqrt(fan-in) on either side of 0, as in disentangling-vae
    (https://github.com/YannDubs/disentangling-vae). On images that are mostly black biases of 0
    learn markedly later.

    Args:
        input_shape: `(height, width, channels)`, both sides 4 times the same power of 2. Defaults
            to `(64, 64, 1)`.
        latent_dim: Int. Number of latents. Defaults to `10`.
        scale: As for `mlp_encoder`. Defaults to `"log_variance"`.
        name: Name of the model. Defaults to `"burgess_encoder"`.
        missing: As for `mlp_encoder`. Defaults to `False`.

    Returns:
        `[batch, *input_shape] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If height and width are not 8, 16, 32, 64, ..., alike.
    """
    inputs, features = image_input(input_shape, missing)
    for index in range(_halvings_to_four(inputs.shape[1:])):
        features = layers.Conv2D(
            32,
            activation="relu",
            name=f"conv_{index}",
            **_convolution(features.shape[-1]),
        )(features)
    features = layers.Flatten()(features)
    features = hidden_layers(features, (256, 256), "relu", _as_pytorch)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, False, _as_pytorch), name=name
    )


def burgess_decoder(
    output_shape: Sequence[int] = (64, 64, 1),
    latent_dim: int = 10,
    name: str = "burgess_decoder",
    likelihood=None,
) -> keras.Model:
    """The decoder of Burgess et al., "Understanding disentangling in beta-VAE" (2018).

    The encoder in reverse: layers of 256, 256 and 512 units, `[4, 4, 32]`, and transposed
    convolutions of which the last gives the image's channels.

    Args:
        output_shape: As `input_shape` of `burgess_encoder`. Defaults to `(64, 64, 1)`.
        latent_dim: Int. Number of latents. Defaults to `10`.
        name: Name of the model. Defaults to `"burgess_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.

    Returns:
        As `mlp_decoder`.

    Raises:
        ValueError: If height and width are not 8, 16, 32, 64, ..., alike.
    """
    output_shape = parameters_shape(output_shape, likelihood)
    doublings = _halvings_to_four(output_shape)
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    features = hidden_layers(inputs, (256, 256, 512), "relu", _as_pytorch)
    features = layers.Reshape((4, 4, 32))(features)
    for index in range(doublings - 1):
        features = layers.Conv2DTranspose(
            32, activation="relu", name=f"conv_{index}", **_convolution(32)
        )(features)
    channels = output_shape[-1]
    pixels = layers.Conv2DTranspose(
        channels, dtype="float32", name="pixels", **_convolution(channels)
    )(features)
    return keras.Model(inputs, pixels, name=name)


def _convolution(channels):
    """Settings of a convolution; the channels are those that PyTorch counts as its input."""
    return {
        "kernel_size": _KERNEL,
        "strides": 2,
        "padding": "same",
        **_as_pytorch(_KERNEL**2 * channels),
    }


def _as_pytorch(fan_in):
    """Initializers of a layer: He's for a kernel, and for a bias what PyTorch draws by itself."""
    limit = 1 / math.sqrt(fan_in)
    return {
        "kernel_initializer": "he_uniform",
        "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
    }


def _halvings_to_four(shape):
    require_channels_last()
    times = int(math.log2(shape[0] / 4)) if len(shape) == 3 else 0
    if times < 1 or tuple(shape[:2]) != (4 * 2**times,) * 2:
        raise ValueError(
            "The networks of Burgess et al. need square images [height, width, channels] of side "
            f"8, 16, 32, 64 and so on. Received: {shape}. Resize them, or take `conv_encoder` and "
            "`conv_decoder`."
        )
    return times
