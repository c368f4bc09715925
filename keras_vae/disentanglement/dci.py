"""Disentanglement, completeness and informativeness (DCI)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.checks import (
    check_training_values,
    checked_codes,
    checked_factors,
    checked_function,
    split,
)
from keras_vae.disentanglement.information import entropy
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    seeded,
    unfinished_fits_allowed,
)


def dci(
    codes,
    factors,
    test_share: float = 1 / 3,
    classifier: Callable | None = None,
    regressor: Callable | None = None,
    continuous=None,
    num_jobs: int = 2,
    seed: int = 0,
) -> dict[str, object]:
    """Whether each latent serves one factor, each factor is in one latent, and all is there.

    Eastwood & Williams, "A framework for the quantitative evaluation of disentangled
    representations" (2018), section 2. A predictor of each factor from all latents gives the
    importance R_ij of latent i for factor j, which sums to 1 over the latents.

    - disentanglement: sum_i rho_i (1 - H_K(P_i)), P_ij = R_ij / sum_k R_ik, the entropy H_K to the
      base of the number of factors, and rho_i the share of latent i in all importance;
    - completeness: the mean over factors of 1 - H_D(R_j), to the base of the number of latents;
    - informativeness: how well the factors are predicted, accuracy or R^2 on the test points. The
      paper's is an error, disentanglement_lib's an accuracy under that name, as here.

    Duplicated codes are disentangled and not complete, one code for two factors is complete and
    not disentangled. Gradient boosting splits on noise, too, wherever a factor is not told by the
    codes: then all importances are spread over the latents.

    The predictors are those of Locatello et al. (2019), scikit-learn's gradient boosting with its
    defaults: 100 times as many trees as a factor has values, most of the time that all metrics take
    together. `lambda: sklearn.ensemble.RandomForestClassifier(max_depth=8)`, of the kind that the
    paper has, takes a tenth and gives other numbers: name the predictor with a score. They also
    depend on scikit-learn's version, whose 1.9 splits by one criterion whatever it is told.

    Args:
        codes: `[n, latent]`, at least two latents.
        factors: `[n, num_factors]`, at least two factors. Integers are the values of discrete
            factors, floats of continuous ones.
        test_share: Float. Of the points, which informativeness is from; published are 10,000 points
            to train on and 5,000 to test. Defaults to `1 / 3`.
        classifier: Function that makes a scikit-learn classifier with `feature_importances_` or
            `coef_`, of which the mean magnitude is taken. Defaults to `None`:
            `GradientBoostingClassifier`.
        regressor: Likewise for continuous factors. Defaults to `None`: `GradientBoostingRegressor`.
        continuous: Bool, or one a factor, in place of what the type of `factors` says. Defaults to
            `None`.
        num_jobs: Int. Factors that are fitted at a time, which changes no number. Defaults to `2`.
        seed: Int. Of the split and the predictors. Defaults to `0`.

    Returns:
        `score`, which is `disentanglement`; `completeness`; `informativeness` and
        `informativeness_train`; `importance` `[latent, num_factors]`; `disentanglement_of_latents`
        `[latent]`, `completeness_of_factors` and `informativeness_of_factors` `[num_factors]`. A
        latent of no importance has disentanglement 0 and no weight, a factor that no latent
        is of importance for completeness 0.

    Raises:
        ValueError: If the arrays or an argument are invalid, or a predictor tells no importances.
        ImportError: If scikit-learn is not installed.
    """
    require_scikit_learn("dci")
    codes = checked_codes(codes, least_latents=2)
    factors = checked_factors(factors, codes, continuous, least_factors=2)
    makers = _makers(
        checked_function("classifier", classifier), checked_function("regressor", regressor)
    )
    num_jobs = arguments.count("num_jobs", num_jobs)
    train, test = split(len(codes), test_share, seed)
    check_training_values(factors, train)

    def fit(factor):
        is_continuous = bool(factors.continuous[factor])
        values = factors.values[:, factor] if is_continuous else factors.classes(factor)
        model = seeded(makers[is_continuous](), seed).fit(codes[train], values[train])
        scores = [model.score(codes[rows], values[rows]) for rows in (train, test)]
        return _importances(model, codes.shape[1]), *scores

    # Threads, because trees grow outside Python's lock and processes would copy the codes. The
    # factors with most values take longest and go first.
    order = np.argsort([-len(np.unique(column)) for column in factors.values.T], kind="stable")
    with unfinished_fits_allowed(), ThreadPoolExecutor(num_jobs) as pool:
        fitted = dict(zip(order.tolist(), pool.map(fit, order.tolist()), strict=True))
    columns, on_train, on_test = zip(*(fitted[f] for f in range(factors.num_factors)), strict=True)
    importance = np.stack(columns, axis=1)
    of_latents = concentration(importance)
    of_factors = concentration(importance.T)
    total = importance.sum()
    disentanglement = float(of_latents @ importance.sum(axis=1) / total) if total else 0.0
    return {
        "score": disentanglement,
        "disentanglement": disentanglement,
        "completeness": float(of_factors.mean()),
        "informativeness": float(np.mean(on_test)),
        "informativeness_train": float(np.mean(on_train)),
        "importance": importance,
        "disentanglement_of_latents": of_latents,
        "completeness_of_factors": of_factors,
        "informativeness_of_factors": np.array(on_test),
    }


def concentration(importance: np.ndarray) -> np.ndarray:
    """1 - H(row) / log(columns) of each row, and 0 of a row of zeros.

    Args:
        importance: At least 0, `[rows, columns]` with at least 2 columns.

    Returns:
        `[rows]`, from 0 for a uniform row to 1 for a row with one entry.
    """
    return np.array(
        [1 - entropy(row) / np.log(len(row)) if row.any() else 0.0 for row in importance]
    )


def _makers(classifier, regressor):
    """What makes a predictor, by whether the factor is continuous."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    return {
        False: classifier or GradientBoostingClassifier,
        True: regressor or GradientBoostingRegressor,
    }


def _importances(model, num_latents):
    """The importance of each latent, with a sum of 1 unless all are 0."""
    found = getattr(model, "feature_importances_", None)
    if found is None and hasattr(model, "coef_"):
        found = np.abs(np.atleast_2d(model.coef_)).mean(axis=0)
    if np.shape(found) != (num_latents,):
        raise ValueError(
            "DCI needs a predictor with `feature_importances_` or `coef_`, one number a latent. "
            f"Received: {type(model).__name__}. Trees, forests and linear models have them."
        )
    total = np.sum(found)
    return found / total if total > 0 else np.zeros(num_latents)
