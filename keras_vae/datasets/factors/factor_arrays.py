"""`FactorArrays`: a user's images and the factors that they were made from."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_vae import arguments
from keras_vae.datasets.factors.factor_data import FactorData, seeded


class FactorArrays(FactorData):
    """Images of a user's, with their factors.

    Not every combination of values needs to be there, and several images may have the same. Images
    are then picked among those that there are: `sample_factors` takes each image to be as likely
    as any other, also with factors held, so that the others are drawn as they occur together with
    the held values. In an incomplete grid they may depend on those.

    Args:
        images: `[n, *event]`: bytes, which are scaled to [0, 1]; booleans; or floating point in
            [0, 1]. They are read where they are asked for: an `np.memmap`, as
            `np.load(path, mmap_mode="r")` returns it, may be larger than the memory.
        factors: Numbers `[n, num_factors]`. What differs is another value of the factor.
        factor_names: Names of the factors. Defaults to `None`: `"factor_0"` and so on.
        num_bins: For each continuous factor, by name, the number of bins, of equally many images as
            far as ties allow, that are its values; `factor_values` are their medians. Defaults to
            `None`: there is none.

    Raises:
        ValueError: If an argument is invalid, or a factor is continuous, which is one of floating
            point with more than half as many values as there are images, and has no bins.
    """

    def __init__(
        self,
        images: np.ndarray,
        factors: np.ndarray,
        factor_names: Sequence[str] | None = None,
        num_bins: Mapping[str, int] | None = None,
    ):
        self._images = _checked_images(images)
        factors = _checked_factors(factors, len(self._images))
        names = _checked_names(factor_names, factors.shape[1])
        bins = _checked_bins(num_bins, names)
        indexed = {
            name: _indexed(name, column, bins.get(name))
            for name, column in zip(names, factors.T, strict=True)
        }
        super().__init__(
            {name: values for name, (values, _) in indexed.items()}, self._images.shape[1:]
        )
        if math.prod(self.factor_sizes) >= 2**63:
            raise ValueError(
                "The factors have more combinations of values than can be counted. Expected: fewer "
                f"than 2**63. Received: {dict(zip(names, self.factor_sizes, strict=True))} values. "
                "Leave factors out, or pass `num_bins` for some."
            )
        self._factors = np.stack([indices for _, indices in indexed.values()], axis=1)
        self._orders: dict = {}

    def sample(self, factors, generator=None):
        """Images of given factor values, of which there must be some."""
        factors = self.checked(factors)
        generator = None if generator is None else seeded(generator)
        rows = self._rows(dict(enumerate(factors.T)), generator)
        images = self._images[rows]
        if images.dtype == np.uint8:
            return images / np.float32(255)
        if images.dtype.kind == "f" and not (images.min() >= 0 and images.max() <= 1):
            raise ValueError(
                "Images of floating point must be in [0, 1]. Received: values from "
                f"{images.min()} to {images.max()}. Scale them, for example `x / 255`."
            )
        return images.astype(np.float32)

    def sample_factors(self, count, generator, held=None):
        """Factor values of images that are drawn among those that are there."""
        generator, held = seeded(generator), self._held(arguments.count("count", count), held)
        if not held:
            return self._factors[generator.integers(len(self._factors), size=count)]
        return self._factors[self._rows(held, generator)]

    def _rows(self, held, generator):
        """Where images stand that have the values `[n]` of each held column, `[n]`."""
        columns = tuple(sorted(held))
        sizes = [self.factor_sizes[column] for column in columns]
        if columns not in self._orders:
            keys = np.ravel_multi_index([self._factors[:, column] for column in columns], sizes)
            order = np.argsort(keys, kind="stable")
            self._orders[columns] = order, keys[order]
        order, keys = self._orders[columns]
        wanted = np.ravel_multi_index([held[column] for column in columns], sizes)
        first, end = (np.searchsorted(keys, wanted, side) for side in ("left", "right"))
        if np.any(first == end):
            missing = np.flatnonzero(first == end)[0]
            values = {
                self.factor_names[column]: self.factor_values[column][held[column][missing]].item()
                for column in columns
            }
            raise ValueError(
                f"No image has the values {values}. Expected: values that occur together. Take "
                "them from `sample_factors`, or hold fewer and let `draw` pick among the images "
                "that are there."
            )
        return order[first if generator is None else generator.integers(first, end)]


def _checked_images(images):
    try:
        # What is mapped from a file stays there.
        images = np.asanyarray(images)
    except ValueError:
        raise ValueError(
            "Images must be one array [n, *event], all of the same shape. "
            f"Received: {type(images).__name__} of differing shapes. Resize or crop them alike."
        ) from None
    if images.dtype not in (np.uint8, np.bool_) and images.dtype.kind != "f":
        raise ValueError(
            "Images must be bytes (uint8), booleans or floating point in [0, 1]. Received: dtype "
            f"{images.dtype.name}. Convert them with `images.astype('float32')`, scaled to [0, 1]."
        )
    if images.ndim < 2 or not images.size:
        raise ValueError(f"Expected images [n, *event], n > 0. Received: shape {images.shape}")
    return images


def _checked_factors(factors, count):
    factors = np.asarray(factors)
    if factors.dtype.kind not in "biuf" or factors.ndim != 2 or not factors.shape[1]:
        raise ValueError(
            "Invalid value for argument `factors`. Expected numbers [n, num_factors]. "
            f"Received: {factors.dtype.name} of shape {factors.shape}. One factor alone is "
            "`factor[:, None]`; names are numbered by `np.unique(names, return_inverse=True)[1]`."
        )
    if len(factors) != count:
        raise ValueError(
            f"There must be factors for every image. Received: {count} images and {len(factors)} "
            "rows of factors. Select both alike."
        )
    return factors


def _checked_names(names, count):
    if names is None:
        return [f"factor_{index}" for index in range(count)]
    names = [names] if isinstance(names, str) else list(names)
    strings = all(isinstance(name, str) for name in names)
    if not strings or len(set(names)) != len(names) or len(names) != count:
        raise arguments.invalid("factor_names", f"{count} different names", names)
    return names


def _checked_bins(num_bins, names):
    num_bins = {} if num_bins is None else num_bins
    if not isinstance(num_bins, Mapping) or not set(num_bins) <= set(names):
        expected = f"a dict with numbers of bins of factors out of {names}"
        raise arguments.invalid("num_bins", expected, num_bins)
    return {name: arguments.count("num_bins", bins, least=2) for name, bins in num_bins.items()}


def _indexed(name, column, num_bins):
    """The values of a factor, and of each image the index of its value."""
    if column.dtype.kind == "f" and not np.all(np.isfinite(column)):
        raise ValueError(
            f"Factor {name!r} is not known of every image. Expected: finite numbers. Received: "
            f"{np.sum(~np.isfinite(column))} of {len(column)} are NaN or infinite. Leave those "
            "images out."
        )
    values, indices = np.unique(column, return_inverse=True)
    if num_bins is None:
        if column.dtype.kind == "f" and len(values) > len(column) / 2:
            raise ValueError(
                f"Factor {name!r} is continuous: {len(values)} values in {len(column)} images, so "
                "that images with the same one cannot be had. Pass a number of bins, such as "
                f"`num_bins={{{name!r}: 10}}`, or leave the factor out."
            )
        return values, indices
    if len(values) < num_bins:
        raise ValueError(
            f"Factor {name!r} has {len(values)} values, fewer than bins. Expected: at most as many "
            f"bins. Received: {num_bins} bins"
        )
    edges = np.quantile(column, np.arange(1, num_bins) / num_bins)
    # Where many images have the same value, there may be bins without any.
    _, indices = np.unique(np.searchsorted(edges, column, side="right"), return_inverse=True)
    medians = [np.median(column[indices == index]) for index in range(indices.max() + 1)]
    return np.array(medians), indices
