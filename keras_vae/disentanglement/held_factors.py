"""Codes of points that share the value of one factor: drawn anew, or found among points."""

from collections.abc import Callable

import numpy as np

from keras_vae.disentanglement.checks import checked_codes, checked_factors
from keras_vae.disentanglement.information import discrete_factors

# Of images at once, and of groups of points.
_IMAGES, _GROUPS = 4096, 256
_PROTOCOL = ("factor_names", "sample_factors", "sample")


def held_factors(data, encode: Callable | None, continuous=None, num_bins: int = 20):
    """What draws codes with one factor held.

    Args:
        data: A factor data set (`factor_names`, `sample_factors(count, generator, held)` and
            `sample(factors, generator)`, as `keras_vae.datasets.factors` has them), or a pair
            `(codes, factors)` of arrays, among which points of equal factors are found.
        encode: Function from images to codes `[n, latent]`; with a pair, `None`.
        continuous: Of a pair: whether its factors are continuous, as the metrics take it.
        num_bins: Int. Of a pair: bins of a continuous factor, all whose points count as equal.

    Returns:
        `DrawnAnew` or `AmongPoints`.

    Raises:
        ValueError: If it is neither, or `encode` is missing or one too many.
    """
    if isinstance(data, tuple | list):
        if len(data) != 2 or encode is not None:
            raise ValueError(
                "Expected a factor data set and a function `encode` from its images to codes, or a "
                f"pair (codes, factors) of arrays and no `encode`. Received: {len(data)} arrays"
                + (" and `encode`" if encode is not None else "")
                + ". Encode images first: `(encode(images), factors)`."
            )
        codes, factors = data
        return AmongPoints(codes, factors, continuous, num_bins)
    missing = [name for name in _PROTOCOL if not hasattr(data, name)]
    if missing:
        raise ValueError(
            "This metric draws images with one factor held. Expected: a factor data set, with "
            "`factor_names`, `sample_factors(count, generator, held)` and "
            "`sample(factors, generator)`, "
            f"or a pair (codes, factors) of arrays. Received: {type(data).__name__} without "
            f"{', '.join(f'`{name}`' for name in missing)}. Of images that cannot be drawn anew, "
            "such as measurements, pass `(encode(images), factors)`: points of equal factors are "
            "then found among them."
        )
    if not callable(encode):
        raise ValueError(
            "With a factor data set this metric needs `encode`, a function from images "
            f"[n, *event] to codes [n, latent]. Received: encode={encode!r}"
        )
    return DrawnAnew(data, encode)


class DrawnAnew:
    """Draws every image anew, as published.

    Args:
        data: A factor data set. Factors of one value are never held.
        encode: Function from images to codes.
    """

    def __init__(self, data, encode: Callable):
        self._data, self._encode = data, encode
        self._names = tuple(data.factor_names)
        sizes = getattr(data, "factor_sizes", (None,) * len(self._names))
        self.factors = np.array([factor for factor, size in enumerate(sizes) if size != 1])
        _check_several(self.factors)

    def codes(self, count: int, generator) -> np.ndarray:
        """Codes of that many points `[count, latent]`."""
        return self._codes(np.asarray(self._data.sample_factors(count, generator)), generator)

    def pairs(self, held: np.ndarray, generator) -> tuple[np.ndarray, np.ndarray]:
        """Codes of pairs of points, each of which shares the value of one factor.

        Args:
            held: Indices into `factors`, `[pairs]`.
            generator: NumPy's.

        Returns:
            Two arrays `[pairs, latent]`.
        """
        codes = self._groups(held, 2, generator)
        return codes[:, 0], codes[:, 1]

    def variances(self, held: np.ndarray, size: int, generator) -> np.ndarray:
        """Variances within groups of points that share the value of one factor.

        Args:
            held: Indices into `factors`, `[groups]`.
            size: Int. Of a group.
            generator: NumPy's.

        Returns:
            `[groups, latent]`.
        """
        step = max(1, _IMAGES // size)
        parts = (held[start : start + step] for start in range(0, len(held), step))
        return np.concatenate(
            [self._groups(part, size, generator).var(axis=1, ddof=1) for part in parts]
        )

    def _groups(self, held, size, generator):
        """Codes `[groups, size, latent]`."""
        drawn = np.empty((len(held), size, len(self._names)), np.int64)
        for index in np.unique(held):
            where, column = np.flatnonzero(held == index), self.factors[index]
            values = np.asarray(self._data.sample_factors(len(where), generator))[:, column]
            # The data set draws the others, which may not all go with this value.
            group = self._data.sample_factors(
                len(where) * size, generator, held={self._names[column]: np.repeat(values, size)}
            )
            drawn[where] = np.reshape(group, (len(where), size, -1))
        codes = self._codes(drawn.reshape(len(held) * size, -1), generator)
        return codes.reshape(len(held), size, -1)

    def _codes(self, factors, generator):
        parts = (factors[start : start + _IMAGES] for start in range(0, len(factors), _IMAGES))
        codes = [np.asarray(self._encode(self._data.sample(part, generator))) for part in parts]
        codes = checked_codes(np.concatenate(codes), "encode(images)")
        if len(codes) != len(factors):
            raise ValueError(
                "`encode` does not return one code an image. Expected: "
                f"[{len(factors)}, latent]. Received: shape {codes.shape}"
            )
        return codes


class AmongPoints:
    """Finds points of equal factors among given ones, again and again.

    Args:
        codes: `[n, latent]`.
        factors: `[n, num_factors]`.
        continuous: As the metrics take it.
        num_bins: Int. Of continuous factors, bins of equally many points.
    """

    def __init__(self, codes, factors, continuous=None, num_bins: int = 20):
        self._points = checked_codes(codes)
        checked = checked_factors(factors, self._points, continuous)
        values = discrete_factors(checked, num_bins, "quantile")
        self.factors = np.arange(checked.num_factors)
        _check_several(self.factors)
        self._cells = [_Cells(factor, column) for factor, column in enumerate(values.T)]

    def codes(self, count: int, generator) -> np.ndarray:
        """All codes, or that many of them."""
        if count >= len(self._points):
            return self._points
        return self._points[generator.choice(len(self._points), count, replace=False)]

    def pairs(self, held: np.ndarray, generator) -> tuple[np.ndarray, np.ndarray]:
        """As `DrawnAnew.pairs`; the two are never the same point."""
        rows = np.empty((2, len(held)), np.int64)
        for factor, cells in enumerate(self._cells):
            where = np.flatnonzero(held == factor)
            rows[:, where] = cells.pairs(len(where), generator)
        return self._points[rows[0]], self._points[rows[1]]

    def variances(self, held: np.ndarray, size: int, generator) -> np.ndarray:
        """As `DrawnAnew.variances`; of a value with fewer points than `size`, of all of them."""
        found = np.empty((len(held), self._points.shape[1]))
        for factor, cells in enumerate(self._cells):
            where = np.flatnonzero(held == factor)
            for start in range(0, len(where), _GROUPS):
                part = where[start : start + _GROUPS]
                rows, counts = cells.groups(len(part), size, generator)
                found[part] = _variances(self._points[rows], counts)
        return found


class _Cells:
    """The points of each value of one factor."""

    def __init__(self, factor, values):
        counts = np.bincount(values)
        self._order = np.argsort(values, kind="stable")
        self._sorted = values[self._order]
        starts = np.cumsum(counts) - counts
        # Points whose value no other has are in no pair.
        self._anchors = np.flatnonzero(counts[values] > 1)
        if not len(self._anchors):
            raise ValueError(
                f"No two points share a value of factor {factor}. Pass more points, or "
                "`continuous=True`, so that it is cut into bins."
            )
        self._start, self._count = starts[values], counts[values]

    def pairs(self, count, generator):
        anchors = generator.choice(self._anchors, count)
        start, size = self._start[anchors], self._count[anchors]
        first = generator.integers(size)
        second = (first + 1 + generator.integers(size - 1)) % size
        return self._order[start + first], self._order[start + second]

    def groups(self, count, size, generator):
        """Rows `[count, size]` of points of one value, and how many of each are different ones."""
        # Each a stretch of its value's points in a random order, so that none is drawn twice.
        shuffled = self._order[np.lexsort((generator.random(len(self._order)), self._sorted))]
        anchors = generator.choice(self._anchors, count)
        start, of_value = (part[anchors, np.newaxis] for part in (self._start, self._count))
        offset = generator.integers(of_value)
        return shuffled[start + (offset + np.arange(size)) % of_value], np.minimum(of_value, size)


def _variances(groups, counts):
    """Variances `[groups, latent]` of the first points of each group.

    Args:
        groups: `[groups, size, latent]`.
        counts: How many points of each count, `[groups, 1]`.
    """
    counted = (np.arange(groups.shape[1]) < counts)[..., np.newaxis]
    centred = groups - groups.sum(axis=1, keepdims=True, where=counted) / counts[..., np.newaxis]
    return (centred**2).sum(axis=1, where=counted) / (counts - 1)


def _check_several(factors):
    if len(factors) < 2:
        raise ValueError(
            "This metric tells which factor was held. Expected: at least 2 factors of more than "
            f"one value. Received: {len(factors)}"
        )
