"""Makes rows up, and looks how far they are from real ones.

    python examples/synthetic_rows.py [--epochs 600] [--output-dir runs/synthetic_rows]

Trains on four fifths of scikit-learn's breast cancer data, ten measurements and the diagnosis, and
samples as many rows. Prints means, standard deviations and correlations of both; how well a
classifier that is trained to tell them apart does on rows that it has not seen (0.5 is not at all);
and how well one that learns the diagnosis from made-up rows knows it of real ones. Writes rows.png.
`pip install 'keras-vae[tables,anomaly]'` brings pandas and scikit-learn.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae.tables import Table, TableVAE

import keras
import matplotlib.figure
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--epochs", type=int, default=600, help="passes over the rows (600)")
parser.add_argument(
    "--output-dir",
    type=Path,
    default=Path("runs/synthetic_rows"),
    help="folder (runs/synthetic_rows)",
)
options = parser.parse_args()

keras.utils.set_random_seed(0)
data = load_breast_cancer(as_frame=True)
frame = data.data.filter(like="mean ").assign(
    diagnosis=data.target.map({0: "malignant", 1: "benign"})
)
shuffled = frame.sample(frac=1.0, random_state=0)
training, held_out = shuffled[:455], shuffled[455:]

vae = TableVAE(Table.infer(training), latent_dim=5)
vae.compile(keras.optimizers.Adam(1e-3))
vae.fit(training, batch_size=32, epochs=options.epochs, verbose=0)
made_up = vae.sample(len(training), seed=0)

numeric = list(training.columns[:-1])
print(f"\n{'':24} mean: real, made up      standard deviation: real, made up")
for name in numeric:
    means = f"{training[name].mean():12.4g} {made_up[name].mean():11.4g}"
    print(f"{name:24}{means} {training[name].std():17.4g} {made_up[name].std():11.4g}")
print(f"malignant: {(training.diagnosis == 'malignant').mean():.1%} of real rows, ", end="")
print(f"{(made_up.diagnosis == 'malignant').mean():.1%} of those made up")
correlations = [rows[numeric].corr().to_numpy() for rows in (training, made_up)]
print(f"correlations differ by {abs(correlations[0] - correlations[1]).mean():.3f} on average")


def features(rows):
    """Rows as numbers for a classifier."""
    return rows[numeric].assign(is_malignant=rows["diagnosis"] == "malignant").to_numpy(float)


forest = RandomForestClassifier(random_state=0)
both = features(pd.concat([training, made_up]))
is_real = np.repeat([1, 0], [len(training), len(made_up)])
order = np.random.default_rng(0).permutation(len(both))
areas = cross_val_score(forest, both[order], is_real[order], scoring="roc_auc")
print(f"a classifier tells them apart with ROC-AUC {areas.mean():.3f}")
for name, rows in (("real", training), ("made-up", made_up)):
    forest.fit(rows[numeric].to_numpy(), rows["diagnosis"])
    right = forest.score(held_out[numeric].to_numpy(), held_out["diagnosis"])
    print(f"diagnosis of held-out rows, learned from {name} ones: {right:.1%} right")

figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
panels = figure.subplots(1, 2)
for axes, rows, title in zip(panels, (training, made_up), ("real", "made up"), strict=True):
    for diagnosis, own in rows.groupby("diagnosis"):
        axes.plot(own["mean radius"], own["mean texture"], ".", alpha=0.6, label=diagnosis)
    axes.set(title=title, xlabel="mean radius", ylabel="mean texture", xlim=(5, 30), ylim=(8, 42))
    axes.legend()
options.output_dir.mkdir(parents=True, exist_ok=True)
figure.savefig(options.output_dir / "rows.png", dpi=120)
print(f"wrote {options.output_dir / 'rows.png'}")
