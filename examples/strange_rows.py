"""Which rows of a table are strange, why, and how sure one can be of the alarm.

    python examples/strange_rows.py [--output-dir runs/strange_rows]

Trains on benign tumours alone (scikit-learn's breast cancer data, 30 measurements a row), keeps a
part of them to set the alarm by, and asks about the rest and about malignant ones. Prints how well
they are told apart, the threshold and what is known of its false alarms, and what made the
strangest row strange; writes scores.png. `pip install 'keras-vae[anomaly]'` brings scikit-learn.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae import anomaly, drawing

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--epochs", type=int, help="passes over the rows (the detector's default)")
parser.add_argument(
    "--output-dir", type=Path, default=Path("runs/strange_rows"), help="folder (runs/strange_rows)"
)
options = parser.parse_args()

data = load_breast_cancer()
benign = np.random.default_rng(0).permutation(data.data[data.target == 1])
training, held_out, usual = np.split(benign, [180, 280])
strange = data.data[data.target == 0]

detector = anomaly.VAEDetector(epochs=options.epochs, random_state=0).fit(training)
scores = {
    "benign": -detector.score_samples(usual),
    "malignant": -detector.score_samples(strange),
}
truth = np.repeat([0, 1], [len(usual), len(strange)])
found = np.concatenate(list(scores.values()))
print(f"ROC-AUC {roc_auc_score(truth, found):.3f}")
print(f"average precision {average_precision_score(truth, found):.3f}")

# Of rows that the model has not seen: those that it has are less strange to it.
alarm = anomaly.threshold(-detector.score_samples(held_out), false_alarm_rate=0.05)
print(f"threshold {alarm}")
for name, values in scores.items():
    print(f"alarms among {name}: {alarm.is_strange(values).mean():.1%}")


strangest = strange[[scores["malignant"].argmax()]]
by_column = anomaly.attribution(
    detector.model_,
    detector.standardised(strangest),
    reference=detector.standardised(held_out),
    progress=False,
)[0]
print("what makes the strangest strange, in nats more than usual:")
for column in by_column.argsort()[:-6:-1]:
    print(f"  {data.feature_names[column]:24} {by_column[column]:10.1f}")

options.output_dir.mkdir(parents=True, exist_ok=True)
picture = drawing.score_distributions(scores, "-ELBO (nats)", threshold=alarm.value)
picture.save(options.output_dir / "scores.png")
print(f"wrote {options.output_dir / 'scores.png'}")
