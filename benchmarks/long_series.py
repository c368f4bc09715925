"""Series of a thousand steps: what recurrent networks cost there, and what they learn.

    python benchmarks/long_series.py --what parts
    python benchmarks/long_series.py --what training

Series are made here: two features, each the sum of two waves whose frequencies and phases differ
from series to series, with one short burst somewhere, and noise of standard deviation 0.1.

- `parts`: milliseconds of one forward and backward pass of the encoder and of the decoder alone, by
  the way in which TensorFlow runs them: as a graph with its while loop, compiled by XLA, and, where
  `--unroll` asks for it, as a graph of all steps beside each other.
- `training`: milliseconds a training step of `fit`, the seconds that the first two took, and the
  bound of held-out series in nats a series, by the seconds that training took so far; and the share
  of the held-out variance that the mean of a reconstruction explains.

All times are those of the processor, which other work on the machine does not change much; there is
one thread for operations.

Networks are `gru` with their window, as in `gru_8`, of 64 units, and `conv`, as `for_data` chooses.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import evaluation, networks

import keras
import numpy as np
import tensorflow as tf

LATENTS, FEATURES, NOISE = 16, 2, 0.1


def main():
    """Parses the command line and prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--what", choices=("parts", "training"), required=True, help="which measurement")
    add(
        "--networks", nargs="+", default=["gru_1", "gru_8", "conv"], help="names (gru_1 gru_8 conv)"
    )
    add("--length", type=int, default=1000, help="steps of a series (1000)")
    add("--batch-size", type=int, default=32, help="series a batch (32)")
    add("--seconds", type=float, nargs="+", default=[60, 120], help="of training (60 120)")
    add("--seeds", type=int, nargs="+", default=[0], help="of weights, order and noise (0)")
    add("--unroll", action="store_true", help="measure unrolled layers, too, which compile long")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    {"parts": parts, "training": training}[options.what](options)


def made_series(count, length, seed):
    """Series `[count, length, 2]`, float32."""
    random = np.random.default_rng(seed)
    time_of = np.arange(length) / length

    def drawn(low, high):
        return random.uniform(low, high, (count, 1, FEATURES))

    waves = sum(
        np.sin(2 * np.pi * (drawn(low, high) * time_of[:, None] + drawn(0, 1)))
        for low, high in ((1, 4), (5, 15))
    )
    middle = random.uniform(0.1, 0.9, (count, 1, 1))
    burst = 2 * np.exp(-(((time_of[:, None] - middle) / 0.02) ** 2))
    noise = random.normal(size=waves.shape, scale=NOISE)
    return ((waves + burst + noise) / 1.2).astype(np.float32)


def pair(name, length):
    """An encoder and a decoder by the name of their kind and their window."""
    shape = (length, FEATURES)
    if name == "conv":
        return (
            networks.conv_series_encoder(shape, LATENTS),
            networks.conv_series_decoder(shape, LATENTS),
        )
    kind, _, window = name.partition("_")
    if kind != "gru" or not window.isdigit():
        raise SystemExit(f"Networks are `conv`, or `gru_1` and so on. Received: {name}")
    return (
        networks.gru_series_encoder(shape, LATENTS, window=int(window)),
        networks.gru_series_decoder(shape, LATENTS, window=int(window)),
    )


def parts(options):
    """Encoder and decoder alone, by the way in which they are run."""
    x = made_series(options.batch_size, options.length, 0)
    z = np.random.default_rng(0).normal(size=(options.batch_size, LATENTS)).astype(np.float32)
    ways = {"graph": {}, "XLA": {"jit_compile": True}}
    print(f"{'network':10}{'part':9}{'way':10}{'ms':>9}{'first s':>9}")
    for name in options.networks:
        for part, network, given in zip(
            ("encoder", "decoder"), pair(name, options.length), (x, z), strict=True
        ):
            for way, settings in ways.items():
                show(name, part, way, network, given, settings)
            if options.unroll and name.startswith("gru"):
                show(name, part, "unrolled", unrolled(network), given, {})


def unrolled(network):
    """The same network with recurrent layers that are all steps beside each other."""

    def clone(layer):
        config = layer.get_config()
        if "layer" in config:
            for direction in ("layer", "backward_layer"):
                config[direction]["config"]["unroll"] = True
        elif "unroll" in config:
            config["unroll"] = True
        return type(layer).from_config(config)

    return keras.models.clone_model(network, clone_function=clone)


def show(name, part, way, network, given, settings):
    """One line: the median of ten passes, and the seconds of the first."""

    @tf.function(**settings)
    def step(given):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(network(given))
            loss = sum(tf.reduce_sum(output**2) for output in outputs)
        return tape.gradient(loss, network.trainable_variables)

    seconds = []
    for _ in range(11):
        start = time.process_time()
        gradients = step(given)
        gradients[0].numpy()
        seconds.append(time.process_time() - start)
    milliseconds = 1000 * np.median(seconds[1:])
    print(f"{name:10}{part:9}{way:10}{milliseconds:9.1f}{seconds[0]:9.1f}", flush=True)


def training(options):
    """What networks learn in so many seconds of training."""
    train = made_series(2000, options.length, 1)
    test = made_series(200, options.length, 2)
    heads = "".join(f"{f'{limit:g} s':>12}" for limit in options.seconds)
    print(f"{'network':10}{'seed':>5}{'first s':>9}{'ms/step':>9}{'steps':>7}{heads}  R2")
    for name in options.networks:
        for seed in options.seeds:
            trained(name, seed, train, test, options)


def trained(name, seed, train, test, options):
    """One line: a model that trains for so many seconds."""
    keras.utils.set_random_seed(seed)
    vae = keras_vae.VAE(*pair(name, options.length), "gaussian", seed=seed)
    vae.compile(keras.optimizers.Adam(1e-3))
    batches = keras_vae.datasets.from_arrays(
        train, batch_size=options.batch_size, drop_remainder=True, seed=seed
    ).repeat()
    start = time.process_time()
    vae.fit(batches, steps_per_epoch=2, verbose=0)
    first = time.process_time() - start
    # The first steps were spent on compiling; so may be the first of a longer run.
    spent, steps, bounds, epoch = 0.0, 0, [], 8
    for limit in sorted(options.seconds):
        while spent < limit:
            start = time.process_time()
            vae.fit(batches, steps_per_epoch=epoch, verbose=0)
            spent, steps = spent + time.process_time() - start, steps + epoch
            # Ten looks at the clock from one limit to the next.
            epoch = max(1, min(64, int(steps * limit / (10 * spent))))
        bounds.append(evaluation.evaluate_elbo(vae, test, progress=False)["elbo"])
    error = np.mean((vae.reconstruct(test).numpy() - test) ** 2)
    found = "".join(f"{bound:12.0f}" for bound in bounds)
    print(
        f"{name:10}{seed:5}{first:9.1f}{1000 * spent / steps:9.1f}{steps:7}{found}"
        f"  {1 - error / test.var():.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
