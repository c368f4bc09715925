"""Plain stacks of convolutions: each halves height and width, and each back doubles them."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_vae import arguments
from keras_vae.networks.parts import (
    activation_function,
    hidden_layers,
    image_input,
    parameters_shape,
    posterior_parameters,
    require_channels_last,
)


def conv_encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    filters: Sequence[int] = (32, 64),
    kernel_size: int = 3,
    hidden_sizes: Sequence[int] = (16,),
    activation="relu",
    scale: str = "softplus",
    full_covariance: bool = False,
    name: str = "conv_encoder",
    missing: bool = False,
) -> keras.Model:
    """A convolutional encoder of q(z|x): each convolution halves height and width.

    The defaults are the encoder of the VAE example on keras.io.

    Args:
        input_shape: `(height, width, channels)`.
        latent_dim: Int. Number of latents.
        filters: Filters of the convolutions, first to last. Defaults to `(32, 64)`.
        kernel_size: Int. Side of the kernels. Defaults to `3`.
        hidden_sizes: Units of the fully connected layers behind them. Defaults to `(16,)`.
        activation: Of the hidden layers. Defaults to `"relu"`.
        scale: As for `mlp_encoder`. Defaults to `"softplus"`.
        full_covariance: As for `mlp_encoder`. Defaults to `False`.
        name: Name of the model. Defaults to `"conv_encoder"`.
        missing: As for `mlp_encoder`. Defaults to `False`.

    Returns:
        `[batch, *input_shape] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If height or width do not halve evenly once for each of the filters.
    """
    inputs, features = image_input(input_shape, missing)
    require_channels_last()
    filters, kernel_size = (
        arguments.counts("filters", filters),
        arguments.count("kernel_size", kernel_size),
    )
    _halved(inputs.shape[1:], len(filters))
    for index, count in enumerate(filters):
        features = layers.Conv2D(
            count,
            kernel_size,
            strides=2,
            padding="same",
            activation=activation_function(activation),
            name=f"conv_{index}",
        )(features)
    features = hidden_layers(layers.Flatten()(features), hidden_sizes, activation)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, full_covariance), name=name
    )


def conv_decoder(
    output_shape: Sequence[int],
    latent_dim: int,
    filters: Sequence[int] = (64, 32),
    kernel_size: int = 3,
    hidden_sizes: Sequence[int] = (),
    activation="relu",
    name: str = "conv_decoder",
    likelihood=None,
) -> keras.Model:
    """A convolutional decoder of p(x|z): each transposed convolution doubles height and width.

    The defaults are the decoder of the VAE example on keras.io.

    Args:
        output_shape: `(height, width, channels)`.
        latent_dim: Int. Number of latents.
        filters: Filters of the transposed convolutions, first to last. Defaults to `(64, 32)`.
        kernel_size: Int. Side of the kernels. Defaults to `3`.
        hidden_sizes: Units of the fully connected layers before them, to which one that fills the
            first feature map is added. Defaults to `()`.
        activation: Of the hidden layers. Defaults to `"relu"`.
        name: Name of the model. Defaults to `"conv_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.

    Returns:
        As `mlp_decoder`.

    Raises:
        ValueError: If height or width do not halve evenly once for each of the filters.
    """
    output_shape = parameters_shape(output_shape, likelihood)
    require_channels_last()
    filters, kernel_size = (
        arguments.counts("filters", filters),
        arguments.count("kernel_size", kernel_size),
    )
    smallest = (*_halved(output_shape, len(filters)), filters[0])
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)
    features = hidden_layers(inputs, (*hidden_sizes, math.prod(smallest)), activation)
    features = layers.Reshape(smallest)(features)
    for index, count in enumerate(filters):
        features = layers.Conv2DTranspose(
            count,
            kernel_size,
            strides=2,
            padding="same",
            activation=activation_function(activation),
            name=f"conv_{index}",
        )(features)
    pixels = layers.Conv2DTranspose(
        output_shape[-1], kernel_size, padding="same", dtype="float32", name="pixels"
    )(features)
    return keras.Model(inputs, pixels, name=name)


def _halved(shape, times):
    if times == 0:
        raise ValueError(
            "Invalid value for argument `filters`. Expected the filters of one convolution or "
            "more. Received: filters=(). For none, build an MLP."
        )
    if len(shape) != 3 or any(side % 2**times for side in shape[:2]):
        raise ValueError(
            f"{times} convolutions of stride 2 need images [height, width, channels] whose height "
            f"and width are multiples of {2**times}. Received: {shape}. Pass fewer `filters`, or "
            "pad the images."
        )
    return shape[0] // 2**times, shape[1] // 2**times
