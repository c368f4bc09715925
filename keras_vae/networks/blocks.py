"""Stages of residual blocks between halvings, of images and of series alike."""

import math

import keras
from keras import layers

from keras_vae import arguments
from keras_vae.networks.parts import activation_function

NORMALIZATIONS = ("group", "none")
# Halving ends where the shortest side has this many pixels or steps, or fewer.
SMALLEST = 4
# Channels double with each halving, up to so many times `width`.
_WIDEST = 4
_GROUP = 8
_LAYERS = {
    1: (layers.Conv1D, layers.Conv1DTranspose, layers.Cropping1D),
    2: (layers.Conv2D, layers.Conv2DTranspose, layers.Cropping2D),
}


class Stages:
    """The stages of one network: how large each is, and its layers.

    Args:
        sides: Of the largest events, without channels: height and width, or time.
        depth: Int, at least 0. Residual blocks a stage.
        width: Int. Channels of the first stage.
        activation: Of the hidden layers.
        normalization: One of `NORMALIZATIONS`.
        count: Int. How often the sides are halved. Defaults to `None`: until the shortest is of
            `SMALLEST` or fewer.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(self, sides, depth, width, activation, normalization, count=None):
        self.depth = arguments.count("depth", depth, least=0)
        self.width = arguments.count("width", width)
        self.activation = activation_function(activation)
        self.normalization = arguments.one_of("normalization", normalization, NORMALIZATIONS)
        if self.normalization == "group" and self.width % _GROUP:
            raise arguments.invalid(
                "width", f"a multiple of {_GROUP}, the channels that are normalised together", width
            )
        self.sides = [tuple(sides)]
        while len(self.sides) <= count if count else min(self.sides[-1]) > SMALLEST:
            self.sides.append(tuple(math.ceil(side / 2) for side in self.sides[-1]))
        self.count = len(self.sides) - 1
        self._conv, self._transpose, self._cropping = _LAYERS[len(self.sides[0])]

    def down(self, features):
        """All stages of an encoder, to the features of the last, flat."""
        return layers.Flatten()(self.grid(features))

    def grid(self, features):
        """All stages of an encoder, to the features of the last at each place of it."""
        for stage in range(self.count):
            features = self._conv(
                self.channels(stage), 4, strides=2, padding="same", name=f"down_{stage}"
            )(features)
            features = self._blocks(features, stage)
        return layers.Activation(self.activation, name="activation")(features)

    def decoder(self, latent_dim, channels, name):
        """The decoder from codes to so many float32 channels at the largest size."""
        smallest = *self.sides[-1], self.channels(self.count - 1)
        inputs = layers.Input((arguments.count("latent_dim", latent_dim),), name="code")
        features = layers.Dense(math.prod(smallest), name="hidden")(inputs)
        features = layers.Reshape(smallest, name="smallest")(features)
        return keras.Model(inputs, self.up(features, channels), name=name)

    def up(self, features, channels):
        """All stages of a decoder, from features of the last stage to so many float32 channels."""
        for stage in range(self.count - 1, -1, -1):
            features = self._blocks(features, stage)
            features = layers.Activation(self.activation, name=f"activation_{stage}")(features)
            settings = {"kernel_size": 4, "strides": 2, "padding": "same"}
            if stage:
                up = self._transpose(self.channels(stage - 1), name=f"up_{stage}", **settings)
            else:
                up = self._transpose(channels, name="pixels", dtype="float32", **settings)
            features = self._cut(up(features), stage)
        return features

    def channels(self, stage):
        """How many channels the features of a stage have."""
        return self.width * min(2**stage, _WIDEST)

    def _blocks(self, features, stage):
        for index in range(self.depth):
            name = f"block_{stage}_{index}"
            inner = self._convolved(features, f"{name}_a", "glorot_uniform")
            # Zeros: a block begins as the identity.
            inner = self._convolved(inner, f"{name}_b", "zeros")
            features = layers.Add(name=name)([features, inner])
        return features

    def _convolved(self, features, name, initializer):
        channels = features.shape[-1]
        if self.normalization == "group":
            features = layers.GroupNormalization(channels // _GROUP, name=f"{name}_norm")(features)
        features = layers.Activation(self.activation, name=f"{name}_activation")(features)
        return self._conv(
            channels, 3, padding="same", kernel_initializer=initializer, name=f"{name}_conv"
        )(features)

    def _cut(self, features, stage):
        """Features of that stage's sides, of some that may be larger by 1."""
        sides = zip(features.shape[1:-1], self.sides[stage], strict=True)
        crop = [(0, received - wanted) for received, wanted in sides]
        if not any(behind for _, behind in crop):
            return features
        crop = crop if len(crop) > 1 else crop[0]
        return self._cropping(crop, dtype=features.dtype, name=f"cut_{stage}")(features)
