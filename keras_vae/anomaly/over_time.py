"""Scores of windows as scores of the steps of the series that they were cut from."""

import numpy as np

from keras_vae import arguments


def over_time(scores, window: int, stride: int = 1) -> np.ndarray:
    """A score for each step of a series: the mean over all windows that the step is in.

    Args:
        scores: `[windows]`, a score of each window, which counts for all its steps; or `[windows,
            window]` or `[windows, window, features]`, as `attribution` gives them, of which
            features are summed. Windows are in the order of the series, as
            `keras.utils.timeseries_dataset_from_array(series, None, window, stride, ...)` cuts
            them.
        window: Int. Steps of a window.
        stride: Int. Steps from one window's begin to the next, at most `window`, so that no step
            is in none. Defaults to `1`.

    Returns:
        `[(windows - 1) * stride + window]`, float64: the steps from the first window's begin to the
        last one's end. Of a series of which the last steps fill no window, they are not in it.

    Raises:
        ValueError: If scores are of another shape or not finite, or the stride leaves steps out.
    """
    window, stride = arguments.count("window", window), arguments.count("stride", stride)
    scores = np.asarray(scores, np.float64)
    if scores.ndim == 3:
        scores = scores.sum(axis=-1)
    fits = scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == window)
    if not fits or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            "`scores` must be finite numbers [windows], [windows, window] or [windows, window, "
            f"features] with window={window}. Received: shape {list(np.shape(scores))}, "
            f"{(~np.isfinite(scores)).sum()} not finite"
        )
    if stride > window:
        raise ValueError(
            "`stride` must be at most `window`, or there are steps in no window. "
            f"Received: stride={stride}, window={window}"
        )
    by_step = np.broadcast_to(
        scores[:, None] if scores.ndim == 1 else scores, (len(scores), window)
    )
    steps = np.arange(len(scores))[:, None] * stride + np.arange(window)
    length = steps[-1, -1] + 1
    total = np.bincount(steps.ravel(), by_step.ravel(), length)
    return total / np.bincount(steps.ravel(), minlength=length)
