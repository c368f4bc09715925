"""Trains the network in whose features `keras_vae.sample_quality` compares sets of images.

A small convolutional classifier of handwritten digits, of which the 64 units before the last layer
are the features. Writes `mnist_features.keras` and its card, which says what it gets right on the
test images, into `keras_vae/sample_quality/mnist_features/`, or into the folder that is given.
"""

import argparse
import os
import platform
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae import datasets, presets

import keras

FOLDER = Path(__file__).parents[1] / "keras_vae/sample_quality/mnist_features"


def classifier() -> keras.Model:
    """The network: grey images `[batch, 28, 28, 1]` in [0, 1] to logits `[batch, 10]`."""
    images = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")(images)
    x = keras.layers.Conv2D(32, 5, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(64, activation="relu", name="features")(x)
    # Dropout keeps what few units tell from being all that the classes depend on.
    x = keras.layers.Dropout(0.5, seed=0)(x)
    return keras.Model(images, keras.layers.Dense(10, name="logits")(x), name="mnist_features")


def main():
    """Trains, tests and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="mnist", help="of 28x28 grey images (mnist)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the images (10)")
    parser.add_argument("--steps", type=int, help="batches an epoch, for a trial (all)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (0)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write")
    options = parser.parse_args()

    keras.utils.set_random_seed(options.seed)
    train, test = datasets.load(options.dataset, with_labels=True, seed=options.seed)
    if options.steps:
        train, test = train.take(options.steps), test.take(options.steps)
    model = classifier()
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, options.epochs * len(train), alpha=0.01)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"])
    model.fit(train, epochs=options.epochs, shuffle=False, verbose=2)
    figures = model.evaluate(test, return_dict=True, verbose=0)
    presets.save(
        model,
        options.folder,
        description="A convolutional classifier whose layer `features` compares sets of images.",
        data={"name": options.dataset, "split": "train", "binarize": None},
        training={
            "command": f"python tools/train_features.py --epochs {options.epochs}",
            "seed": options.seed,
            "batch_size": 128,
            "epochs": options.epochs,
            "optimizer": "Adam",
            "learning_rate": "0.001, cosine to 0.00001",
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        },
        figures={"test_accuracy": figures["accuracy"], "test_cross_entropy": figures["loss"]},
    )
    print(f"test accuracy {figures['accuracy']:.4f}; written to {options.folder}")


if __name__ == "__main__":
    main()
