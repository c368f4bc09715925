"""Layers that networks of VAEs need and Keras has not."""

import keras
from keras import layers, ops

from keras_vae import arguments

#: What `PositiveScale` adds to a standard deviation unless told otherwise.
MINIMUM_SCALE = 1e-6
#: Names of the ways in which encoders make a standard deviation positive.
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
