"""Checks of points that are compared."""

import numpy as np


def checked_pair(real, generated, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sets of points as float64 `[n, features]`.

    Args:
        real: Points `[n, features]`.
        generated: Points `[m, features]`.
        least: Int. How many of each are needed.

    Raises:
        ValueError: If they are not finite numbers of such shapes, or too few.
    """
    pair = []
    for name, points in (("real", real), ("generated", generated)):
        points = np.asarray(points)
        if points.dtype.kind not in "fiu" or points.ndim != 2 or not points.shape[1]:
            raise ValueError(
                f"`{name}` must be points [n, features], numbers. Received: shape "
                f"{list(points.shape)}, dtype {points.dtype.name}. Of images, take features first, "
                "such as `keras_vae.sample_quality.mnist_features(images)`, or flatten them."
            )
        if len(points) < least:
            raise ValueError(f"`{name}` must have at least {least} points. Received: {len(points)}")
        if not np.isfinite(points).all():
            raise ValueError(
                f"`{name}` must be finite. Received: {np.sum(~np.isfinite(points))} values that "
                "are NaN or infinite"
            )
        pair.append(points.astype(np.float64))
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            "Both sets of points must have the same features. Received: "
            f"{pair[0].shape[1]} of `real` and {pair[1].shape[1]} of `generated`"
        )
    return pair[0], pair[1]
