"""Fills the holes of a table, beside what scikit-learn fills in.

    python examples/impute_table.py [--epochs 600]

Takes scikit-learn's wine data with the cultivar as a column of classes, makes a quarter of all
values missing, trains on four fifths of the rows with holes until the others are not explained
better for a hundred passes, and fills all of them in. Prints the error of the numbers
there, in standard deviations of their columns, and how many of the classes are right, beside column
means, `KNNImputer` and `IterativeImputer`; and how often the truth lies between the 5% and the 95%
quantile of a hundred draws. `pip install 'keras-vae[tables,anomaly]'` brings pandas and
scikit-learn.
"""

import argparse
import os

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae.tables import Table, TableIWAE

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--epochs", type=int, default=600, help="passes over the rows at most (600)")
options = parser.parse_args()

keras.utils.set_random_seed(0)
wine = load_wine(as_frame=True)
truth = wine.data.assign(cultivar=np.array(["Barolo", "Grignolino", "Barbera"])[wine.target])
holes = np.random.default_rng(0).random(truth.shape) < 0.25
frame = truth.mask(holes)

# The importance-weighted bound, which is tighter, serves imputation better.
model = TableIWAE(
    Table.infer(frame), num_samples=10, gradient="doubly_reparameterized", latent_dim=4
)
model.compile(keras.optimizers.Adam(1e-3))
# So few rows are soon known by heart, and a model that knows them is too sure of others.
held_out = frame.sample(frac=0.2, random_state=0)
stop = keras.callbacks.EarlyStopping("val_loss", patience=100, restore_best_weights=True)
model.fit(
    frame.drop(held_out.index),
    validation_data=held_out,
    batch_size=32,
    epochs=options.epochs,
    callbacks=[stop],
    verbose=0,
)
filled = {"keras_vae, TableIWAE": model.impute(frame, num_samples=1000, seed=0)}

# What scikit-learn imputes is numbers: standardised ones, and 0 or 1 for each class.
numeric = list(wine.data.columns)
mean, scale = frame[numeric].mean(), frame[numeric].std()
classes = pd.get_dummies(frame["cultivar"]).astype(float).where(frame["cultivar"].notna())
standardised = pd.concat([(frame[numeric] - mean) / scale, classes], axis=1)
for imputer in (SimpleImputer(), KNNImputer(), IterativeImputer(max_iter=30, random_state=0)):
    values = pd.DataFrame(imputer.fit_transform(standardised), columns=standardised.columns)
    imputed = values[numeric] * scale + mean
    imputed["cultivar"] = values[classes.columns].idxmax(axis=1)
    filled[f"scikit-learn, {type(imputer).__name__}"] = imputed

print(f"{'':32} root mean squared error   classes right")
for name, imputed in filled.items():
    errors = ((imputed[numeric] - truth[numeric]) / scale).to_numpy()[holes[:, :-1]]
    error = np.sqrt(np.mean(errors**2))
    is_right = (imputed["cultivar"] == truth["cultivar"])[holes[:, -1]]
    print(f"{name:32} {error:10.3f} {is_right.mean():26.1%}")

draws = model.impute(frame, num_samples=1000, num_draws=100, seed=0)
low, high = np.quantile([drawn[numeric] for drawn in draws], (0.05, 0.95), axis=0)
is_between = ((truth[numeric] >= low) & (truth[numeric] <= high)).to_numpy()[holes[:, :-1]]
print(f"between the 5% and 95% quantiles of 100 draws: {is_between.mean():.1%} of the numbers")
