"""The separated attribute predictability (SAP)."""

from collections.abc import Callable

import numpy as np

from keras_vae.disentanglement.checks import (
    check_training_values,
    checked_codes,
    checked_factors,
    checked_function,
    split,
)
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    seeded,
    unfinished_fits_allowed,
)


def sap_score(
    codes,
    factors,
    test_share: float = 1 / 3,
    classifier: Callable | None = None,
    continuous=None,
    seed: int = 0,
) -> dict[str, object]:
    """How much better the best latent predicts each factor than the second best.

    Kumar, Sattigeri & Balakrishnan, "Variational inference of disentangled latent concepts from
    unlabeled observations" (2018), section 3: of each latent and factor, R^2 of a linear regression
    if the factor is continuous, otherwise the accuracy of a classifier that sees that latent alone;
    the score is the mean over factors of the largest minus the second largest. Published on 10,000
    training and 5,000 test points.

    The maximum is 1 for continuous factors. For discrete ones it is 1 minus chance, and less by far
    where the classifier cannot do it: `LinearSVC`, the published one, tells values of one latent
    apart from all others by a threshold, so that of an ordered factor it finds the first and the
    last value and hardly those between. The factors themselves, as codes, have 0.18 where they
    are those of dSprites, scaled to [0, 1], and 0.25 at unit variance. `classifier` may bring one
    that can: `lambda: sklearn.tree.DecisionTreeClassifier(max_leaf_nodes=64)`.

    Pitfalls:

    - The paper calls "error" in the discrete case what is here, as in disentanglement_lib, an
      accuracy.
    - `LinearSVC(C=0.01)` penalises weight and intercept, so the scale of a latent matters. Codes
      are used as they are, as published.
    - Its solver is scikit-learn's choice since version 1.5 (`dual="auto"`); before, it ended
      unconverged on many codes, with other accuracies.
    - disentanglement_lib gives a constant latent R^2 = 0 in the continuous case, and in the other
      what the classifier happens to answer. Here that is the share of the most frequent value.

    Args:
        codes: `[n, latent]`, at least two latents.
        factors: `[n, num_factors]`. Integers are the values of discrete factors, floats of
            continuous ones.
        test_share: Float. Of the points, which the accuracies are from. Defaults to `1 / 3`.
        classifier: Function that makes a scikit-learn classifier. Defaults to `None`:
            `LinearSVC(C=0.01, class_weight="balanced")`.
        continuous: Bool, or one a factor, in place of what the type of `factors` says. Defaults to
            `None`.
        seed: Int. Of the split and the classifiers. Defaults to `0`.

    Returns:
        `score`; `gaps` `[num_factors]`; `predictability` `[latent, num_factors]`, R^2 or accuracy;
        `best_latents` `[num_factors]`.

    Raises:
        ValueError: If the arrays or an argument are invalid.
        ImportError: If a factor is discrete and scikit-learn is not installed.
    """
    codes = checked_codes(codes, least_latents=2)
    factors = checked_factors(factors, codes, continuous)
    classifier = checked_function("classifier", classifier)
    train, test = split(len(codes), test_share, seed)
    check_training_values(factors, train)
    if not factors.continuous.all():
        require_scikit_learn("sap_score")
    alive = np.ptp(codes[train], axis=0) > 1e-12 * np.abs(codes[train]).max(axis=0)
    predictability = np.empty((codes.shape[1], factors.num_factors))
    for factor in range(factors.num_factors):
        if factors.continuous[factor]:
            predictability[:, factor] = _squared_correlations(
                codes[train], factors.values[train, factor], alive
            )
        else:
            predictability[:, factor] = _accuracies(
                codes, factors.classes(factor), alive, train, test, classifier, seed
            )
    second, first = np.sort(predictability, axis=0)[-2:]
    return {
        "score": float(np.mean(first - second)),
        "gaps": first - second,
        "predictability": predictability,
        "best_latents": predictability.argmax(axis=0),
    }


def _squared_correlations(codes, values, alive):
    """R^2 of the regression on each latent alone."""
    codes, values = codes - codes.mean(axis=0), values - values.mean()
    products = (codes.T @ values) ** 2
    squares = (codes**2).sum(axis=0) * (values**2).sum()
    return np.divide(products, squares, out=np.zeros(len(products)), where=alive)


def _accuracies(codes, classes, alive, train, test, classifier, seed):
    """The accuracy of a classifier on each latent alone."""
    from sklearn.svm import LinearSVC

    frequent = np.bincount(classes[train]).argmax()
    found = np.full(codes.shape[1], np.mean(classes[test] == frequent))
    for latent in np.flatnonzero(alive):
        if classifier is None:
            model = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
        else:
            model = seeded(classifier(), seed)
        column = codes[:, [latent]]
        with unfinished_fits_allowed():
            model.fit(column[train], classes[train])
        found[latent] = np.mean(model.predict(column[test]) == classes[test])
    return found
