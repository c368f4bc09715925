"""Training on a set that does not fit in memory: how much memory that takes.

    python benchmarks/streaming.py [--gigabytes 2] [--data-dir FOLDER]

Generates a TFDS set of random 128x128 colour images of that size on disk (kept in the folder for
the next run, if one is given), streams it through `keras_vae.datasets.load` into `fit`, and prints
the process's peak memory beyond what it has with TensorFlow loaded.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae

import keras
import numpy as np

SIZE = 128
PER_IMAGE = SIZE * SIZE * 3


def main():
    """Generates, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of decoded images (2)")
    parser.add_argument("--batch-size", type=int, default=64, help="images a step (64)")
    parser.add_argument("--steps", type=int, help="training steps (one epoch)")
    parser.add_argument("--data-dir", type=Path, help="where the set stays (a temporary folder)")
    options = parser.parse_args()
    count = int(options.gigabytes * 1e9 / PER_IMAGE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data_dir or Path(temporary)
        generate(folder, count)
        train(folder, options)


def generate(folder, count):
    """Prepares the set, unless it is there."""
    import tensorflow_datasets as tfds

    class RandomImages(tfds.core.GeneratorBasedBuilder):
        """Noise that compresses badly, as photographs do."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(SIZE, SIZE, 3), encoding_format="jpeg")
            # Not from configuration files: a script has none beside it.
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict({"image": image})
            )

        def _split_generators(self, download_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            random = np.random.default_rng(0)
            for index in range(count):
                coarse = random.integers(0, 256, (SIZE // 8, SIZE // 8, 3), np.uint8)
                yield index, {"image": coarse.repeat(8, 0).repeat(8, 1)}

    RandomImages(data_dir=folder).download_and_prepare()


def train(folder, options):
    """One epoch, or the steps asked for, of a small convolutional VAE."""
    before = peak()
    images = keras_vae.datasets.load(
        "random_images", "train", options.batch_size, data_dir=folder, memory_limit=2**29
    )
    shape = images.element_spec.shape[1:]
    vae = keras_vae.VAE(
        keras_vae.networks.conv_encoder(shape, 16, filters=(8, 16, 16)),
        keras_vae.networks.conv_decoder(shape, 16, filters=(16, 16, 8)),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(1e-3))
    start = time.perf_counter()
    vae.fit(images, steps_per_epoch=options.steps, verbose=2)
    print(
        f"{int(images.cardinality())} batches of {options.batch_size} images {shape}: "
        f"{time.perf_counter() - start:.0f} s, peak memory {peak():.0f} MiB, "
        f"{peak() - before:.0f} MiB above {before:.0f} MiB before"
    )


def peak():
    """Of this process until now, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
