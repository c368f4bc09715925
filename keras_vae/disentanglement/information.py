"""Mutual information of codes and factors that are cut into bins, in nats."""

import numpy as np

from keras_vae.disentanglement.checks import Factors, checked_bins


def discretize(values, num_bins: int, bins: str) -> np.ndarray:
    """Cuts each column into bins.

    Args:
        values: `[n, columns]`.
        num_bins: Int.
        bins: `"width"` for bins of equal width from the least to the greatest value, `"quantile"`
            for bins of equally many points; equal values always share a bin.

    Returns:
        int64 `[n, columns]`, from 0; a constant column is 0.
    """
    found = np.zeros(np.shape(values), np.int64)
    for column, given in enumerate(np.asarray(values, np.float64).T):
        if bins == "width":
            edges = np.linspace(given.min(), given.max(), num_bins + 1)[1:-1]
        else:
            edges = np.quantile(given, np.arange(1, num_bins) / num_bins)
        if given.min() < given.max():
            found[:, column] = np.searchsorted(np.unique(edges), given, side="right")
    return found


def discrete_factors(factors: Factors, num_bins: int, bins: str) -> np.ndarray:
    """Factors as int64 `[n, num_factors]`: continuous ones are cut into bins, others stay."""
    values = factors.values.astype(np.int64)
    where = factors.continuous
    values[:, where] = discretize(factors.values[:, where], num_bins, bins)
    return values


def entropies(values: np.ndarray) -> np.ndarray:
    """The entropy of each column, from its frequencies, in nats, `[columns]`.

    Args:
        values: Integers from 0, `[n, columns]`.
    """
    return np.array([entropy(np.bincount(column)) for column in values.T])


def entropy(weights) -> float:
    """The entropy of weights that need not sum to 1, in nats, with 0 log 0 = 0."""
    weights = np.asarray(weights, np.float64).ravel()
    shares = weights[weights > 0] / weights.sum()
    return float(-np.sum(shares * np.log(shares)))


def mutual_information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """I(z_i; v_k) of all pairs, from their joint frequencies.

    The estimate is biased up: of independent columns with B and V values it is about
    (B - 1)(V - 1) / 2n.

    Args:
        codes: Integers from 0, `[n, latent]`.
        factors: Integers from 0, `[n, num_factors]`.

    Returns:
        Nats `[latent, num_factors]`, at least 0.
    """
    of_codes, of_factors = entropies(codes), entropies(factors)
    together = np.empty((codes.shape[1], factors.shape[1]))
    for factor, column in enumerate(factors.T):
        size = column.max() + 1
        for latent, code in enumerate(codes.T):
            together[latent, factor] = entropy(np.bincount(code * size + column))
    # Rounding alone may pass 0.
    return np.maximum(of_codes[:, np.newaxis] + of_factors - together, 0.0)


def information_matrix(
    codes: np.ndarray, factors: Factors, num_bins, bins
) -> tuple[np.ndarray, np.ndarray]:
    """I(z_i; v_k) `[latent, num_factors]` and H(v_k) `[num_factors]` of checked arrays, in nats."""
    num_bins, bins = checked_bins(num_bins, bins, len(codes))
    values = discrete_factors(factors, num_bins, bins)
    return mutual_information(discretize(codes, num_bins, bins), values), entropies(values)
