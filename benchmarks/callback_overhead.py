"""What the default set of callbacks costs, in wall time of `fit`.

Trains the beta-VAE of `examples/mnist.py` for five epochs of MNIST (70,000 images, batches of 64),
with the callbacks at their default frequencies and without any, in turn, in one process. Prints
each run, the medians, their spread and their ratio, and the time spent inside each callback. On a
machine that others use too, processor time says more than wall time.

    python benchmarks/callback_overhead.py [--rounds 5] [--epochs 5]

Where MNIST is neither prepared nor downloadable it trains on digits that it typesets itself. Runs
before the first round, which compile and fill caches, do not count.
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.callbacks.elbo_logger import ELBOLogger
from keras_vae.callbacks.latent_statistics import LatentStatistics
from keras_vae.callbacks.latent_traversal import LatentTraversal
from keras_vae.callbacks.loss_curves import LossCurves
from keras_vae.callbacks.prior_samples import PriorSamples
from keras_vae.callbacks.reconstruction_grid import ReconstructionGrid

import keras
import numpy as np

HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_epoch_end",
    "on_train_end",
)


def main():
    """Times the runs and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (5)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs a run (5)")
    options = parser.parse_args()

    images = load()
    held_out = np.concatenate(list(images.take(16).as_numpy_iterator()))[:1000]
    seconds = {"without": [], "with": []}
    processor_seconds = {"without": [], "with": []}
    inside = {}
    for round_number in range(options.rounds + 1):
        # Turn about, so that neither kind always runs first.
        for kind in sorted(seconds, reverse=round_number % 2 == 1):
            spent = {}
            wall, processor = fit(
                images, held_out, options.epochs, spent if kind == "with" else None
            )
            if round_number == 0:
                continue
            seconds[kind].append(wall)
            processor_seconds[kind].append(processor)
            for name, value in spent.items():
                inside.setdefault(name, []).append(value / wall)
            print(
                f"round {round_number} {kind:>8} callbacks: {wall:7.2f} s, "
                f"of processors {processor:7.2f} s",
                flush=True,
            )
    report("wall time", seconds)
    report("processor time", processor_seconds)
    print("wall time inside the callbacks, of their fit's:")
    for name, shares in inside.items():
        print(f"{name:>20} {statistics.median(shares):6.2%}")
    print(
        f"{'together':>20} {statistics.median(map(sum, zip(*inside.values(), strict=True))):6.2%}"
    )


def load():
    """MNIST, both splits, or what stands in for it."""
    settings = {"split": "train+test", "batch_size": 64, "shuffle": True}
    return keras_vae.datasets.load(keras_vae.datasets.available(), **settings)


def fit(images, held_out, epochs, spent):
    """Seconds of one `fit`, wall and processor, with callbacks if there is a dict for theirs."""
    keras.utils.set_random_seed(0)
    shape = images.element_spec.shape[1:]
    vae = keras_vae.VAE(
        encoder=keras_vae.networks.mlp_encoder(shape, 10, [100, 100], scale="square"),
        decoder=keras_vae.networks.mlp_decoder(shape, 10, [100, 100]),
        beta=0.01,
        reduction="mean",
        seed=0,
    )
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [] if spent is None else default_callbacks(held_out, folder)
        for callback in callbacks:
            note_time(callback, spent)
        start = time.perf_counter(), time.process_time()
        vae.fit(images, epochs=epochs, verbose=0, callbacks=callbacks)
        return time.perf_counter() - start[0], time.process_time() - start[1]


def default_callbacks(held_out, folder):
    """All that watch training, as they come."""
    return [
        LatentStatistics(held_out, folder),
        ELBOLogger(folder, print_table=False),
        LossCurves(folder),
        ReconstructionGrid(held_out[:10], folder),
        LatentTraversal(folder),
        PriorSamples(folder),
    ]


def note_time(callback, spent):
    """Adds up, by the callback's name, the time inside its hooks."""

    def timed(hook):
        def run(*args, **kwargs):
            start = time.perf_counter()
            try:
                return hook(*args, **kwargs)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

        return run

    name = type(callback).__name__
    for hook in HOOKS:
        setattr(callback, hook, timed(getattr(callback, hook)))


def report(what, seconds):
    """Prints medians, spread and ratio."""
    medians = {kind: statistics.median(taken) for kind, taken in seconds.items()}
    for kind, taken in seconds.items():
        print(
            f"{what}, {kind} callbacks: median {medians[kind]:.2f} s, "
            f"from {min(taken):.2f} to {max(taken):.2f} s"
        )
    ratios = [b / a for a, b in zip(seconds["without"], seconds["with"], strict=True)]
    print(
        f"{what}, overhead: {medians['with'] / medians['without'] - 1:+.1%} by the medians, "
        f"{statistics.median(ratios) - 1:+.1%} by the median of the rounds' ratios "
        f"(from {min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%})"
    )


if __name__ == "__main__":
    main()
