"""Unsupervised disentanglement ranking (UDR) of several trained models."""

from collections.abc import Sequence

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.checks import checked_codes
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    unfinished_fits_allowed,
)


def unsupervised_disentanglement_ranking(
    codes: Sequence,
    kl: Sequence,
    similarity: str = "lasso",
    alpha: float = 0.1,
    threshold: float = 0.01,
) -> dict[str, object]:
    """Which of several models' latents others have found, too, without any factors.

    Duan et al., "Unsupervised model selection for variational disentangled representation
    learning" (2020), equations 3 and 4. Models of one architecture and other seeds encode the same
    images. R(a, b) is how alike latent a of model i and latent b of model j are, of the latents
    whose KL exceeds `threshold`, d_i and d_j of them, and

        UDR_ij = 1 / (d_i + d_j) [sum_b r_b^2 / sum_a R(a, b) + sum_a r_a^2 / sum_b R(a, b)],

    r_b = max_a R(a, b), r_a = max_b R(a, b); the score of model i is the median over all j != i.

    The idea is that what is disentangled is found again, and what is entangled is so each time in
    its own way. Models that all mix factors alike, or all miss one, score high, too. The authors
    take at least five models; of fewer a median is little.

    disentanglement_lib takes the mean of the two sums' own means, which is the same if both models
    have equally many informative latents; its `kl_filter_threshold` leaves a 0.01 in the code as it
    is; and a model without informative latents is an error there, and 0 here.

    Args:
        codes: One array `[n, latent]` a model, at least two, of the same n images; mostly posterior
            means.
        kl: One array `[latent]` a model: the mean KL of each latent to the prior, in nats.
        similarity: `"lasso"`, the magnitude of the weights of a lasso from one model's standardised
            codes to the other's, or `"spearman"`, that of their rank correlation, which needs no
            scikit-learn. Defaults to `"lasso"`.
        alpha: Float. The lasso's penalty. Uncorrelated codes that are found again have 1 - alpha,
            not 1. Defaults to `0.1`.
        threshold: Float. KL in nats above which a latent is informative. Defaults to `0.01`.

    Returns:
        `score`, of the best model; `best`, its index; `scores` `[models]`; `pairs`
        `[models, models]`, UDR_ij with NaN on the diagonal, where none is defined;
        `num_informative` `[models]`.

    Raises:
        ValueError: If there are fewer than two models, or the arrays or an argument are invalid.
        ImportError: If a lasso is asked for and scikit-learn is not installed.
    """
    arguments.one_of("similarity", similarity, ("lasso", "spearman"))
    alpha = arguments.positive("alpha", alpha)
    threshold = arguments.number("threshold", threshold, least=0.0)
    if similarity == "lasso":
        require_scikit_learn("unsupervised_disentanglement_ranking")
    codes, informative = _checked(codes, kl, threshold)
    models = [_standardized(array[:, keep]) for array, keep in zip(codes, informative, strict=True)]
    if similarity == "spearman":
        models = [_standardized(_ranks(model)) for model in models]
    pairs = np.full((len(models), len(models)), np.nan)
    for i, first in enumerate(models):
        for j, second in enumerate(models):
            if i == j:
                continue
            if not first.shape[1] or not second.shape[1]:
                pairs[i, j] = 0.0
            elif similarity == "lasso":
                pairs[i, j] = agreement(_lasso(first, second, alpha))
            else:
                pairs[i, j] = agreement(np.abs(first.T @ second) / len(first))
    scores = np.nanmedian(pairs, axis=1)
    return {
        "score": float(scores.max()),
        "best": int(scores.argmax()),
        "scores": scores,
        "pairs": pairs,
        "num_informative": np.array([keep.sum() for keep in informative]),
    }


def agreement(likeness: np.ndarray) -> float:
    """UDR_ij of the table R(a, b) of informative latents, `[d_i, d_j]`, at least 0."""
    total = 0.0
    for table in (likeness, likeness.T):
        sums = table.sum(axis=0)
        squares = table.max(axis=0) ** 2
        total += np.sum(np.divide(squares, sums, out=np.zeros(len(sums)), where=sums > 0))
    return float(total / sum(likeness.shape))


def _checked(codes, kl, threshold):
    for argument, values in (("codes", codes), ("kl", kl)):
        if not isinstance(values, Sequence) or isinstance(values, str) or len(values) < 2:
            received = type(values).__name__
            if isinstance(values, Sequence):
                received += f" of {len(values)}"
            raise ValueError(
                f"A ranking compares models. Expected: `{argument}` as a list of one array a "
                f"model, at least 2. Received: {received}"
            )
    if len(codes) != len(kl):
        raise ValueError(
            "`codes` and `kl` do not fit. Expected: one of both a model. "
            f"Received: {len(codes)} and {len(kl)}"
        )
    codes = [checked_codes(array, f"codes[{model}]") for model, array in enumerate(codes)]
    sizes = [len(array) for array in codes]
    if len(set(sizes)) > 1:
        raise ValueError(
            f"All models must encode the same images, in the same order. Received: {sizes} codes"
        )
    informative = []
    for model, (array, own) in enumerate(zip(codes, kl, strict=True)):
        own = np.asarray(own, np.float64)
        if own.shape != array.shape[1:] or not np.isfinite(own).all():
            raise ValueError(
                f"`kl[{model}]` does not fit `codes[{model}]`. Expected: "
                f"{array.shape[1]} finite numbers, the mean KL of each latent in nats. "
                f"Received: {own.tolist() if own.size < 100 else own.shape}"
            )
        # A constant code is alike to none, whatever its KL.
        informative.append((own > threshold) & (np.ptp(array, axis=0) > 0))
    return codes, informative


def _standardized(codes):
    centred = codes - codes.mean(axis=0)
    return centred / centred.std(axis=0)


def _ranks(codes):
    ranks = np.empty_like(codes)
    for latent, column in enumerate(codes.T):
        _, numbers, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, latent] = (np.cumsum(counts) - (counts - 1) / 2)[numbers]
    return ranks


def _lasso(first, second, alpha):
    """|weights| `[d_i, d_j]`."""
    from sklearn.linear_model import Lasso

    with unfinished_fits_allowed():
        return np.abs(np.atleast_2d(Lasso(alpha=alpha).fit(first, second).coef_)).T
