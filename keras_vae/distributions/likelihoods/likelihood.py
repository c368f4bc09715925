"""p(x|z): from what the decoder returns to a distribution over images, and what all kinds share."""

import abc
import math
from collections.abc import Mapping

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.requirements import Requirement, Within


class Likelihood(keras.layers.Layer, abc.ABC):
    """Base class of p(x|z): turns what the decoder returns into a distribution over images.

    A subclass gives `distribution`, `lower` and `upper` where its support is bounded,
    `requirements` where it is no interval, and `parameters_shape` where the decoder must return
    more than one number a value. It is a layer, so it may own trainable weights. Register it with
    `keras.saving.register_keras_serializable` and pass an instance as `VAE(likelihood=...)`.
    """

    lower = -math.inf
    upper = math.inf

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of an image, which `summary` shows."""
        return tuple(input_shape)

    def parameters_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the one array that the decoder returns for an image.

        Args:
            event_shape: Shape of one image.

        Returns:
            The same shape, but for its last axis.

        Raises:
            ValueError: If there is no such likelihood of images of that shape.
        """
        return tuple(event_shape)

    @abc.abstractmethod
    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) for the decoder's output.

        Args:
            parameters: What the decoder returns for `[batch, latent]` codes.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """

    def distribution_of_observed(self, parameters) -> tfd.Distribution:
        """p(x|z) for the decoder's output, of which NaN in an image means "not observed".

        Its `log_prob` is that of what is there: log p(x_observed|z). Everything else is as of
        `distribution`.

        Args:
            parameters: As for `distribution`.

        Raises:
            ValueError: If the values of an image are not independent given its code.
        """
        self.check_missing()
        distribution = self.distribution(parameters)
        if not isinstance(distribution, tfd.Independent):
            raise ValueError(
                f"A {type(self).__name__} does not take missing values: `distribution` returns no "
                "`tfd.Independent`, of which what is not observed can be left out. Override "
                "`distribution_of_observed`, or fill the holes."
            )
        return _OfObserved(distribution, self.a_value_of_support())

    def check_missing(self):
        """Refuses missing values where there is no leaving them out; called at building.

        Raises:
            ValueError: If this likelihood needs whole images.
        """

    def a_value_of_support(self) -> float:
        """Any value that has a density, which stands where nothing was observed."""
        if math.isfinite(self.lower) and math.isfinite(self.upper):
            return (self.lower + self.upper) / 2
        if math.isfinite(self.lower):
            return self.lower + 1
        return self.upper - 1 if math.isfinite(self.upper) else 0.0

    def requirements(self) -> list[Requirement]:
        """What values must be beyond lying between `lower` and `upper`."""
        return []

    def all_requirements(self) -> list[Requirement]:
        """What values must be, the interval included."""
        if math.isinf(self.lower) and math.isinf(self.upper):
            return self.requirements()
        interval = Requirement(
            f"within [{self.lower:g}, {self.upper:g}]",
            # mypy does not see that a named tuple is called.
            Within(self.lower, self.upper),  # type: ignore[arg-type]
            "Scale them, or choose another likelihood.",
        )
        return [interval, *self.requirements()]

    def check_parameters(self, parameters):
        """Refuses parameters that can only be meant for something else; called before training.

        Args:
            parameters: What the decoder returns for 16 codes far from the prior, as NumPy arrays.

        Raises:
            ValueError: If they are none of this likelihood's.
        """


def over_pixels(distribution: tfd.Distribution) -> tfd.Independent:
    """Makes all axes but the first one event, so that `log_prob` sums over an image's pixels."""
    return tfd.Independent(
        distribution, reinterpreted_batch_ndims=distribution.batch_shape.rank - 1
    )


def split_parameters(parameters, count: int) -> list[tf.Tensor]:
    """The equal parts of the last axis, as float32: one parameter of all values after the other."""
    return tf.split(tf.cast(parameters, tf.float32), count, axis=-1)


def times_last_axis(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """A shape of which the last axis is so many times as long: `(28, 28, 1) -> (28, 28, 2)`."""
    return (*shape[:-1], count * shape[-1])


def positive(raw: tf.Tensor, least: float, most: float = math.inf) -> tf.Tensor:
    """A positive number of any real one: its softplus, within bounds."""
    return tf.clip_by_value(tf.nn.softplus(raw), least, most)


def check_one_array(parameters):
    """Refuses a dict of parameters.

    Raises:
        ValueError: If they are one.
    """
    if isinstance(parameters, Mapping):
        raise ValueError(
            "`decoder` must return the likelihood's parameters as one array. "
            f"Received: a dict with {sorted(parameters)}. Build the decoder with `likelihood=`."
        )


class _OfObserved(tfd.Independent):
    """Independent values, of which those that are NaN do not count."""

    def __init__(self, independent, a_value_of_support):
        super().__init__(
            independent.distribution,
            reinterpreted_batch_ndims=independent.reinterpreted_batch_ndims,
        )
        self._a_value = a_value_of_support

    def log_prob_by_value(self, event):
        """Log p of each value, `[n, ...]`; 0 where it is missing."""
        is_missing = tf.math.is_nan(event)
        # Put in before the density, whose gradient would otherwise be NaN however it is masked.
        filled = tf.where(is_missing, self._a_value, event)
        log_prob = self.distribution.log_prob(filled)
        # One value may be several numbers, as a one-hot class is.
        for _ in range(self.distribution.event_shape.rank):
            is_missing = tf.reduce_any(is_missing, axis=-1)
        return tf.where(is_missing, 0.0, log_prob)

    def _log_prob(self, event):
        log_prob = self.log_prob_by_value(event)
        num_axes = self.event_shape.rank - self.distribution.event_shape.rank
        return tf.reduce_sum(log_prob, axis=list(range(-num_axes, 0)))
