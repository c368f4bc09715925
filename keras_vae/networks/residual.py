"""Residual convolutional networks, for grey and colour images of any size."""

from collections.abc import Sequence

import keras

from keras_vae.networks.blocks import SMALLEST, Stages
from keras_vae.networks.parts import (
    image_input,
    parameters_shape,
    posterior_parameters,
    require_channels_last,
)


def residual_encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    scale: str = "softplus",
    full_covariance: bool = False,
    name: str = "residual_encoder",
    missing: bool = False,
) -> keras.Model:
    """A residual convolutional encoder of q(z|x), for images from 8 pixels a side.

    A convolution, 4x4, halves height and width, rounding up, until the shorter side is 4 or less,
    and `depth` residual blocks follow each: 64x64 becomes 4x4 in four stages, 28x20 becomes 4x3 in
    three. The channels are `width` and double from stage to stage, up to four times `width`. A
    block is what it is given plus two convolutions, 3x3, of it, each behind the activation (He et
    al., "Identity mappings in deep residual networks", 2016); the second begins at zeros, so that a
    block begins as the identity and depth costs no stability (Zhang, Dauphin & Ma, "Fixup
    initialization", 2019).

    Args:
        input_shape: `(height, width, channels)`.
        latent_dim: Int. Number of latents.
        depth: Int, at least 0. Residual blocks a stage; 0 is a plain stack. Defaults to `1`.
        width: Int. Channels of the first stage. Defaults to `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: `"none"`, or `"group"`: group normalisation, eight channels a group, ahead of
            every block's convolutions (Wu & He, 2018). It has no state, so that it does in
            evaluation and on several replicas what it does in training. Defaults to `"none"`.
        scale: As for `mlp_encoder`. Defaults to `"softplus"`.
        full_covariance: As for `mlp_encoder`. Defaults to `False`.
        name: Name of the model. Defaults to `"residual_encoder"`.
        missing: As for `mlp_encoder`. Defaults to `False`.

    Returns:
        `[batch, *input_shape] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If an argument is invalid, or the images are no [height, width, channels] of 8
            pixels a side or more.
    """
    inputs, features = image_input(input_shape, missing)
    sides = _checked(inputs.shape[1:])[:-1]
    features = Stages(sides, depth, width, activation, normalization).down(features)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, full_covariance), name=name
    )


def residual_decoder(
    output_shape: Sequence[int],
    latent_dim: int,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    name: str = "residual_decoder",
    likelihood=None,
) -> keras.Model:
    """A residual convolutional decoder of p(x|z): `residual_encoder` in reverse.

    Transposed convolutions, 4x4, double height and width; where the encoder rounded up, the row or
    the column that is too many is cut off.

    Args:
        output_shape: `(height, width, channels)`.
        latent_dim: Int. Number of latents.
        depth: As for `residual_encoder`. Defaults to `1`.
        width: As for `residual_encoder`: channels of the stage of the largest images. Defaults to
            `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: As for `residual_encoder`. Defaults to `"none"`.
        name: Name of the model. Defaults to `"residual_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.

    Returns:
        As `mlp_decoder`.

    Raises:
        ValueError: As for `residual_encoder`.
    """
    output_shape = _checked(parameters_shape(output_shape, likelihood))
    stages = Stages(output_shape[:-1], depth, width, activation, normalization)
    return stages.decoder(latent_dim, output_shape[-1], name)


def _checked(shape):
    """The shape of images, if they are large enough to be halved."""
    require_channels_last()
    if len(shape) != 3 or min(shape[:2]) < 2 * SMALLEST:
        raise ValueError(
            "Residual networks need images [height, width, channels] of 8 pixels a side or more. "
            f"Received: {tuple(shape)}. For smaller ones, and for events of other shapes, take "
            "`mlp_encoder` and `mlp_decoder`; for series `conv_series_encoder`."
        )
    return shape
