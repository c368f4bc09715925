"""Encoders and decoders: plain functional Keras models, useful on their own.

An encoder maps images `[batch, *event]` to `{"loc": [batch, latent], "scale": [batch, latent]}`,
a decoder maps codes `[batch, latent]` to logits or means `[batch, *event]`. They know nothing of
losses or sampling. The outputs are float32 under any dtype policy.
"""

import math
from collections.abc import Sequence

import keras
from keras import layers, ops

from keras_vae import arguments
from keras_vae.distributions import get_likelihood

MINIMUM_SCALE = 1e-6
_BURGESS_KERNEL = 4
SCALES = ("softplus", "square", "exp", "log_variance")


@keras.saving.register_keras_serializable(package="keras_vae")
class ZerosAndMask(layers.Layer):
    """What an encoder sees of images with holes: zeros in place of NaN, then 1 where it was not.

    Input shape:
        `[batch, *event]`, NaN where nothing was observed.

    Output shape:
        `[batch, *event[:-1], 2 * event[-1]]`: `[28, 28, 1] -> [28, 28, 2]`.
    """

    def call(self, inputs):
        """The values, and which of them there are."""
        is_missing = ops.isnan(inputs)
        values = ops.where(is_missing, ops.zeros_like(inputs), inputs)
        return ops.concatenate([values, 1.0 - ops.cast(is_missing, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """The input's shape, the last axis twice as long."""
        return (*input_shape[:-1], 2 * input_shape[-1])


@keras.saving.register_keras_serializable(package="keras_vae")
class PositiveScale(layers.Layer):
    """Maps any real number to a standard deviation that is bounded away from 0.

    Args:
        parameterization: `"softplus"`, log(1 + e^a); `"square"`, a^2; `"exp"`, e^a with a clipped
            to [-10, 10], so that neither it nor its KL overflows; or `"log_variance"`, e^(a/2) with
            a clipped to [-20, 20]. Defaults to `"softplus"`.
        minimum: Float. Added to the result. Defaults to `1e-6`.

    Raises:
        ValueError: If `parameterization` is unknown or `minimum` is not positive.

    Input and output shape:
        Any.
    """

    def __init__(
        self, parameterization: str = "softplus", minimum: float = MINIMUM_SCALE, **kwargs
    ):
        super().__init__(**kwargs)
        self.parameterization = arguments.one_of("scale", parameterization, SCALES)
        self.minimum = arguments.positive("minimum", minimum)

    def call(self, inputs):
        """The standard deviations."""
        if self.parameterization == "softplus":
            scale = ops.softplus(inputs)
        elif self.parameterization == "square":
            scale = ops.square(inputs)
        else:
            log_scale = inputs if self.parameterization == "exp" else inputs / 2
            scale = ops.exp(ops.clip(log_scale, -10.0, 10.0))
        return scale + self.minimum

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "parameterization": self.parameterization,
            "minimum": self.minimum,
        }


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
    inputs, features = _image_input(input_shape, missing)
    features = _hidden_layers(layers.Flatten()(features), hidden_sizes, activation)
    return keras.Model(
        inputs, _posterior_parameters(features, latent_dim, scale, full_covariance), name=name
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
    output_shape = _parameters_shape(output_shape, likelihood)
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    features = _hidden_layers(inputs, hidden_sizes, activation)
    pixels = layers.Dense(math.prod(output_shape), dtype="float32", name="pixels")(features)
    return keras.Model(inputs, layers.Reshape(output_shape)(pixels), name=name)


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
    inputs, features = _image_input(input_shape, missing)
    _require_channels_last()
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
            activation=_activation(activation),
            name=f"conv_{index}",
        )(features)
    features = _hidden_layers(layers.Flatten()(features), hidden_sizes, activation)
    return keras.Model(
        inputs, _posterior_parameters(features, latent_dim, scale, full_covariance), name=name
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
    output_shape = _parameters_shape(output_shape, likelihood)
    _require_channels_last()
    filters, kernel_size = (
        arguments.counts("filters", filters),
        arguments.count("kernel_size", kernel_size),
    )
    smallest = (*_halved(output_shape, len(filters)), filters[0])
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)
    features = _hidden_layers(inputs, (*hidden_sizes, math.prod(smallest)), activation)
    features = layers.Reshape(smallest)(features)
    for index, count in enumerate(filters):
        features = layers.Conv2DTranspose(
            count,
            kernel_size,
            strides=2,
            padding="same",
            activation=_activation(activation),
            name=f"conv_{index}",
        )(features)
    pixels = layers.Conv2DTranspose(
        output_shape[-1], kernel_size, padding="same", dtype="float32", name="pixels"
    )(features)
    return keras.Model(inputs, pixels, name=name)


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
    inputs, features = _image_input(input_shape, missing)
    for index in range(_halvings_to_four(inputs.shape[1:])):
        features = layers.Conv2D(
            32,
            activation="relu",
            name=f"conv_{index}",
            **_burgess_convolution(features.shape[-1]),
        )(features)
    features = layers.Flatten()(features)
    features = _hidden_layers(features, (256, 256), "relu", _as_pytorch)
    return keras.Model(
        inputs, _posterior_parameters(features, latent_dim, scale, False, _as_pytorch), name=name
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
    output_shape = _parameters_shape(output_shape, likelihood)
    doublings = _halvings_to_four(output_shape)
    inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
    features = _hidden_layers(inputs, (256, 256, 512), "relu", _as_pytorch)
    features = layers.Reshape((4, 4, 32))(features)
    for index in range(doublings - 1):
        features = layers.Conv2DTranspose(
            32, activation="relu", name=f"conv_{index}", **_burgess_convolution(32)
        )(features)
    channels = output_shape[-1]
    pixels = layers.Conv2DTranspose(
        channels, dtype="float32", name="pixels", **_burgess_convolution(channels)
    )(features)
    return keras.Model(inputs, pixels, name=name)


def _burgess_convolution(channels):
    """Settings of a convolution; the channels are those that PyTorch counts as its input."""
    return {
        "kernel_size": _BURGESS_KERNEL,
        "strides": 2,
        "padding": "same",
        **_as_pytorch(_BURGESS_KERNEL**2 * channels),
    }


def _as_pytorch(fan_in):
    """Initializers of a layer: He's for a kernel, and for a bias what PyTorch draws by itself."""
    limit = 1 / math.sqrt(fan_in)
    return {
        "kernel_initializer": "he_uniform",
        "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
    }


def _as_keras(fan_in):
    """Initializers of a layer: those of Keras."""
    del fan_in
    return {}


def _halvings_to_four(shape):
    _require_channels_last()
    times = int(math.log2(shape[0] / 4)) if len(shape) == 3 else 0
    if times < 1 or tuple(shape[:2]) != (4 * 2**times,) * 2:
        raise ValueError(
            "The networks of Burgess et al. need square images [height, width, channels] of side "
            f"8, 16, 32, 64 and so on. Received: {shape}. Resize them, or take `conv_encoder` and "
            "`conv_decoder`."
        )
    return times


def _image_input(shape, missing):
    """Symbolic images, and what the first layer is given of them."""
    inputs = layers.Input(_shape(shape, "input_shape"), name="image")
    is_missing = arguments.flag("missing", missing)
    return inputs, ZerosAndMask(name="zeros_and_mask")(inputs) if is_missing else inputs


def _parameters_shape(shape, likelihood):
    """The shape of what a decoder returns for an image."""
    shape = _shape(shape, "output_shape")
    return shape if likelihood is None else get_likelihood(likelihood).parameters_shape(shape)


def _hidden_layers(features, sizes, activation, initializers=_as_keras):
    activation = _activation(activation)
    for index, units in enumerate(arguments.counts("hidden_sizes", sizes)):
        features = layers.Dense(
            units, activation, name=f"hidden_{index}", **initializers(features.shape[-1])
        )(features)
    return features


def _posterior_parameters(features, latent_dim, scale, full_covariance, initializers=_as_keras):
    units, fan_in = arguments.count("latent_dim", latent_dim), features.shape[-1]
    loc = layers.Dense(units, name="loc", dtype="float32", **initializers(fan_in))(features)
    raw_scale = layers.Dense(units, name="raw_scale", dtype="float32", **initializers(fan_in))(
        features
    )
    scale = PositiveScale(scale, dtype="float32", name="scale")(raw_scale)
    if not full_covariance:
        return {"loc": loc, "scale": scale}
    entries = layers.Dense(math.comb(units, 2), dtype="float32", name="off_diagonal")
    return {"loc": loc, "scale": scale, "off_diagonal": entries(features)}


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


def _shape(values, argument):
    shape = arguments.counts(argument, values)
    if not shape:
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected the shape of one image, such as "
            f"(28, 28, 1). Received: {argument}=()"
        )
    return shape


def _activation(identifier):
    try:
        return keras.activations.get(identifier)
    except (ValueError, TypeError):
        raise ValueError(
            "Invalid value for argument `activation`. Expected the name of a Keras activation, "
            f"such as 'relu' or 'silu', or a function. Received: activation={identifier!r}"
        ) from None


def _require_channels_last():
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "Convolutional networks here take images [height, width, channels]. Received: Keras's "
            "`image_data_format` 'channels_first'. Call "
            "`keras.config.set_image_data_format('channels_last')` first, and transpose the images."
        )
