"""Modularity and explicitness."""

import numpy as np

from keras_vae.disentanglement.checks import (
    check_training_values,
    checked_bins,
    checked_codes,
    checked_factors,
    split,
)
from keras_vae.disentanglement.information import (
    discrete_factors,
    discretize,
    mutual_information,
)
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    unfinished_fits_allowed,
)


def modularity_explicitness(
    codes,
    factors,
    num_bins: int = 20,
    bins: str = "width",
    test_share: float = 1 / 3,
    continuous=None,
    seed: int = 0,
) -> dict[str, object]:
    """Whether each latent depends on one factor, and whether a linear classifier reads them all.

    Ridgeway & Mozer, "Learning deep disentangled embeddings with the F-statistic loss" (2018),
    section 3. Modularity of latent i is 1 - sum_{k != k*} m_ik^2 / (m_ik*^2 (K - 1)), with m_ik the
    mutual information of binned codes with factor k of K, and k* the factor of the largest; the
    mean over latents. Explicitness is the area under the ROC curve, one value of a factor against
    the rest, of logistic regression on all latents; the mean over values and factors. Chance is
    0.5.

    Modularity does not see what is missing: one latent for one factor and nothing else has 1. Nor
    is noise 0: the mutual information of n points is biased up by about (B - 1)(V - 1) / 2n, more
    for factors of more values V, so a noise latent seems to follow the factor with the most.

    disentanglement_lib counts latents without any information, whose ratio is 0 / 0, as 0 in the
    mean, and so is it here; a constant latent lowers modularity by its share.

    The classifier is scikit-learn's `LogisticRegression` with C = 1 on standardised codes, fitted
    to up to 1000 iterations instead of its default 100, at which disentanglement_lib's stopped.

    Args:
        codes: `[n, latent]`.
        factors: `[n, num_factors]`, at least two factors. Integers are the values of discrete
            factors; floats are cut into bins, for the classifier as well.
        num_bins: Int. Defaults to `20`.
        bins: `"width"` or `"quantile"`; see `mutual_information_gap`. Defaults to `"width"`.
        test_share: Float. Of the points, which `explicitness` is from; modularity is from the
            others. Published are 10,000 points to train on and 5,000 to test. Defaults to `1 / 3`.
        continuous: Bool, or one a factor, in place of what the type of `factors` says. Defaults to
            `None`.
        seed: Int. Of the split. Defaults to `0`.

    Returns:
        `score`, which is `modularity`; `modularity_of_latents` `[latent]`; `explicitness` and
        `explicitness_train`; `explicitness_of_factors` `[num_factors]`; `mutual_information`
        `[latent, num_factors]` in nats.

    Raises:
        ValueError: If the arrays or an argument are invalid.
        ImportError: If scikit-learn is not installed.
    """
    require_scikit_learn("modularity_explicitness")
    codes = checked_codes(codes)
    factors = checked_factors(factors, codes, continuous, least_factors=2)
    train, test = split(len(codes), test_share, seed)
    num_bins, bins = checked_bins(num_bins, bins, len(train))
    values = discrete_factors(factors, num_bins, bins)
    # Bins may leave one value where there were many.
    check_training_values(factors._replace(values=values), train)
    information = mutual_information(discretize(codes[train], num_bins, bins), values[train])
    of_latents = modularity(information)
    on_train, on_test = zip(
        *(_explicitness(codes, column, train, test) for column in values.T), strict=True
    )
    return {
        "score": float(of_latents.mean()),
        "modularity": float(of_latents.mean()),
        "modularity_of_latents": of_latents,
        "explicitness": float(np.mean(on_test)),
        "explicitness_train": float(np.mean(on_train)),
        "explicitness_of_factors": np.array(on_test),
        "mutual_information": information,
    }


def modularity(information: np.ndarray) -> np.ndarray:
    """The modularity of each latent, 0 of one without any information.

    Args:
        information: `[latent, num_factors]`, at least two factors.

    Returns:
        `[latent]`, from 0 for equal information on all factors to 1.
    """
    squares = information**2
    largest = squares.max(axis=1)
    others = (squares.sum(axis=1) - largest) / (squares.shape[1] - 1)
    return 1 - np.divide(others, largest, out=np.ones(len(largest)), where=largest > 0)


def _explicitness(codes, classes, train, test):
    """Areas under the curve on training and test points, the mean over values."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = codes[train].mean(axis=0), codes[train].std(axis=0)
    codes = (codes - mean) / np.where(deviation > 0, deviation, 1)
    with unfinished_fits_allowed():
        model = LogisticRegression(max_iter=1000).fit(codes[train], classes[train])
    means = []
    for rows in (train, test):
        logits = model.decision_function(codes[rows])
        if logits.ndim == 1:
            logits = np.stack([-logits, logits], axis=1)
        else:
            # One value against the rest is told by its share of the probability.
            logits = model.predict_proba(codes[rows])
        areas = [
            area_under_curve(logits[:, index], classes[rows] == value)
            for index, value in enumerate(model.classes_)
            if 0 < np.count_nonzero(classes[rows] == value) < len(rows)
        ]
        if not areas:
            raise ValueError(
                f"A factor has one value only at the {len(rows)} points to test on, and no area "
                "under a curve. Pass more points, or another `seed`."
            )
        means.append(np.mean(areas))
    return means


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The area under the ROC curve: how often a positive scores above a negative, ties half.

    Args:
        scores: `[n]`.
        positive: Bool `[n]`, some of both kinds.
    """
    _, numbers, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[numbers]
    num_positive = np.count_nonzero(positive)
    above = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * (len(scores) - num_positive)))
