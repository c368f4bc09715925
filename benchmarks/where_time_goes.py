"""Where the time of a fast training step goes: `fit` taken apart from the outside in.

    python benchmarks/where_time_goes.py [--steps 2048] [--rounds 5]

At the sizes of `examples/mnist.py`, but for the first line with `steps_per_execution=64`. Each line
is measured by itself, in turn with the others, in milliseconds a step: medians over the rounds with
their spread. What a line has more than the next one is the cost of what it adds.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
import rivals
from keras_vae.training.lent_examples import lending

import keras
import numpy as np
import tensorflow as tf

EXECUTION = 64


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2048, help="steps a measurement (2048)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each line (5)")
    options = parser.parse_args()
    sizes = rivals.Sizes()
    images = np.random.default_rng(0).random((60_000, sizes.pixels), dtype=np.float32)
    lines = {
        "fit, no argument for speed": rivals.ours_as_it_comes(images, sizes),
        "fit": rivals.ours(images, sizes, EXECUTION),
        "its train function, called by a plain loop": train_function(images, sizes),
        "the same, batches out of the pipeline": train_function(images, sizes, lent=False),
        "and every batch looked at": train_function(images, sizes, lent=False, looked_at=True),
        "one batch over and over, out of a pipeline": train_function(images, sizes, shuffled=False),
        "the data pipeline alone": pipeline(images, sizes),
        "a bare XLA loop over images in memory": rivals.bare_xla_loop(images, sizes, EXECUTION),
        "the matrix products alone": rivals.floor(images, sizes),
    }
    for run in lines.values():
        run(4 * EXECUTION)  # Compiles.
    times = {name: [] for name in lines}
    for number in range(options.rounds):
        names = list(lines)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = time.perf_counter()
            lines[name](options.steps)
            times[name].append(1000 * (time.perf_counter() - started) / options.steps)
    print(f"\n{'ms a step':44}{'median':>8}{'from':>8}{'to':>8}")
    for name, values in times.items():
        print(f"{name:44}{statistics.median(values):8.3f}{min(values):8.3f}{max(values):8.3f}")


def train_function(images, sizes, shuffled=True, lent=True, looked_at=False):
    """What `fit` calls, without `fit`: no callbacks and no epochs."""
    shape = (sizes.pixels,)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(shape, sizes.latent, [sizes.hidden] * 2, scale="square"),
        keras_vae.networks.mlp_decoder(shape, sizes.latent, [sizes.hidden] * 2),
        beta=rivals.BETA,
        reduction="mean",
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(rivals.RATE), steps_per_execution=EXECUTION)
    if shuffled:
        batches = keras_vae.datasets.from_arrays(images, batch_size=sizes.batch).repeat()
    else:
        batches = tf.data.Dataset.from_tensors(images[: sizes.batch]).repeat()
    if looked_at:
        # As those of a data set of which nothing is known beforehand.
        handed_on = tf.data.Dataset.from_tensors(0).flat_map(lambda _: batches)
        batches = vae.data_check().wrap(handed_on)
    vae.make_train_function()
    # As `fit` hands its data over.
    iterator = iter(lending(batches) if lent else batches)

    def run(steps):
        for _ in range(steps // EXECUTION):
            logs = vae.train_function(iterator)
        float(logs["loss"])

    return run


def pipeline(images, sizes):
    """Batches as `fit` gets them, with nothing trained."""
    iterator = iter(keras_vae.datasets.from_arrays(images, batch_size=sizes.batch).repeat())

    def run(steps):
        for _ in range(steps):
            next(iterator)

    return run


if __name__ == "__main__":
    main()
