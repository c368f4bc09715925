"""Residual networks by depth, width and normalisation: what they learn, and in what time.

    python benchmarks/residual_networks.py
    python benchmarks/residual_networks.py --faces olivetti_faces.npz

On drawn sprites, binary, every second pixel of 64x64 (bounds in nats an image), or on faces of a
file as `benchmarks/faces.py` takes it, shrunk to half their sides (bounds in bits a dimension, of a
discretized logistic). `--whole` leaves the sides as they are.

A network is named by its residual blocks a stage and its channels, as in `1x32`, which is the
default; `0x32` is a plain stack, `1x32g` has group normalisation, `mlp` has 512 and 256 units. Each
trains by Adam in batches of 32 until so many steps are done or the last of `--seconds` are over, is
looked at every so many steps, and the weights that are best on images that choose are kept. Seconds
are those of the processor, with one thread, which other work on the machine does not change much.

Prints of each network and seed the milliseconds a step, the step that was best, the bound there on
images of the training and held-out ones, and the best bound of the images that choose within so
many seconds of training.
"""

import argparse
import os
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_VAE_QUIET", "1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import faces
import keras_vae
from keras_vae import evaluation, networks
from keras_vae.datasets.factors import Sprites

import keras
import numpy as np
import tensorflow as tf

BATCH = 32


class Images(NamedTuple):
    """What is trained on, and how a bound is told.

    Attributes:
        train: Float32 `[n, height, width, 1]`.
        choose: By which weights are kept.
        held_out: By name.
        likelihood: Its name.
        unit: What the numbers are.
        per_nat: By what a bound in nats an image is multiplied.
    """

    train: np.ndarray
    choose: np.ndarray
    held_out: dict[str, np.ndarray]
    likelihood: str
    unit: str
    per_nat: float


def main():
    """Parses the command line and prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--faces", type=Path, help="an .npz with `images` (sprites are drawn)")
    add("--networks", nargs="+", default=["0x32", "1x32"], help="by name (0x32 1x32)")
    add("--seeds", type=int, nargs="+", default=[0], help="of weights, order and noise (0)")
    add("--steps", type=int, default=600, help="training steps of each network, at most (600)")
    add("--every", type=int, default=25, help="steps from one look to the next (25)")
    add(
        "--seconds",
        type=float,
        nargs="+",
        default=[15, 30, 60],
        help="of training (15 30 60)",
    )
    add("--latents", type=int, default=20, help="of each model (20)")
    add("--whole", action="store_true", help="images of their own size")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    shrink = 1 if options.whole else 2
    images = faces_of(options.faces, shrink) if options.faces else sprites(shrink)
    names = [*(f"{limit:g} s" for limit in options.seconds), "best", "train", *images.held_out]
    heads = "".join(f"{name:>16}" for name in names)
    print(f"{len(images.train)} images of {images.train.shape[1:]}; {images.unit}")
    print(
        f"{'network':9}{'seed':>5}{'weights':>10}{'ms/step':>9}{'best step':>12}{heads}", flush=True
    )
    for seed in options.seeds:
        for name in options.networks:
            print(line(name, seed, images, options), flush=True)


def faces_of(path, shrink):
    """Faces of a file."""
    found = faces.load(path, shrink)
    unit = "bits a dimension"
    per_nat = -1 / (found.train[0].size * np.log(2))
    held_out = found.held_out
    return Images(found.train, found.choose, held_out, "discretized_logistic", unit, per_nat)


def sprites(shrink):
    """Drawn sprites of all factors, each drawn once."""
    data, random = Sprites(), np.random.default_rng(0)
    drawn = data.sample(data.sample_factors(21_500, random))[:, ::shrink, ::shrink]
    train, choose, test = np.split(drawn.astype(np.float32), [20_000, 20_500])
    return Images(train, choose, {"held out": test}, "bernoulli", "nats an image", 1.0)


def built(name, images, latents, seed):
    """A model by the name of its networks."""
    keras.utils.set_random_seed(seed)
    shape = images.train.shape[1:]
    if name == "mlp":
        kind, settings = "mlp", {"hidden_sizes": (512, 256)}
    else:
        depth, width = name.removesuffix("g").split("x")
        kind, settings = "residual", {"depth": int(depth), "width": int(width)}
        if name.endswith("g"):
            settings["normalization"] = "group"
    encoder = getattr(networks, f"{kind}_encoder")(shape, latents, **settings)
    if name == "mlp":
        settings["hidden_sizes"] = (256, 512)
    decoder = getattr(networks, f"{kind}_decoder")
    decoder = decoder(shape, latents, likelihood=images.likelihood, **settings)
    return keras_vae.VAE(encoder, decoder, likelihood=images.likelihood, seed=seed)


def line(name, seed, images, options):
    """Trains one network, and says what it learned."""
    vae = built(name, images, options.latents, seed)
    vae.compile(keras.optimizers.Adam(1e-3))
    batches = keras_vae.datasets.from_arrays(images.train, batch_size=BATCH, seed=seed).repeat()
    vae.fit(batches, steps_per_epoch=2, verbose=0)
    spent, steps, best, within = 0.0, 2, (-np.inf, 0, vae.get_weights()), {}
    while steps < options.steps and spent < max(options.seconds):
        start = time.process_time()
        vae.fit(batches, steps_per_epoch=options.every, verbose=0)
        spent, steps = spent + time.process_time() - start, steps + options.every
        elbo = evaluation.evaluate_elbo(vae, images.choose, progress=False)["elbo"]
        if elbo > best[0]:
            best = elbo, steps, vae.get_weights()
        within |= {limit: best[0] for limit in options.seconds if spent <= limit}
    vae.set_weights(best[2])
    found = [within.get(limit, np.nan) for limit in options.seconds] + [best[0]]
    for x in (images.train[:2000], *images.held_out.values()):
        found.append(evaluation.evaluate_elbo(vae, x, progress=False)["elbo"])
    numbers = "".join(f"{images.per_nat * number:16.3f}" for number in found)
    weights = vae.encoder.count_params() + vae.decoder.count_params()
    milliseconds = 1000 * spent / (steps - 2)
    return f"{name:9}{seed:5}{weights:10}{milliseconds:9.1f}{best[1]:6}/{steps:5}{numbers}"


if __name__ == "__main__":
    main()
