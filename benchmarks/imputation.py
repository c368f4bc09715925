"""Errors of values that were imputed, beside scikit-learn's imputers.

    python benchmarks/imputation.py [--sets wine] [--seeds 0 1 2] [--missing 0.2 0.5]

Data come with scikit-learn: breast cancer, wine, diabetes and digits. Every third column becomes
four classes, or fewer, by its quartiles; the others are standardised. Then values are removed
completely at random, drawn by the seed, and every imputer is fitted to what is left of the table
and fills it in. All are given the same numbers: a class is a group of one-hot columns, and the
class imputed that of the greatest.

  VAE, MIWAE      `missing=True`; a Gaussian with a learned scale for the numbers, a categorical for
                  each class; MIWAE is `objectives.IWAE` with 20 samples. `impute` with 500 samples
  iterative       scikit-learn's `IterativeImputer`, linear regressions by turns
  neighbours      scikit-learn's `KNNImputer`
  column          means, and most frequent classes

Prints the root of the mean squared error of numbers, in standard deviations of a column, and the
share of wrong classes, means over the seeds with their standard deviation, and the seconds.
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.distributions import Gaussian, Product

import keras
import numpy as np
from sklearn import datasets, impute
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

BATCH, STEPS = 64, 1500


class Table:
    """A table of numbers and one-hot classes, and how it lost some of them.

    Args:
        columns: `[n, columns]`. A third become classes; columns of one value are left out.
    """

    def __init__(self, columns: np.ndarray):
        self.numbers, self.classes, parts, size = [], [], [], 0
        for index, column in enumerate(columns.T):
            one_hot = classes_of(column) if index % 3 == 2 else None
            if column.std() == 0 or (one_hot is not None and one_hot.shape[1] < 2):
                continue
            if one_hot is None:
                self.numbers.append(size)
                parts.append((column - column.mean())[:, None] / column.std())
            else:
                self.classes.append(range(size, size + one_hot.shape[1]))
                parts.append(one_hot)
            size += parts[-1].shape[1]
        self.whole = np.concatenate(parts, axis=1).astype(np.float32)

    def with_holes(self, share: float, seed: int) -> np.ndarray:
        """The table, NaN where a value is lost; at least one is left in a row."""
        generator = np.random.default_rng(seed)
        count = len(self.numbers) + len(self.classes)
        lost = generator.random((len(self.whole), count)) < share
        lost[np.arange(len(lost)), generator.integers(count, size=len(lost))] = False
        groups = [*([index] for index in self.numbers), *self.classes]
        table = self.whole.copy()
        for is_lost, group in zip(lost.T, groups, strict=True):
            table[np.ix_(is_lost, list(group))] = np.nan
        return table

    def errors(self, holes: np.ndarray, imputed: np.ndarray) -> tuple[float, float]:
        """Of numbers, and of classes."""
        lost = np.isnan(holes)
        numbers = lost[:, self.numbers]
        differences = (imputed - self.whole)[:, self.numbers][numbers]
        wrong = [
            imputed[np.ix_(lost[:, group[0]], list(group))].argmax(axis=1)
            != self.whole[np.ix_(lost[:, group[0]], list(group))].argmax(axis=1)
            for group in self.classes
        ]
        return float(np.sqrt(np.mean(differences**2))), float(np.concatenate(wrong).mean())

    def likelihood(self) -> Product:
        """A Gaussian for the numbers, and a categorical for each class."""
        groups = {"numbers": (Gaussian(1.0, learn_scale=True), self.numbers)}
        return Product(
            groups | {f"class_{i}": ("categorical", group) for i, group in enumerate(self.classes)}
        )


def classes_of(column: np.ndarray) -> np.ndarray:
    """One-hot quarters of a column, fewer where many values are the same."""
    edges = np.unique(np.quantile(column, [0.25, 0.5, 0.75]))
    _, classes = np.unique(np.searchsorted(edges, column, "left"), return_inverse=True)
    return np.eye(classes.max() + 1)[classes]


def vae(cls, **kwargs):
    """A function that imputes by a VAE."""

    def filled_in(table, holes, seed):
        keras.utils.set_random_seed(seed)
        shape, likelihood = holes.shape[1:], table.likelihood()
        latent_dim = min(10, (len(table.numbers) + len(table.classes)) // 2)
        model = cls(
            encoder=keras_vae.mlp_encoder(shape, latent_dim, (64, 64), missing=True),
            decoder=keras_vae.mlp_decoder(shape, latent_dim, (64, 64), likelihood=likelihood),
            likelihood=likelihood,
            missing=True,
            **kwargs,
        )
        # XLA takes longer to compile so small a model than it saves in so few steps.
        model.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
        batches = keras_vae.datasets.from_arrays(holes, batch_size=BATCH, seed=seed)
        model.fit(batches.repeat(STEPS // len(batches)), verbose=0)
        return model.impute(holes, num_samples=500, seed=seed).numpy()

    return filled_in


def by_scikit_learn(imputer):
    """A function that imputes by one of scikit-learn's."""

    def filled_in(table, holes, seed):
        del table
        with warnings.catch_warnings():
            # Of iterations that have not converged, as by default they often have not.
            warnings.simplefilter("ignore")
            return imputer(seed).fit_transform(holes)

    return filled_in


SETS = {
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
}
IMPUTERS = {
    "VAE": vae(keras_vae.VAE),
    "MIWAE": vae(keras_vae.objectives.IWAE, num_samples=20),
    "iterative": by_scikit_learn(lambda seed: impute.IterativeImputer(random_state=seed)),
    "neighbours": by_scikit_learn(lambda seed: impute.KNNImputer()),
    "column": by_scikit_learn(lambda seed: impute.SimpleImputer()),
}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one run each (0 to 2)")
    add("--missing", type=float, nargs="+", default=[0.2, 0.5], help="shares (0.2 and 0.5)")
    add("--sets", nargs="+", choices=SETS, default=list(SETS), help="of data (all)")
    options = parser.parse_args()
    print(f"{'':14} {'missing':>7} {'':11} {'numbers':>15} {'classes':>15} {'s':>6}")
    for name in options.sets:
        table = Table(SETS[name]().data)
        for share in options.missing:
            for imputer, filled_in in IMPUTERS.items():
                found = []
                for seed in options.seeds:
                    holes = table.with_holes(share, seed)
                    began = time.perf_counter()
                    imputed = filled_in(table, holes, seed)
                    found.append((*table.errors(holes, imputed), time.perf_counter() - began))
                means, deviations = np.mean(found, axis=0), np.std(found, axis=0)
                cells = [f"{m:.3f} +- {d:.3f}" for m, d in zip(means, deviations, strict=True)]
                print(
                    f"{name:14} {share:7.0%} {imputer:11} {cells[0]:>15} {cells[1]:>15} "
                    f"{means[2]:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
