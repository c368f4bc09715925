"""Networks for series `[time, features]`: convolutional and recurrent.

With `missing=True` their encoders take series with gaps, and series of several lengths, which are
padded with NaN at their ends (`keras_vae.datasets.pad_series`).
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from keras_vae import arguments
from keras_vae.networks.blocks import SMALLEST, Stages
from keras_vae.networks.parts import (
    hidden_layers,
    image_input,
    parameters_shape,
    posterior_parameters,
    shape_of_event,
)

# Sines and cosines that tell a step its place, from one wave in the whole series to 2^7.
_WAVES = 8
# A recurrent layer takes one step after the other: longer series are read in windows.
_MOST_STEPS = 128


@keras.saving.register_keras_serializable(package="keras_vae")
class AnyObserved(layers.Layer):
    """Which steps of a series have anything observed: the mask of a recurrent layer.

    Args:
        window: Int. Steps that the recurrent layer takes at once. Defaults to `1`.

    Input shape:
        `[batch, time, features]`, NaN where nothing was observed.

    Output shape:
        `[batch, ceil(time / window)]`, booleans.
    """

    def __init__(self, window: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.window = arguments.count("window", window)

    def call(self, inputs):
        """True where a feature of a step of the window is no NaN."""
        is_observed = ops.any(ops.logical_not(ops.isnan(inputs)), axis=-1)
        if self.window == 1:
            return is_observed
        is_observed = ops.pad(is_observed, ((0, 0), (0, -inputs.shape[1] % self.window)))
        windows = (-1, is_observed.shape[1] // self.window, self.window)
        return ops.any(ops.reshape(is_observed, windows), axis=-1)

    def compute_output_shape(self, input_shape):
        """The input's shape without its last axis, in windows."""
        return (input_shape[0], math.ceil(input_shape[1] / self.window))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "window": self.window}

    def compute_output_spec(self, inputs):
        """Symbolic booleans."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="bool")


@keras.saving.register_keras_serializable(package="keras_vae")
class EachStep(layers.Layer):
    """What a recurrent decoder is given at each step: the code, and where in the series it is.

    Args:
        length: Int. Steps of a series.

    Input shape:
        `[batch, units]`.

    Output shape:
        `[batch, length, units + 17]`: the step's place from -1 to 1, and the sines and cosines of
        2^i waves over the series, i from 0 to 7.
    """

    def __init__(self, length: int, **kwargs):
        super().__init__(**kwargs)
        self.length = arguments.count("length", length)

    def call(self, inputs):
        """The same code at every step, the place behind it."""
        place = (np.arange(self.length) + 0.5) / self.length
        angles = 2 * math.pi * place[:, None] * 2.0 ** np.arange(_WAVES)
        places = np.concatenate([2 * place[:, None] - 1, np.sin(angles), np.cos(angles)], axis=-1)
        places = ops.cast(places, inputs.dtype)[None]
        batch = ops.shape(inputs)[0]
        return ops.concatenate(
            [
                ops.repeat(inputs[:, None], self.length, axis=1),
                ops.broadcast_to(places, (batch, *places.shape[1:])),
            ],
            axis=-1,
        )

    def compute_output_shape(self, input_shape):
        """The input's shape, with time and place."""
        return (input_shape[0], self.length, input_shape[-1] + 2 * _WAVES + 1)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "length": self.length}


def conv_series_encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    scale: str = "softplus",
    full_covariance: bool = False,
    name: str = "conv_series_encoder",
    missing: bool = False,
) -> keras.Model:
    """A residual convolutional encoder of q(z|x) for series: `residual_encoder` along time.

    Args:
        input_shape: `(time, features)`, eight steps or more.
        latent_dim: Int. Number of latents.
        depth: As for `residual_encoder`. Defaults to `1`.
        width: As for `residual_encoder`. Defaults to `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: As for `residual_encoder`. Defaults to `"none"`.
        scale: As for `mlp_encoder`. Defaults to `"softplus"`.
        full_covariance: As for `mlp_encoder`. Defaults to `False`.
        name: Name of the model. Defaults to `"conv_series_encoder"`.
        missing: Bool. Whether values may be NaN, as they are behind the end of a series that is
            shorter than others; see `ZerosAndMask`. Defaults to `False`.

    Returns:
        `[batch, time, features] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If an argument is invalid, or the events are no series of eight steps or more.
    """
    inputs, features = image_input(_checked(input_shape, "input_shape", 2 * SMALLEST), missing)
    stages = Stages(inputs.shape[1:2], depth, width, activation, normalization)
    features = stages.down(features)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, full_covariance), name=name
    )


def conv_series_decoder(
    output_shape: Sequence[int],
    latent_dim: int,
    depth: int = 1,
    width: int = 32,
    activation="silu",
    normalization: str = "none",
    name: str = "conv_series_decoder",
    likelihood=None,
) -> keras.Model:
    """A residual convolutional decoder of p(x|z) for series: `residual_decoder` along time.

    Args:
        output_shape: `(time, features)`, eight steps or more.
        latent_dim: Int. Number of latents.
        depth: As for `residual_encoder`. Defaults to `1`.
        width: As for `residual_encoder`. Defaults to `32`.
        activation: Of the hidden layers. Defaults to `"silu"`.
        normalization: As for `residual_encoder`. Defaults to `"none"`.
        name: Name of the model. Defaults to `"conv_series_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.

    Returns:
        As `mlp_decoder`.

    Raises:
        ValueError: As for `conv_series_encoder`.
    """
    output_shape = _checked(output_shape, "output_shape", 2 * SMALLEST)
    output_shape = parameters_shape(output_shape, likelihood)
    stages = Stages(output_shape[:1], depth, width, activation, normalization)
    return stages.decoder(latent_dim, output_shape[-1], name)


def gru_series_encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    units: int = 64,
    hidden_sizes: Sequence[int] = (),
    activation="silu",
    scale: str = "softplus",
    full_covariance: bool = False,
    name: str = "gru_series_encoder",
    missing: bool = False,
    window: int | None = None,
) -> keras.Model:
    """A recurrent encoder of q(z|x) for series: a GRU in either direction, and their last states.

    A GRU takes its steps one after the other, in a time that hardly depends on what it is given at
    each. So of a long series it is given `window` consecutive steps at once, `[1000, 2] -> [125,
    16]` for a window of 8, as by a convolution of that size and stride in front of it; what the
    last window lacks are zeros.

    Args:
        input_shape: `(time, features)`.
        latent_dim: Int. Number of latents.
        units: Int. Of the GRU, in each direction. Defaults to `64`.
        hidden_sizes: Units of fully connected layers behind it. Defaults to `()`.
        activation: Of those layers. Defaults to `"silu"`.
        scale: As for `mlp_encoder`. Defaults to `"softplus"`.
        full_covariance: As for `mlp_encoder`. Defaults to `False`.
        name: Name of the model. Defaults to `"gru_series_encoder"`.
        missing: Bool. Whether values may be NaN. The GRU passes steps over at which nothing was
            observed, so that a series has the same code however far it is padded, with one
            `window`. Defaults to `False`.
        window: Int. Steps that the GRU is given at once. Defaults to `None`: 1 for series of up to
            128 steps, and as many as make 128 of longer ones.

    Returns:
        `[batch, time, features] -> {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}`.

    Raises:
        ValueError: If an argument is invalid, or the events are no series.
    """
    inputs, features = image_input(_checked(input_shape, "input_shape", 1), missing)
    window = _window(window, inputs.shape[1])
    gru = layers.Bidirectional(layers.GRU(arguments.count("units", units)), name="gru")
    mask = AnyObserved(window, name="any_observed")(inputs) if missing else None
    if window > 1:
        length, channels = features.shape[1:]
        windows = math.ceil(length / window)
        features = layers.ZeroPadding1D((0, windows * window - length), name="whole")(features)
        features = layers.Reshape((windows, window * channels), name="windows")(features)
    features = hidden_layers(gru(features, mask=mask), hidden_sizes, activation)
    return keras.Model(
        inputs, posterior_parameters(features, latent_dim, scale, full_covariance), name=name
    )


def gru_series_decoder(
    output_shape: Sequence[int],
    latent_dim: int,
    units: int = 64,
    hidden_sizes: Sequence[int] = (),
    activation="silu",
    name: str = "gru_series_decoder",
    likelihood=None,
    window: int | None = None,
) -> keras.Model:
    """A recurrent decoder of p(x|z) for series: a GRU that is told the code and the time.

    Of a long series it makes `window` steps from each of its states.

    It is not given the values of the steps before, which would leave the code nothing to say
    (Bowman et al., "Generating sentences from a continuous space", 2016).

    Args:
        output_shape: `(time, features)`.
        latent_dim: Int. Number of latents.
        units: Int. Of the GRU. Defaults to `64`.
        hidden_sizes: Units of fully connected layers between the code and it. Defaults to `()`.
        activation: Of those layers. Defaults to `"silu"`.
        name: Name of the model. Defaults to `"gru_series_decoder"`.
        likelihood: As for `mlp_decoder`. Defaults to `None`.
        window: As for `gru_series_encoder`. Defaults to `None`.

    Returns:
        As `mlp_decoder`.

    Raises:
        ValueError: As for `gru_series_encoder`.
    """
    output_shape = _checked(output_shape, "output_shape", 1)
    length, num_parameters = parameters_shape(output_shape, likelihood)
    window = _window(window, length)
    windows = math.ceil(length / window)
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    features = hidden_layers(inputs, hidden_sizes, activation)
    features = EachStep(windows, name="each_step")(features)
    gru = layers.GRU(arguments.count("units", units), return_sequences=True, name="gru")
    pixels = layers.Dense(window * num_parameters, dtype="float32", name="pixels")(gru(features))
    if window > 1:
        whole = windows * window
        pixels = layers.Reshape((whole, num_parameters), dtype="float32", name="steps")(pixels)
        crop = layers.Cropping1D((0, whole - length), dtype="float32", name="cut")
        pixels = crop(pixels)
    return keras.Model(inputs, pixels, name=name)


def _window(window, length):
    """How many steps a GRU is given at once."""
    if window is None:
        return math.ceil(length / _MOST_STEPS)
    return arguments.count("window", window)


def _checked(shape, argument, shortest):
    """The shape of a series that is long enough."""
    shape = shape_of_event(shape, argument)
    if len(shape) != 2 or shape[0] < shortest:
        steps = f" of {shortest} steps or more" if shortest > 1 else ""
        raise ValueError(
            f"These networks need series [time, features]{steps}. Received: {argument}={shape}. "
            "A series of one feature is `x[..., None]`; for images take `residual_encoder` or "
            "`conv_encoder`, for events of other shapes `mlp_encoder`."
        )
    return shape
