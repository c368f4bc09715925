"""Memory while one process calls `fit` over and over, as a long notebook does.

    python benchmarks/repeated_fits.py [--fits 200] [--models 20]

Trains a small model on the same images again and again: as an array, as a `tf.data` pipeline, and
as one of `keras_vae.datasets`. Prints the memory that the process holds and the number of Python
objects after the 1st, the 10th and then every 50th call. Then new models, of which each trains once
and is given up, with XLA and without: the memory after every fifth. Linux only.
"""

import argparse
import gc
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae

import keras
import numpy as np
import tensorflow as tf

SHAPE = (28, 28, 1)


def main():
    """Prints a line for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=200, help="calls of `fit` for each (200)")
    parser.add_argument("--models", type=int, default=20, help="new models of each kind (20)")
    options = parser.parse_args()
    images = np.random.default_rng(0).random((640, *SHAPE), dtype=np.float32)
    kinds = {
        "array": images,
        "tf.data": tf.data.Dataset.from_tensor_slices(images).batch(64),
        "keras_vae.datasets": keras_vae.datasets.from_arrays(images, batch_size=64),
    }
    vae = model()
    print(f"{'':20} fits    MiB    objects")
    for name, data in kinds.items():
        batch_size = {"batch_size": 64} if isinstance(data, np.ndarray) else {}
        for number in range(1, options.fits + 1):
            vae.fit(data, verbose=0, **batch_size)
            if number in (1, 10) or number % 50 == 0:
                tell(name, number)
    for name, arguments in {"new models": {}, "the same, no XLA": {"jit_compile": False}}.items():
        for number in range(1, options.models + 1):
            model(**arguments).fit(images, verbose=0, batch_size=64)
            if number == 1 or number % 5 == 0:
                tell(name, number)


def model(**arguments):
    """A new one, compiled with these arguments besides the optimizer."""
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 10, [100, 100]),
        keras_vae.networks.mlp_decoder(SHAPE, 10, [100, 100]),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(1e-3), **arguments)
    return vae


def tell(name, number):
    """Prints what there is after that many."""
    gc.collect()
    print(f"{name:20} {number:4} {resident():6.0f} {len(gc.get_objects()):10}", flush=True)


def resident():
    """MiB of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
