"""Simple strangers: the trap that a likelihood falls into, and the score that does not.

    python examples/strange_images.py [--preset mnist_mlp] [--images 500]

Asks a model that was trained on handwritten digits about images of several kinds: held-out digits,
blank ones, grey ones, a few bright pixels, noise, and digits from printed type. Prints each score's
mean by kind and its ROC-AUC against the held-out digits, 1 where strangers are stranger and 0 where
they are taken for the most usual of all; writes a picture of two scores. Needs MNIST, prepared for
TFDS or downloadable, or the preset's own data set.
"""

import argparse
import logging
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import anomaly, drawing

import numpy as np

# It warns of what is traced again, here once for each kind of images.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

SCORES = {
    "-ELBO": anomaly.negative_elbo,
    "-log p(x)": anomaly.negative_log_likelihood,
    "reconstruction": anomaly.reconstruction_term,
    "likelihood regret": anomaly.likelihood_regret,
}


def kinds(dataset: str, count: int) -> dict[str, np.ndarray]:
    """Images of several kinds, `[count, height, width, channels]`, by name."""

    def read(name):
        batches = keras_vae.datasets.load(name, "test", batch_size=count, shuffle=False)
        return next(iter(batches)).numpy()[:count]

    digits = read(dataset)
    generator = np.random.default_rng(0)
    blank = np.zeros_like(digits)
    return {
        "held-out digits": digits,
        "blank": blank,
        "grey": blank + generator.random((len(digits), 1, 1, 1), dtype=np.float32) / 2,
        "a few pixels": (generator.random(digits.shape) < 0.01).astype(np.float32),
        "noise": generator.random(digits.shape, dtype=np.float32),
        "printed digits": read("typeset_digits"),
    }


def area_under_roc(usual: np.ndarray, strange: np.ndarray) -> float:
    """The share of pairs in which the strange one has the greater score."""
    order = np.sort(usual)
    below = np.searchsorted(order, strange, "left")
    level = np.searchsorted(order, strange, "right") - below
    return float((below + level / 2).mean() / len(usual))


def main():
    """Prints the table, and draws the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="mnist_mlp", help="which model (mnist_mlp)")
    parser.add_argument("--dataset", default="mnist", help="what it was trained on (mnist)")
    parser.add_argument("--images", type=int, default=500, help="of each kind (500)")
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("runs/strange_images"),
        help="folder (runs/strange_images)",
    )
    options = parser.parse_args()
    vae = keras_vae.VAE.from_preset(options.preset)
    images = kinds(options.dataset, options.images)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    print(f"{'':18}" + "".join(f"{name:>20}" for name in SCORES))
    found = {
        score: {kind: of(vae, some, progress=False) for kind, some in images.items()}
        for score, of in SCORES.items()
    }
    for kind in images:
        cells = []
        for by_kind in found.values():
            area = area_under_roc(by_kind["held-out digits"], by_kind[kind])
            compared = "" if kind == "held-out digits" else f"{area:.3f}"
            cells.append(f"{by_kind[kind].mean():13.1f} {compared:>6}")
        print(f"{kind:18}" + "".join(cells))
    for score in ("-ELBO", "likelihood regret"):
        path = options.output_dir / f"{score.strip('-').replace(' ', '_').lower()}.png"
        drawing.score_distributions(found[score], f"{score} (nats)").save(path)
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
