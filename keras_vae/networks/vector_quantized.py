"""Residual convolutional networks between images and a grid of vectors, for a VQ-VAE."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_vae import arguments
from keras_vae.networks.blocks import Stages
from keras_vae.networks.parts import (
    image_input,
    parameters_shape,
    require_channels_last,
    shape_of_event,
)


def vq_encoder(
    input_shape: Sequence[int],
    code_dim: int,
    num_halvings: int = 2,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    name: str = "vq_encoder",
) -> keras.Model:
    """A residual convolutional encoder of a VQ-VAE: a vector for each place of a smaller grid.

    The stages of `residual_encoder`, so many of them, and a convolution, 1x1, to the vectors: with
    two halvings 28x28 pixels become 7x7 vectors.

    Args:
        input_shape: `(height, width, channels)`.
        code_dim: Int. Numbers a vector.
        num_halvings: Int. How often height and width are halved, rounding up. Defaults to `2`.
        depth: As for `residual_encoder`. Defaults to `1`.
        width: As for `residual_encoder`. Defaults to `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: As for `residual_encoder`. Defaults to `"none"`.
        name: Name of the model. Defaults to `"vq_encoder"`.

    Returns:
        `[batch, *input_shape] -> [batch, grid_height, grid_width, code_dim]`.

    Raises:
        ValueError: If an argument is invalid, or the images are no [height, width, channels] of at
            least `2 ** num_halvings` pixels a side.
    """
    shape = shape_of_event(input_shape, "input_shape")
    stages = _stages(shape, num_halvings, depth, width, activation, normalization)
    inputs, features = image_input(shape, missing=False)
    code_dim = arguments.count("code_dim", code_dim)
    vectors = layers.Conv2D(code_dim, 1, dtype="float32", name="vectors")(stages.grid(features))
    return keras.Model(inputs, vectors, name=name)


def vq_decoder(
    output_shape: Sequence[int],
    code_dim: int,
    num_halvings: int = 2,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    name: str = "vq_decoder",
    likelihood=None,
) -> keras.Model:
    """A residual convolutional decoder of a VQ-VAE: `vq_encoder` in reverse.

    Args:
        output_shape: `(height, width, channels)`.
        code_dim: Int. Numbers a vector.
        num_halvings: As for `vq_encoder`. Defaults to `2`.
        depth: As for `residual_encoder`. Defaults to `1`.
        width: As for `residual_encoder`. Defaults to `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: As for `residual_encoder`. Defaults to `"none"`.
        name: Name of the model. Defaults to `"vq_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.

    Returns:
        `[batch, grid_height, grid_width, code_dim]` to what `mlp_decoder` returns.

    Raises:
        ValueError: As for `vq_encoder`.
    """
    shape = parameters_shape(output_shape, likelihood)
    stages = _stages(shape, num_halvings, depth, width, activation, normalization)
    code_dim = arguments.count("code_dim", code_dim)
    inputs = layers.Input((*stages.sides[-1], code_dim), name="vectors")
    features = layers.Conv2D(stages.channels(stages.count - 1), 3, padding="same", name="hidden")
    return keras.Model(inputs, stages.up(features(inputs), shape[-1]), name=name)


def _stages(shape, num_halvings, depth, width, activation, normalization):
    """The stages between images and the grid, if the images are large enough."""
    require_channels_last()
    num_halvings = arguments.count("num_halvings", num_halvings)
    if len(shape) != 3 or min(shape[:2]) < 2**num_halvings:
        raise ValueError(
            f"{num_halvings} halvings need images [height, width, channels] of "
            f"{2**num_halvings} pixels a side or more. Received: {tuple(shape)}. Pass fewer "
            "`num_halvings`; for events of other shapes, build a model that returns [batch, *grid, "
            "code_dim]."
        )
    return Stages(shape[:2], depth, width, activation, normalization, num_halvings)
