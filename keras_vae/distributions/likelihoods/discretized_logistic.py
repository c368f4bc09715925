"""Pixels of 8 bits: logistics whose probability is gathered on the grey levels."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.likelihoods.likelihood import (
    Likelihood,
    check_one_array,
    over_pixels,
    split_parameters,
    times_last_axis,
)
from keras_vae.requirements import OnLevels, Requirement

# What a decoder that returns zeros, as it does about before training, stands for.
_START = 0.1
# Of logarithms of scales: from a scale of a twentieth of a level of 256, to one of five images.
_LOG_SCALES = (-8.5, 1.6)


@keras.saving.register_keras_serializable(package="keras_vae")
class DiscretizedLogistic(Likelihood):
    """p(x|z) = prod_i P(level of x_i), for pixels in [0, 1] of 256 grey levels, 0, 1/255, ..., 1.

    A level's probability is what a logistic, or a mixture of several, has within half a level of
    it, the outermost two taking all that is beyond (Kingma et al., "Improving variational
    inference with inverse autoregressive flow", 2016, section 5; the mixture of Salimans et al.,
    "PixelCNN++", 2017, section 2.1). So `log_prob` is that of the bytes of an image, and
    `evaluation.bits_per_dimension` compares with other models of them. Pixels, and the channels of
    one, are independent given the code.

    The decoder returns `[batch, *event[:-1], 2 * event[-1]]`: where the logistics are, 0 being
    the middle of a grey scale, then the logarithms of their scales over 0.1. Of a mixture it is
    `[batch, *event[:-1], 3 * num_components * event[-1]]`: logits of the components, where they
    are, 0 being an even spread over the grey scale, and scales, each for all components of the
    first channel, then of the second and so on. `mean` is that of the logistic itself, cut off
    at 0 and 1: it differs from the levels' by half a level at most.

    Args:
        num_components: Int. Logistics that are mixed. Defaults to `1`.
        levels: Int, at least 2. How many values a pixel has. Defaults to `256`.

    Raises:
        ValueError: If an argument is none of these.
    """

    lower, upper = 0.0, 1.0

    def __init__(self, num_components: int = 1, levels: int = 256, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.count("num_components", num_components)
        self.levels = arguments.count("levels", levels, least=2)

    def parameters_shape(self, event_shape):
        """Where and how wide the logistics of every pixel are, and how they are mixed."""
        count = 2 if self.num_components == 1 else 3 * self.num_components
        return times_last_axis(event_shape, count)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from what the decoder returns."""
        if self.num_components == 1:
            loc, raw_scale = split_parameters(parameters, 2)
            return over_pixels(self._logistics(loc, raw_scale, spread=0.0))
        logits, loc, raw_scale = (
            tf.reshape(part, self._by_component(part)) for part in split_parameters(parameters, 3)
        )
        # Components that began alike would stay alike.
        spread = (tf.range(self.num_components, dtype=tf.float32) + 0.5) / self.num_components - 0.5
        mixed = tfd.MixtureSameFamily(
            tfd.Categorical(logits=logits), self._logistics(loc, raw_scale, spread)
        )
        return over_pixels(mixed)

    def requirements(self):
        """The levels."""
        steps = self.levels - 1
        advice = (
            f"Pass bytes / {steps}, float32 and not resized since; for pixels between the levels "
            "use Gaussian(), or round them."
        )
        return [Requirement(f"multiples of 1/{steps}", OnLevels(self.levels), advice)]

    def a_value_of_support(self):
        """Black."""
        return 0.0

    def check_parameters(self, parameters):
        """Refuses a dict."""
        check_one_array(parameters)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"num_components": self.num_components, "levels": self.levels}
        return {**super().get_config(), **config}

    def _logistics(self, loc, raw_scale, spread):
        scale = tf.exp(tf.clip_by_value(raw_scale + math.log(_START), *_LOG_SCALES))
        logistics = _DiscretizedLogistic(loc + 0.5 + spread, scale)
        logistics.levels = self.levels
        return logistics

    def _by_component(self, part):
        channels = part.shape[-1] // self.num_components
        return tf.concat([tf.shape(part)[:-1], [channels, self.num_components]], axis=0)


class _DiscretizedLogistic(tfd.Logistic):
    """A logistic on [0, 1] whose probability is gathered on evenly spaced levels."""

    # Assigned to, since a constructor's arguments must be tensors of the batch.
    levels = 256

    def _log_prob(self, event):
        width = 1 / (self.levels - 1)
        above = (event + width / 2 - self.loc) / self.scale
        below = (event - width / 2 - self.loc) / self.scale
        # log(sigmoid(above) - sigmoid(below)) without a difference of numbers that are alike.
        between = (
            tf.math.log(-tf.math.expm1(-width / self.scale))
            - tf.nn.softplus(-above)
            - tf.nn.softplus(below)
        )
        is_lowest, is_highest = event < width / 2, event > 1 - width / 2
        return tf.where(
            is_lowest,
            -tf.nn.softplus(-above),
            tf.where(is_highest, -tf.nn.softplus(below), between),
        )

    def _sample_n(self, n, seed=None):
        values = super()._sample_n(n, seed=seed)
        steps = self.levels - 1
        return tf.round(tf.clip_by_value(values, 0.0, 1.0) * steps) / steps

    def _mean(self):
        # The integral of P(X > t) over [0, 1].
        left = tf.nn.softplus(self.loc / self.scale)
        return self.scale * (left - tf.nn.softplus((self.loc - 1) / self.scale))

    def _variance(self):
        # From P(X >= level) of each level; nobody needs it while a model trains.
        width = 1 / (self.levels - 1)
        level = tf.range(1, self.levels, dtype=tf.float32) * width
        at_least = tf.sigmoid((self.loc[..., None] - level + width / 2) / self.scale[..., None])
        mean = width * tf.reduce_sum(at_least, axis=-1)
        square = width * tf.reduce_sum((2 * level - width) * at_least, axis=-1)
        return square - tf.square(mean)

    def _stddev(self):
        return tf.sqrt(self._variance())
