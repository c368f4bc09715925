"""Fully connected networks, for events of any shape."""

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
)


def mlp_encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    hidden_sizes: Sequence[int] = (400,),
    activation="relu",
    scale: str = "softplus",
    full_covariance: bool = False,
    name: str = "mlp_encoder",
    missing: bool = False,
) -> keras.Model:
    """A fully connected encoder of q(z|x).

    Args:
        input_shape: Shape of one image, `(height, width, channels)` or any other.
        latent_dim: Int. Number of latents.
        hidden_sizes: Units of the hidden layers, first to last. Defaults to `(400,)`.
        activation: Of the hidden layers, as `keras.activations.get` takes it. Defaults to `"relu"`.
        scale: How standard deviations are made positive: `"softplus"`, `"square"`, `"exp"` or
            `"log_variance"`; see `PositiveScale`. Defaults to `"softplus"`.
        full_covariance: Bool. Whether to return `off_diagonal`, too, `[batch, latent_dim *
            (latent_dim - 1) / 2]`, for the posterior `"full_covariance_normal"`. Defaults to
            `False`.
        name: Name of the model. Defaults to `"mlp_encoder"`.
        missing: Bool. Whether images may have NaN where nothing was observed, for
            `VAE(missing=True)`; see `ZerosAndMask`. Defaults to `False`.

    Returns:
        `[batch, *input_shape] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If a size is not a positive integer or `scale` is unknown.
    """
    inputs, features = image_input(input_shape, missing)
    features = hidden_layers(layers.Flatten()(features), hidden_sizes, activation)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, full_covariance), name=name
    )


def mlp_decoder(
    output_shape: Sequence[int],
    latent_dim: int,
    hidden_sizes: Sequence[int] = (400,),
    activation="relu",
    name: str = "mlp_decoder",
    likelihood=None,
) -> keras.Model:
    """A fully connected decoder of p(x|z).

    Args:
        output_shape: Shape of one image.
        latent_dim: Int. Number of latents.
        hidden_sizes: Units of the hidden layers, first to last. Defaults to `(400,)`.
        activation: Of the hidden layers. Defaults to `"relu"`.
        name: Name of the model. Defaults to `"mlp_decoder"`.
        likelihood: The name of a likelihood or a `keras_vae.distributions.Likelihood`, whose
            parameters are returned, as many as it has. Defaults to `None`: one a pixel.

    Returns:
        `[batch, latent_dim] -> [batch, *output_shape]`: logits, or means, without an activation;
        with `likelihood` `[batch, *likelihood.parameters_shape(output_shape)]`.

    Raises:
        ValueError: If a size is not a positive integer, or the likelihood is unknown or not one of
            such images.
    """
    output_shape = parameters_shape(output_shape, likelihood)
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    features = hidden_layers(inputs, hidden_sizes, activation)
    pixels = layers.Dense(math.prod(output_shape), dtype="float32", name="pixels")(features)
    return keras.Model(inputs, layers.Reshape(output_shape)(pixels), name=name)
