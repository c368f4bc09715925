"""What values must be beyond lying in an interval: whole numbers, one-hot classes, and the like."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Requirement(NamedTuple):
    """Something that values must be; it pickles, for batches that other processes prepare.

    Attributes:
        expected: What they must be, as it ends the sentence "Images must be ...".
        fits: Function of the module's top level, from float32 `[batch, *event]` to booleans, true
            of NaN: whether a value may be missing is looked at elsewhere.
        advice: What to do about others.
        columns: Of the last axis, those that must be so. Defaults to `None`: all.
        group: What those columns are called. Defaults to `""`: nothing.
    """

    expected: str
    fits: Callable
    advice: str
    columns: tuple[int, ...] | None = None
    group: str = ""

    def of_columns(self, columns: tuple[int, ...], group: str) -> "Requirement":
        """The same of some columns of wider events."""
        inner = range(len(columns)) if self.columns is None else self.columns
        return self._replace(columns=tuple(columns[index] for index in inner), group=group)

    def values(self, events):
        """Of events those values that must be so."""
        return events if self.columns is None else tf.gather(events, self.columns, axis=-1)

    def broken_by(self, events: np.ndarray) -> str | None:
        """What is said of an array, or `None` where it fits."""
        values = self.values(tf.convert_to_tensor(events, tf.float32))
        fits = np.asarray(self.fits(values))
        if fits.all():
            return None
        received = np.asarray(values)[tuple(np.argwhere(~fits)[0])]
        return self.message(f"Received: {received.tolist()}")

    def message(self, received: str) -> str:
        """The error that says what was expected, what was received and what to do."""
        subject = f"Values of `{self.group}`" if self.group else "Images"
        return (
            f"{subject} must be {self.expected}, the support of the likelihood. "
            f"{received}. {self.advice}"
        )


def is_whole(values):
    """Whether values have no fraction."""
    return tf.math.is_nan(values) | (values == tf.round(values))


def is_positive(values):
    """Whether values are above 0."""
    return tf.math.is_nan(values) | (values > 0)


def is_one_hot(values):
    """Whether one number of the last axis is 1 and the others are 0, for each such axis at once."""
    is_class = tf.reduce_all((values == 0) | (values == 1), axis=-1)
    is_class &= tf.reduce_sum(values, axis=-1) == 1
    return is_class | tf.reduce_all(tf.math.is_nan(values), axis=-1)


class OnLevels(NamedTuple):
    """Whether values are among so many evenly spaced ones of [0, 1]; a function that pickles."""

    levels: int

    def __call__(self, values):
        """Compares each of them with the nearest level."""
        steps = values * (self.levels - 1)
        # What float32 leaves of a byte over 255, and no pixel that was resized.
        return tf.math.is_nan(values) | (tf.abs(steps - tf.round(steps)) < 1e-3)


class Within(NamedTuple):
    """Whether values are in an interval; a function that pickles."""

    lower: float
    upper: float

    def __call__(self, values) -> tf.Tensor:
        """Compares each of them."""
        return tf.math.is_nan(values) | ((values >= self.lower) & (values <= self.upper))
