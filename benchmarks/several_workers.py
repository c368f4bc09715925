"""Whether several workers, or several devices, train as one does.

    python benchmarks/several_workers.py [--steps 200] [--dataset mnist]

Runs `examples/multi_worker.py` as one process and as two over loopback, and the same training under
a `MirroredStrategy` on two virtual CPUs and without a strategy. Prints the largest difference of
the losses of single steps, and of the final weights, between the two runs of each pair; whether
both workers logged the same; and whether the chief's files load.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae

import keras
import numpy as np
import tensorflow as tf

EXAMPLE = Path(__file__).parents[1] / "examples" / "multi_worker.py"
DEVICES = """
import sys
import tensorflow as tf
count, steps, dataset, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
cpu = tf.config.list_physical_devices("CPU")[0]
if count > 1:
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])
else:
    strategy = tf.distribute.get_strategy()
import keras
import keras_vae
from keras_vae.callbacks import ELBOLogger
keras.utils.set_random_seed(0)
images = keras_vae.datasets.load(dataset, "train", 128, drop_remainder=True)
shape = images.element_spec.shape[1:]
with strategy.scope():
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(shape, 10, [400]),
        keras_vae.networks.mlp_decoder(shape, 10, [400]),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(1e-3))
logger = ELBOLogger(folder, frequency=1, print_table=False)
vae.fit(images.repeat(), steps_per_epoch=steps, verbose=0, callbacks=[logger])
vae.save(folder + "/model.keras")
"""


def main():
    """Trains and compares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200, help="training steps a run (200)")
    parser.add_argument("--dataset", default="mnist", help="TFDS name (mnist)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count in (1, 2):
            arguments = ["--steps", str(options.steps), "--dataset", options.dataset]
            arguments += ["--local-workers", str(count), "--log-every", "1"]
            run([EXAMPLE, *arguments, "--output-dir", folder / f"{count} workers"])
        compare(folder / "1 workers", folder / "2 workers", "two workers beside one")
        logs = [folder / "2 workers" / name for name in ("elbo.csv", "worker_1/elbo.csv")]
        same = logs[0].read_bytes() == logs[1].read_bytes()
        print(f"both workers logged {'the same' if same else 'different numbers'}")
        load(folder / "2 workers")
        for count in (1, 2):
            place = folder / f"{count} devices"
            run(["-c", DEVICES, count, options.steps, options.dataset, place])
        compare(folder / "1 devices", folder / "2 devices", "two virtual CPUs beside one")


def run(arguments):
    """Runs Python in a process of its own."""
    command = [sys.executable, *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def compare(one, other, title):
    """Prints the largest differences of losses and weights."""
    losses = [np.genfromtxt(run / "elbo.csv", delimiter=",", names=True) for run in (one, other)]
    assert len(losses[0]) == len(losses[1])
    relative = np.abs(losses[1]["loss"] / losses[0]["loss"] - 1).max()
    weights = [keras.saving.load_model(run / "model.keras").get_weights() for run in (one, other)]
    absolute = max(np.abs(a - b).max() for a, b in zip(*weights, strict=True))
    largest = max(np.abs(a).max() for a in weights[0] if a.dtype == np.float32)
    print(
        f"{title}, {len(losses[0])} steps: losses differ by {relative:.1e} of their value at most, "
        f"weights by {absolute:.1e} (the largest is {largest:.2f})",
        flush=True,
    )


def load(folder):
    """Loads what the chief wrote, the SavedModel by TensorFlow alone."""
    images = np.random.default_rng(0).random((4, 28, 28, 1), dtype=np.float32)
    model = keras.saving.load_model(folder / "model.keras")
    assert isinstance(model, keras_vae.VAE)
    served = tf.saved_model.load(folder / "saved_model")
    difference = np.abs(served.reconstruct(images) - model.reconstruct(images)).max()
    print(f"the chief's SavedModel and .keras load; they differ by {difference:.1e}", flush=True)


if __name__ == "__main__":
    main()
