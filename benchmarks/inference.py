"""Embedding and sampling a million images, and the data pipeline alone.

    python benchmarks/inference.py [--images 1000000] [--rounds 3]

Embeds random images of MNIST's size with the encoder of the preset `mnist_mlp`, samples as many
from its prior, and iterates over batches of 64 that `keras_vae.datasets.from_arrays` shuffles, with
nothing done to them. Works through the images in pieces of 50,000, so memory stays bounded.
"""

import argparse
import os
import resource
import statistics
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae

import numpy as np

PIECE = 50_000


def main():
    """Prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each measurement (3)")
    options = parser.parse_args()
    vae = keras_vae.VAE.from_preset("mnist_mlp")
    images = np.random.default_rng(0).random((PIECE, 28, 28, 1), dtype=np.float32)
    pieces = max(1, options.images // PIECE)
    batches = keras_vae.datasets.from_arrays(images, batch_size=64)

    def embed():
        for _ in range(pieces):
            vae.embed(images)

    def sample():
        for piece in range(pieces):
            vae.sample(PIECE, seed=piece)

    def pipeline():
        for _ in range(pieces):
            for _ in batches:
                pass

    vae.embed(images[:2048]), vae.sample(2048)
    for name, work in {"embed": embed, "sample": sample, "pipeline": pipeline}.items():
        rates = []
        for _ in range(options.rounds):
            start = time.perf_counter()
            work()
            rates.append(pieces * PIECE / (time.perf_counter() - start))
        print(
            f"{name:9} {statistics.median(rates):10.0f} images/s "
            f"(from {min(rates):.0f} to {max(rates):.0f}), {pieces * PIECE} images",
            flush=True,
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
