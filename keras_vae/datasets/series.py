"""Series of several lengths as one array."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.training.given_data import refuse_mask


def pad_series(series, length: int | None = None) -> np.ndarray:
    """One array of series of several lengths, each padded with NaN at its end.

    NaN is what was not observed: for a model with `missing=True` the bound of a padded series is
    that of the shorter one.

    Args:
        series: Sequence of arrays `[time, features]`, or `[time]` where there is one feature; or a
            `tf.RaggedTensor` `[n, None, features]`. Floating point or whole numbers.
        length: Int. Steps of the padded series. Defaults to `None`: as many as the longest has.

    Returns:
        `[n, length, features]`, float32.

    Raises:
        ValueError: If there are no series, one is empty, longer than `length` or no array of
            numbers, has masked values, or they differ in their features.

    Example:
    >>> x = keras_vae.datasets.pad_series([np.zeros([20, 3]), np.zeros([35, 3])])
    >>> x.shape
    (2, 35, 3)
    """
    if isinstance(series, tf.RaggedTensor):
        series = [row.numpy() for row in series]
    is_several = isinstance(series, Sequence | np.ndarray) and not isinstance(series, str | bytes)
    if not is_several or not len(series):
        raise arguments.invalid("series", "a sequence of arrays [time, features]", series)
    names = [list(values.columns) for values in series if hasattr(values, "columns")]
    for other in names[1:]:
        if other != names[0]:
            raise ValueError(
                "Frames must have the same columns in the same order. "
                f"Received: {names[0]} and {other}. Select them from each: `frame[names]`."
            )
    series = [_one(index, values) for index, values in enumerate(series)]
    features = {values.shape[1] for values in series}
    if len(features) > 1:
        raise ValueError(
            f"All series must have the same features. Received: {sorted(features)} of them."
        )
    longest = max(map(len, series))
    length = longest if length is None else arguments.count("length", length)
    if length < longest:
        index = max(range(len(series)), key=lambda index: len(series[index]))
        raise ValueError(
            f"`length` is shorter than a series. Received: length={length}, and series {index} of "
            f"{longest} steps. Pass a greater one, or cut the series."
        )
    padded = np.full((len(series), length, *features), np.nan, np.float32)
    for row, values in zip(padded, series, strict=True):
        row[: len(values)] = values
    return padded


def _one(index, values):
    refuse_mask(values)
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.array(None)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            "Expected series [time, features] of numbers, one step or more. "
            f"Received: {array.dtype} {array.shape} as series {index}."
        )
    return array
