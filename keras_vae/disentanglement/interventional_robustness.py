"""The interventional robustness score (IRS)."""

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.checks import checked_bins, checked_codes, checked_factors
from keras_vae.disentanglement.information import discrete_factors


def interventional_robustness(
    codes,
    factors,
    quantile: float = 0.99,
    normalizer_quantile: float = 1.0,
    num_bins: int = 20,
    bins: str = "width",
    continuous=None,
) -> dict[str, object]:
    """How little each latent moves while its factor stays and all others change.

    Suter, Miladinovic, Schoelkopf & Bauer, "Robustly disentangled causal mechanisms" (2019),
    section 4: IRS(l|i) = 1 - EMPIDA(l|i) / EMPIDA(l), where EMPIDA(l|i) is the mean over the values
    of factor i of the farthest that latent l goes from its mean at that value, and EMPIDA(l) the
    farthest from its mean over all. Each latent takes its best factor; the score is the mean over
    latents, weighted by EMPIDA(l). "The farthest" within a value is the quantile 0.99 of the
    distances, as in the authors' code; with `quantile=1.0` it is the paper's.

    1 if each latent is a function of one factor, however many latents share it and whether or not
    all factors are told. It does not see what is missing.

    Differs from disentanglement_lib in that integers stay as they are, where it cuts factors into
    bins too, after which 40 orientations in 20 bins have no 1; and in that `num_active` counts
    latents, where its `num_active_dims` sums codes.

    A pitfall of both: the normaliser is the very farthest point, so codes that are Gaussian noise
    get about 0.3 at 10,000 points, by their tail. `normalizer_quantile=0.99` gives them 0. Values
    with few points seem robust: compare scores at equal n only.

    Args:
        codes: `[n, latent]`.
        factors: `[n, num_factors]`. Integers are the values of discrete factors; floats are cut
            into bins.
        quantile: Float in (0, 1]. Of the distances within a value. Defaults to `0.99`.
        normalizer_quantile: Float in (0, 1]. Of the distances over all points. Defaults to `1.0`.
        num_bins: Int. Of continuous factors. Defaults to `20`.
        bins: `"width"` or `"quantile"`. Defaults to `"width"`.
        continuous: Bool, or one a factor, in place of what the type of `factors` says. Defaults to
            `None`.

    Returns:
        `score`; `robustness` `[latent, num_factors]`; `scores_of_latents` and `best_factors`
        `[latent]`; `num_active`. A constant latent has 0 and no weight; if all are constant the
        score is 0.

    Raises:
        ValueError: If the arrays or an argument are invalid.
    """
    quantile = _quantile("quantile", quantile)
    normalizer_quantile = _quantile("normalizer_quantile", normalizer_quantile)
    codes = checked_codes(codes)
    factors = checked_factors(factors, codes, continuous)
    num_bins, bins = checked_bins(num_bins, bins, len(codes))
    values = discrete_factors(factors, num_bins, bins)
    farthest = _farthest(codes, normalizer_quantile)
    active = farthest > 1e-12 * np.abs(codes).max(axis=0)
    robustness = np.zeros((codes.shape[1], factors.num_factors))
    for factor, column in enumerate(values.T):
        within = [_farthest(codes[column == value], quantile) for value in np.unique(column)]
        robustness[active, factor] = 1 - np.mean(within, axis=0)[active] / farthest[active]
    best = robustness.max(axis=1)
    weights = np.where(active, farthest, 0)
    return {
        "score": float(np.average(best, weights=weights)) if active.any() else 0.0,
        "robustness": robustness,
        "scores_of_latents": best,
        "best_factors": robustness.argmax(axis=1),
        "num_active": int(active.sum()),
    }


def _farthest(codes, quantile):
    return np.quantile(np.abs(codes - codes.mean(axis=0)), quantile, axis=0)


def _quantile(argument, value):
    value = arguments.positive(argument, value)
    if value > 1:
        raise arguments.invalid(argument, "a number above 0 and up to 1", value)
    return value
