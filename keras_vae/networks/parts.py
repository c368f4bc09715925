"""What encoders and decoders of every kind are made of."""

import math

from keras import activations, config, layers

from keras_vae import arguments
from keras_vae.distributions import get_likelihood
from keras_vae.networks.layers import PositiveScale, ZerosAndMask


def as_keras(fan_in):
    """Initializers of a layer: those of Keras."""
    del fan_in
    return {}


def image_input(shape, missing):
    """Symbolic images, and what the first layer is given of them."""
    inputs = layers.Input(shape_of_event(shape, "input_shape"), name="image")
    is_missing = arguments.flag("missing", missing)
    return inputs, ZerosAndMask(name="zeros_and_mask")(inputs) if is_missing else inputs


def parameters_shape(shape, likelihood):
    """The shape of what a decoder returns for an image."""
    shape = shape_of_event(shape, "output_shape")
    return shape if likelihood is None else get_likelihood(likelihood).parameters_shape(shape)


def hidden_layers(features, sizes, activation, initializers=as_keras):
    """Fully connected layers, one behind the other."""
    activation = activation_function(activation)
    for index, units in enumerate(arguments.counts("hidden_sizes", sizes)):
        features = layers.Dense(
            units, activation, name=f"hidden_{index}", **initializers(features.shape[-1])
        )(features)
    return features


def posterior_parameters(features, latent_dim, scale, full_covariance, initializers=as_keras):
    """The heads of an encoder: what q(z|x) is made of."""
    units, fan_in = arguments.count("latent_dim", latent_dim), features.shape[-1]
    loc = layers.Dense(units, name="loc", dtype="float32", **initializers(fan_in))(features)
    raw_scale = layers.Dense(units, name="raw_scale", dtype="float32", **initializers(fan_in))(
        features
    )
    scale = PositiveScale(scale, dtype="float32", name="scale")(raw_scale)
    if not full_covariance:
        return {"loc": loc, "scale": scale}
    # From zeros: a posterior begins as the factorised one.
    entries = layers.Dense(
        math.comb(units, 2), kernel_initializer="zeros", dtype="float32", name="off_diagonal"
    )
    return {"loc": loc, "scale": scale, "off_diagonal": entries(features)}


def shape_of_event(values, argument):
    """The shape of one event, checked."""
    shape = arguments.counts(argument, values)
    if not shape:
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected the shape of one image, such as "
            f"(28, 28, 1). Received: {argument}=()"
        )
    return shape


def activation_function(identifier):
    """What Keras knows by that name, or a clear word."""
    try:
        return activations.get(identifier)
    except (ValueError, TypeError):
        raise ValueError(
            "Invalid value for argument `activation`. Expected the name of a Keras activation, "
            f"such as 'relu' or 'silu', or a function. Received: activation={identifier!r}"
        ) from None


def require_channels_last():
    """Refuses Keras's other order of an image's axes."""
    if config.image_data_format() != "channels_last":
        raise ValueError(
            "Convolutional networks here take images [height, width, channels]. Received: Keras's "
            "`image_data_format` 'channels_first'. Call "
            "`keras.config.set_image_data_format('channels_last')` first, and transpose the images."
        )
