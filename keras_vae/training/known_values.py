"""What is known of a data set's values before any of its batches is read.

To look at every batch costs a tenth of a training step on small images. A data set made of arrays
need not be looked at so: between which values its images lie is known, or found by one look at all.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from keras_vae.keras_internals import handed_on_by

_EXTREMES = "keras_vae_extremes"


def remember_extremes(dataset: tf.data.Dataset, extremes: Callable[[], tuple[float, float]]):
    """Says of a data set between which values all its images lie.

    Args:
        dataset: The data set, which remembers it.
        extremes: Function that returns the least and the greatest value, NaN if there is one. It is
            called when somebody first asks.
    """
    setattr(dataset, _EXTREMES, functools.cache(extremes))


def known_extremes(dataset: tf.data.Dataset) -> tuple[float, float] | None:
    """Between which values all images of a data set lie, as float32; `None` if nobody knows.

    What `repeat`, `take` and the like make of a data set is known as the data set is; what `map`
    makes of it is not.
    """
    source: tf.data.Dataset | None = dataset
    while source is not None:
        extremes = getattr(source, _EXTREMES, None)
        if extremes is not None:
            return extremes()
        handed_on = handed_on_by(source)
        source = handed_on and handed_on[1]
    return None
