"""The two-sample test by a classifier."""

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    seeded,
    unfinished_fits_allowed,
)
from keras_vae.sample_quality.checks import checked_pair


def two_sample_test(
    real, generated, num_folds: int = 5, classifier=None, seed: int = 0
) -> dict[str, float]:
    """How well a classifier tells generated points from real ones that it was not trained on.

    At 0.5 it cannot; at 1.0 it always can (Lopez-Paz & Oquab, "Revisiting classifier two-sample
    tests", 2017). Both sets are cut to the size of the smaller one, so that 0.5 is chance, by rows
    drawn with the seed. Every point is tested once, by a classifier trained on the other folds.

    Args:
        real: Points `[n, features]`, at least two a fold.
        generated: Points `[m, features]`, likewise.
        num_folds: Int, at least 2. Defaults to `5`.
        classifier: An estimator of scikit-learn with `predict_proba`, of standardised points.
            Defaults to `None`: a network of one hidden layer of 20 units, as published, which stops
            when a tenth of its points, held out, no longer gain.
        seed: Int. Of rows, folds and classifier. Defaults to `0`.

    Returns:
        `accuracy` and `roc_auc`, means over the folds; `accuracy_std` and `roc_auc_std`, standard
        deviations over them; `chance_std`, that of the accuracy over all points if it were chance.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If scikit-learn is not installed.
    """
    require_scikit_learn("two_sample_test")
    from sklearn.base import clone
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    num_folds = arguments.count("num_folds", num_folds, least=2)
    seed = arguments.seed("seed", seed)
    if classifier is None:
        classifier = MLPClassifier((20,), early_stopping=True, max_iter=100)
    elif not hasattr(classifier, "predict_proba"):
        raise arguments.invalid(
            "classifier", "an estimator of scikit-learn with `predict_proba`", classifier
        )
    real, generated = checked_pair(real, generated, least=2 * num_folds)
    generator, size = np.random.default_rng(seed), min(len(real), len(generated))
    points = np.concatenate([_drawn(part, size, generator) for part in (real, generated)])
    is_real = np.repeat([1, 0], size)
    accuracies, areas = [], []
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(points, is_real):
        model = make_pipeline(StandardScaler(), seeded(clone(classifier), seed))
        with unfinished_fits_allowed():
            model.fit(points[train], is_real[train])
        probabilities = model.predict_proba(points[test])[:, 1]
        accuracies.append(np.mean((probabilities > 0.5) == is_real[test]))
        areas.append(roc_auc_score(is_real[test], probabilities))
    return {
        "accuracy": float(np.mean(accuracies)),
        "accuracy_std": float(np.std(accuracies)),
        "roc_auc": float(np.mean(areas)),
        "roc_auc_std": float(np.std(areas)),
        "chance_std": 0.5 / float(np.sqrt(2 * size)),
    }


def _drawn(points, size, generator):
    return points if len(points) == size else points[generator.permutation(len(points))[:size]]
