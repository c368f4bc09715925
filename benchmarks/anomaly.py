"""How well strange rows are told from usual ones, beside the detectors that people reach for.

    python benchmarks/anomaly.py [--seeds 0 1 2 3 4] [--sets wine "digits, 4"]
    python benchmarks/anomaly.py --ours --seeds 5 6 --set learning_rate=0.003 [latent_dim=2 ...]

Data come with scikit-learn: one class counts as strange, and is never trained on.

  breast cancer   malignant tumours, 30 columns
  wine            wines of the first grower, 13 columns
  digits, 4       the digit 4 among the other nine, 64 columns of 8x8 pixels
  digits, 8       the same of the digit 8
  diabetes        patients whose disease progressed most (the upper tenth), 10 columns

Half of the usual rows train, drawn by the seed; the others and all strange ones test. Every
detector has its defaults: `keras_vae.anomaly.VAEDetector`, trained alike for each of its scores,
scikit-learn's isolation forest and PCA (the squared error left by the components that
explain nine tenths of the variance of standardised columns), and PyOD's autoencoder if PyOD is
installed. Prints ROC-AUC and average precision, means over the seeds with their standard deviation,
and the seconds of one training; last the means over the sets. With `--ours` it measures that
detector alone, with `--set` another one than the default.
"""

import argparse
import ast
import importlib.util
import os
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae.anomaly import VAEDetector

import numpy as np
from sklearn import datasets, decomposition, ensemble, metrics, pipeline, preprocessing

SETS = ("breast cancer", "wine", "digits, 4", "digits, 8", "diabetes")
CRITERIA = ("negative_elbo", "negative_log_likelihood", "reconstruction")


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="one run each (0 to 4)"
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="of data (all)")
    parser.add_argument("--ours", action="store_true", help="VAEDetector alone")
    parser.add_argument("--set", nargs="+", default=[], metavar="ARGUMENT=VALUE", help="of it")
    options = parser.parse_args()
    pairs = (pair.partition("=") for pair in options.set)
    arguments = {name: ast.literal_eval(value) for name, _, value in pairs}
    print(f"{'':15} {'':32} {'ROC-AUC':>15} {'avg. precision':>15} {'s':>6}")
    over_sets = {}
    for name, (rows, strange) in data_sets().items():
        if name not in options.sets:
            continue
        found = {}
        for seed in options.seeds:
            for detector, (scores, seconds) in detect(
                rows, strange, seed, arguments, options.ours
            ).items():
                figures = metrics.roc_auc_score(*scores), metrics.average_precision_score(*scores)
                found.setdefault(detector, []).append((*figures, seconds))
        for detector, figures in found.items():
            means, deviations = np.mean(figures, axis=0), np.std(figures, axis=0)
            over_sets.setdefault(detector, []).append(means)
            columns = [f"{m:.3f} +- {d:.3f}" for m, d in zip(means, deviations, strict=True)]
            print(
                f"{name:15} {detector:32} {columns[0]:>15} {columns[1]:>15} {means[2]:6.1f}",
                flush=True,
            )
    for detector, figures in over_sets.items():
        area, precision, seconds = np.mean(figures, axis=0)
        print(f"{'mean':15} {detector:32} {area:15.3f} {precision:15.3f} {seconds:6.1f}")


def data_sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows and whether each is strange, by the data set's name."""
    cancer, wine, digits = (
        load(return_X_y=True)
        for load in (datasets.load_breast_cancer, datasets.load_wine, datasets.load_digits)
    )
    progress = datasets.load_diabetes(return_X_y=True)
    return {
        "breast cancer": (cancer[0], cancer[1] == 0),
        "wine": (wine[0], wine[1] == 0),
        "digits, 4": (digits[0], digits[1] == 4),
        "digits, 8": (digits[0], digits[1] == 8),
        "diabetes": (progress[0], progress[1] > np.quantile(progress[1], 0.9)),
    }


def detect(rows, strange, seed, arguments, ours) -> dict[str, tuple]:
    """By every score, what is strange and the scores, and the seconds of its training."""
    usual = np.random.default_rng(seed).permutation(np.flatnonzero(~strange))
    training, held_out = np.split(usual, [len(usual) // 2])
    test = np.concatenate([held_out, np.flatnonzero(strange)])
    found = {}
    for fit, scores in detectors(seed, arguments)[: len(CRITERIA) if ours else None]:
        began = time.perf_counter()
        fitted = fit(rows[training])
        seconds = time.perf_counter() - began
        for name, score in scores.items():
            found[name] = (strange[test], score(fitted, rows[test])), seconds
    return found


def detectors(seed, arguments) -> list[tuple]:
    """Of each, a function that fits it, and its scores by name, greater where strange."""

    def ours(criterion):
        def fit(rows):
            return VAEDetector(random_state=seed, **{**arguments, "criterion": criterion}).fit(rows)

        return fit, {f"keras_vae, {criterion}": lambda fitted, rows: -fitted.score_samples(rows)}

    def error(fitted, rows):
        scaled = fitted[0].transform(rows)
        return ((scaled - fitted[1].inverse_transform(fitted[1].transform(scaled))) ** 2).sum(1)

    known = [
        *map(ours, CRITERIA),
        (
            lambda rows: ensemble.IsolationForest(random_state=seed).fit(rows),
            {"isolation forest": lambda fitted, rows: -fitted.score_samples(rows)},
        ),
        (
            lambda rows: pipeline.make_pipeline(
                preprocessing.StandardScaler(), decomposition.PCA(0.9, random_state=seed)
            ).fit(rows),
            {"PCA": error},
        ),
    ]
    if importlib.util.find_spec("pyod") and importlib.util.find_spec("torch"):
        from pyod.models.auto_encoder import AutoEncoder

        known.append(
            (
                lambda rows: AutoEncoder(random_state=seed, verbose=0).fit(rows),
                {"PyOD autoencoder": lambda fitted, rows: fitted.decision_function(rows)},
            )
        )
    return known


if __name__ == "__main__":
    main()
