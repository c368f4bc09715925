"""How well each score tells a digit that a model has never seen from those that it has.

    python benchmarks/strange_digits.py [--digits 0 1 2 3 4 5 6 7 8 9] [--epochs 2]

Each digit of MNIST is held out in turn: a small VAE (an MLP of 400 hidden units, 10 latents,
Bernoulli pixels) trains on the other nine, and is asked about test images of the nine and of the
one. Then a preset, which has seen all ten, is asked about typeset digits and about noise, beside
MNIST's test images. Prints ROC-AUC by score of `keras_vae.anomaly`, 1 where strangers are stranger
and 0 where they are taken for the most usual; likelihood regret, which is slower, of fewer images.
Needs MNIST, prepared for TFDS or downloadable, and `pip install scikit-learn`.
"""

import argparse
import logging
import os
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import anomaly

import keras
import numpy as np
from sklearn import metrics

# It warns of what is traced again, here once for each model.
logging.getLogger("tensorflow").setLevel(logging.ERROR)


def scores(reference: np.ndarray) -> dict:
    """Functions of a model and images, by name; the reference is of its training images."""
    return {
        "-ELBO": lambda *of: anomaly.negative_elbo(*of, num_samples=8, progress=False),
        "-log p(x)": lambda *of: anomaly.negative_log_likelihood(*of, progress=False),
        "reconstruction": lambda *of: anomaly.reconstruction_term(*of, progress=False),
        "latent distance": lambda *of: anomaly.latent_distance(*of, reference, progress=False),
        "regret": lambda *of: anomaly.likelihood_regret(*of, progress=False),
    }


def areas(vae, usual, strange, reference, few: int) -> list[float]:
    """ROC-AUC of every score, of the first few images where that is slow."""
    found = []
    for name, score in scores(reference).items():
        count = few if name == "regret" else None
        by_kind = [score(vae, images[:count]) for images in (usual, strange)]
        truth = np.repeat([0, 1], [len(values) for values in by_kind])
        found.append(metrics.roc_auc_score(truth, np.concatenate(by_kind)))
    return found


def trained(images: np.ndarray, epochs: int) -> keras_vae.VAE:
    """A small VAE of these images."""
    keras.utils.set_random_seed(0)
    shape = images.shape[1:]
    vae = keras_vae.VAE(
        encoder=keras_vae.mlp_encoder(shape, latent_dim=10),
        decoder=keras_vae.mlp_decoder(shape, latent_dim=10),
    )
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(keras_vae.datasets.from_arrays(images), epochs=epochs, verbose=0)
    return vae


def whole(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of a split, and their labels."""
    batches = keras_vae.datasets.load(name, split, batch_size=1000, shuffle=False, with_labels=True)
    images, labels = zip(*((x.numpy(), y.numpy()) for x, y in batches), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def line(name: str, cells) -> str:
    """A row of the table."""
    return f"{name:24}" + "".join(f"{cell:>17}" for cell in cells)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--digits", type=int, nargs="+", default=list(range(10)), help="held out in turn (all)")
    add("--epochs", type=int, default=2, help="of each training (2)")
    add("--images", type=int, default=300, help="of each kind (300)")
    add("--regret-images", type=int, default=100, help="of each kind, for regret (100)")
    add("--preset", default="mnist_mlp", help="asked about other strangers (mnist_mlp)")
    options = parser.parse_args()
    few, count = options.regret_images, options.images
    images, labels = whole("mnist", "train")
    test_images, test_labels = whole("mnist", "test")
    began = time.perf_counter()
    print(line("stranger", scores(images)), flush=True)
    rows = []
    for digit in options.digits:
        training, is_it = images[labels != digit], test_labels == digit
        vae = trained(training, options.epochs)
        usual, strange = test_images[~is_it][:count], test_images[is_it][:count]
        rows.append(areas(vae, usual, strange, training[:5000], few))
        print(line(f"digit {digit}", (f"{area:.3f}" for area in rows[-1])), flush=True)
    print(line("mean of the digits", (f"{area:.3f}" for area in np.mean(rows, axis=0))))
    vae = keras_vae.VAE.from_preset(options.preset)
    usual = test_images[:count]
    strangers = {
        "typeset digits": whole("typeset_digits", "test")[0][:count],
        "noise": np.random.default_rng(0).random(usual.shape, dtype=np.float32),
    }
    for name, strange in strangers.items():
        found = areas(vae, usual, strange, images[:5000], few)
        print(line(f"{name}, {options.preset}", (f"{area:.3f}" for area in found)), flush=True)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
