"""Improved precision and recall: quality and variety apart from each other."""

import numpy as np

from keras_vae import arguments
from keras_vae.sample_quality.checks import checked_pair

# Of distances at once: 32 MB.
_DISTANCES = 4_000_000


def precision_recall(real, generated, num_neighbors: int = 3) -> dict[str, float]:
    """What share of the generated points lies among the real ones, and of the real among them.

    A set is taken for the union of balls around its points, each up to the k-th nearest other
    point of the set (Kynkaanniemi et al., "Improved precision and recall metric for assessing
    generative models", 2019, equations 1 to 3). Balls are smaller the more points there are:
    compare sets of the same sizes, and take as many points of both.

    Args:
        real: Points `[n, features]`, more than neighbours.
        generated: Points `[m, features]`, likewise.
        num_neighbors: Int, k. Defaults to `3`, as published.

    Returns:
        `precision` and `recall`, each from 0 to 1.

    Raises:
        ValueError: If an argument is invalid.
    """
    num_neighbors = arguments.count("num_neighbors", num_neighbors)
    real, generated = checked_pair(real, generated, least=num_neighbors + 1)
    return {
        "precision": _share_within(real, generated, num_neighbors),
        "recall": _share_within(generated, real, num_neighbors),
    }


def _share_within(centres, points, num_neighbors):
    """The share of points within a ball around any centre."""
    # Every point is its own nearest.
    squared_radii = np.concatenate(
        [
            np.partition(distances, num_neighbors, axis=1)[:, num_neighbors]
            for distances in _squared_distances(centres, centres)
        ]
    )
    # What rounding makes of a product of matrices: a point on its own ball is within it.
    slack = 1e-9 * (1 + np.max(np.sum(centres**2, axis=1)))
    within = [
        np.any(distances <= squared_radii + slack, axis=1)
        for distances in _squared_distances(points, centres)
    ]
    return float(np.mean(np.concatenate(within)))


def _squared_distances(points, others):
    """Yields `[some, others]`, in the order of the points."""
    step = max(1, _DISTANCES // len(others))
    squares = np.sum(others**2, axis=1)
    for start in range(0, len(points), step):
        part = points[start : start + step]
        yield np.sum(part**2, axis=1)[:, None] + squares - 2 * part @ others.T
