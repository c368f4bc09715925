"""What every metric asks of its arrays: shapes, numbers, and factors that vary."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_vae import arguments


class Factors(NamedTuple):
    """Factors that have been checked.

    Attributes:
        values: float64 `[n, num_factors]`; of a discrete factor the numbers of its values, from 0.
        continuous: Bool `[num_factors]`.
    """

    values: np.ndarray
    continuous: np.ndarray

    @property
    def num_factors(self) -> int:
        """How many there are."""
        return self.values.shape[1]

    def classes(self, factor: int) -> np.ndarray:
        """The numbers of a discrete factor's values, int `[n]`."""
        return self.values[:, factor].astype(np.int64)


def checked_codes(codes, argument: str = "codes", least_latents: int = 1) -> np.ndarray:
    """Codes as float64 `[n, latent]`.

    Args:
        codes: Numbers `[n, latent]`.
        argument: What they are called. Defaults to `"codes"`.
        least_latents: Int. How many latents the metric needs. Defaults to `1`.

    Raises:
        ValueError: If they are no such array, there are fewer than two points or too few latents,
            or one is not finite.
    """
    codes = _matrix(codes, argument, "[n, latent]")
    if codes.shape[1] < least_latents:
        raise ValueError(
            f"`{argument}` has too few latents: this metric compares each with the others. "
            f"Expected: [n, latent] with at least {least_latents} latents. "
            f"Received: shape {codes.shape}"
        )
    return codes


def checked_scales(scale, shape: tuple[int, int]) -> np.ndarray:
    """Standard deviations as float64, of the shape of their means.

    Raises:
        ValueError: If they have another shape, or one is not positive and finite.
    """
    scale = _matrix(scale, "scale", "[n, latent]")
    if scale.shape != shape:
        raise ValueError(
            f"`loc` and `scale` do not fit. Expected: both [n, latent]. Received: {shape} and "
            f"{scale.shape}"
        )
    if scale.min() <= 0:
        raise ValueError(
            "Invalid value for argument `scale`. Expected positive standard deviations. "
            f"Received: down to {scale.min():g}. Of log-variances take "
            "`np.exp(0.5 * log_variance)`; for codes without a scale use "
            "`mutual_information_gap`."
        )
    return scale


def checked_factors(factors, codes: np.ndarray, continuous=None, least_factors: int = 1) -> Factors:
    """Factors of the points of `codes`.

    Args:
        factors: `[n, num_factors]`. Integers and booleans are the values of discrete factors,
            floats of continuous ones.
        codes: `[n, latent]`, checked.
        continuous: Bool or a sequence of them, one a factor, in place of what the type says.
            Defaults to `None`.
        least_factors: Int. How many factors the metric needs. Defaults to `1`.

    Raises:
        ValueError: If they are no such array, do not fit the codes, a factor has one value only,
            or a discrete one nearly as many as there are points.
    """
    discrete_type = np.asarray(factors).dtype.kind in "iub"
    factors = _matrix(factors, "factors", "[n, num_factors]")
    if len(factors) != len(codes):
        raise ValueError(
            "Codes and factors do not fit. Expected: one row of both for each point. "
            f"Received: {len(codes)} codes and {len(factors)} rows of factors"
        )
    if factors.shape[1] < least_factors:
        raise ValueError(
            f"This metric compares factors with each other. Expected: at least {least_factors} "
            f"columns of `factors`. Received: shape {factors.shape}"
        )
    is_continuous = _continuous(continuous, factors.shape[1], not discrete_type)
    for factor, column in enumerate(factors.T):
        values, numbers = np.unique(column, return_inverse=True)
        if len(values) < 2:
            raise ValueError(
                f"Factor {factor} has the value {values[0]:g} at all {len(column)} points, so no "
                "code can be said to follow it. Leave the column out, for example by "
                f"`np.delete(factors, {factor}, axis=1)`."
            )
        if not is_continuous[factor]:
            if 2 * len(values) > len(column):
                raise ValueError(
                    f"Factor {factor} is discrete and has {len(values)} values at "
                    f"{len(column)} points: seen about once each, every code would seem to tell "
                    "them. Pass more points, or `continuous=True`, or floats, if the values are "
                    "measurements."
                )
            factors[:, factor] = numbers
    return Factors(factors, is_continuous)


def checked_bins(num_bins, bins, num_points: int) -> tuple[int, str]:
    """The number of bins and how they are cut.

    Raises:
        ValueError: If there are fewer than 2 bins or fewer points than bins, or `bins` is neither
            `"width"` nor `"quantile"`.
    """
    num_bins = arguments.count("num_bins", num_bins, least=2)
    bins = arguments.one_of("bins", bins, ("width", "quantile"))
    if num_points < num_bins:
        raise ValueError(
            "There are fewer points than bins, so that every code would seem to tell every "
            f"factor. Expected: at least num_bins={num_bins} points, better a hundred times as "
            f"many. Received: {num_points} points. Pass more points, or a smaller `num_bins`."
        )
    return num_bins, bins


def checked_function(argument: str, function) -> Callable | None:
    """A function, or `None`.

    Raises:
        ValueError: If it is anything else.
    """
    if function is not None and not callable(function):
        raise arguments.invalid(argument, "a function or `None`", function)
    return function


def split(num_points: int, test_share, seed) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on and to test on, drawn by a seed.

    Raises:
        ValueError: If an argument is invalid, or there are too few points to have two of each.
    """
    share = arguments.share("test_share", test_share)
    rows = np.random.default_rng(arguments.seed("seed", seed)).permutation(num_points)
    num_test = round(share * num_points)
    if min(num_test, num_points - num_test) < 2:
        raise ValueError(
            f"Of {num_points} points test_share={share:g} leaves {num_points - num_test} to train "
            f"on and {num_test} to test on. Expected: at least 2 of each. Pass more points."
        )
    return rows[num_test:], rows[:num_test]


def check_training_values(factors: Factors, train: np.ndarray):
    """Raises a `ValueError` where a factor that varies does not among the training points."""
    for factor, column in enumerate(factors.values[train].T):
        if np.all(column == column[0]):
            raise ValueError(
                f"Factor {factor} has one value only at the {len(train)} points to train on. Pass "
                "more points, another `seed`, or leave the column out."
            )


def _matrix(values, argument, expected):
    """Finite numbers as float64, of two axes, at least two rows and one column."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"`{argument}` is no array. Expected: {expected}. Received: {error}"
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"`{argument}` does not hold numbers. Expected: {expected}, integers or floats. "
            f"Received: type {array.dtype}. Number categories column by column by "
            "`np.unique(column, return_inverse=True)[1]`."
        )
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(
            f"`{argument}` has the wrong shape. Expected: {expected}, at least 2 points. "
            f"Received: shape {array.shape}"
            + (f". A single column is `{argument}[:, np.newaxis]`." if array.ndim == 1 else "")
        )
    array = array.astype(np.float64)
    spoiled = ~np.isfinite(array).all(axis=1)
    if spoiled.any():
        raise ValueError(
            f"`{argument}` is not finite in {spoiled.sum()} of {len(array)} rows, the first of "
            f"them {np.argmax(spoiled)}. Leave those rows out, unless they are a model's codes: "
            "then it has diverged."
        )
    return array


def _continuous(given, num_factors, by_type):
    if given is None:
        return np.full(num_factors, by_type)
    several = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
    flags = list(given) if several else [given] * num_factors
    if len(flags) != num_factors or not all(isinstance(flag, bool | np.bool_) for flag in flags):
        raise arguments.invalid(
            "continuous", f"`None`, a bool, or one for each of {num_factors} factors", given
        )
    return np.array(flags, bool)
