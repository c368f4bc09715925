"""How closely the drawn sprites are those of dSprites, and how fast they are drawn.

    python benchmarks/drawn_sprites.py [--frames frames.npz]
        [--networks vae.npz beta_vae.npz [--metrics]]

Always measures the speed of drawing. With `--frames`, an array `frames` `[n, 64, 64]` of 0 and 1 of
original images, such as those of the animation `dsprites.gif` of
https://github.com/google-deepmind/dsprites-dataset, finds for each the nearest of all 737,280 drawn
images, and counts the pixels that differ.

With `--networks`, the weights of networks that were trained on the original images by
disentangling-vae (https://github.com/YannDubs/disentangling-vae, `results/VAE_dsprites` and
`results/betaH_dsprites`: the arrays of `model.pt` by name, in PyTorch's layouts), loads them into
Keras layers and prints their losses on drawn images, which they never saw, in nats an image. Files
of the names `vae.npz` and `beta_vae.npz` get the means of the last training epoch beside them, as
they were published. `--metrics` also prints every metric of `keras_vae.disentanglement` of them,
which takes ten minutes a network.
"""

import argparse
import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.datasets.factors import Sprites
from keras_vae.datasets.factors.sprite_drawing import render

import numpy as np

# Training means of epoch 30 (`train_losses.log`): reconstruction and KL.
PUBLISHED = {"vae": (17.989, 25.396), "beta_vae": (35.610, 15.355)}
SEED = 0


def main():
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=Path, help="original images (not compared)")
    parser.add_argument("--networks", type=Path, nargs="+", default=[], help="weights (none)")
    parser.add_argument("--metrics", action="store_true", help="measure their latents, too")
    parser.add_argument("--images", type=int, default=20_000, help="for the networks (20000)")
    options = parser.parse_args()
    speed()
    if options.frames:
        compare(np.load(options.frames)["frames"])
    for path in options.networks:
        model = losses(path, options.images)
        if options.metrics:
            print(keras_vae.disentanglement.evaluate(model, Sprites(), seed=SEED, progress=False))


def speed():
    """Draws batches of 64 one after the other, and lets the pipeline of `load` do so."""
    data = Sprites()
    generator = np.random.default_rng(SEED)
    drawn = [data.sample_factors(64, generator) for _ in range(200)]
    began = time.process_time()
    for factors in drawn:
        data.sample(factors)
    seconds = (time.process_time() - began) / len(drawn)
    print(f"a batch of 64: {1000 * seconds:.1f} ms of one core, {64 / seconds:,.0f} images/s")
    batches = keras_vae.datasets.load("sprites", "train", 64).take(400).as_numpy_iterator()
    next(batches)
    began = time.perf_counter(), time.process_time()
    count = sum(len(batch) for batch in batches)
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"`load`: {count / wall:,.0f} images/s, {count / processor:,.0f} a second of one core")


def compare(frames: np.ndarray):
    """Prints how many frames are among the drawn images, and how much the others differ."""
    flat = frames.reshape(len(frames), -1).astype(np.float32)
    lit = flat.sum(axis=1)
    fewest = np.full(len(frames), np.inf)
    x, y = np.divmod(np.arange(32 * 32), 32)
    for first in itertools.product(range(3), range(6), range(40)):
        factors = np.column_stack([np.broadcast_to(first, (x.size, 3)), x, y])
        images = render(factors).reshape(x.size, -1).astype(np.float32)
        area = images.sum(axis=1)
        # Images differ by at least the difference of their areas.
        possible = np.maximum(lit - area.max(), area.min() - lit) < fewest
        differing = lit[possible, None] + area - 2 * flat[possible] @ images.T
        fewest[possible] = np.minimum(fewest[possible], differing.min(axis=1))
    print(
        f"{np.sum(fewest == 0)} of {len(frames)} frames bit for bit; the others differ in "
        f"{fewest.sum():.0f} pixels altogether, of {lit.sum():.0f} lit, at most {fewest.max():.0f} "
        "in one"
    )


def losses(path: Path, num_images: int) -> keras_vae.VAE:
    """Prints the losses of a published network on drawn images, and returns it."""
    weights = dict(np.load(path))
    model = keras_vae.VAE(*loaded(weights), seed=SEED)
    model.compile("adam", jit_compile=False)
    _, images = Sprites().draw(num_images, SEED)
    logs = model.evaluate(images, batch_size=250, verbose=0, return_dict=True)
    text = (
        f"{path.name}: reconstruction {logs['reconstruction_loss']:.2f}, "
        f"KL {logs['kl_loss']:.2f} on {num_images} drawn images"
    )
    if path.stem in PUBLISHED:
        reconstruction, kl = PUBLISHED[path.stem]
        text += f"; published {reconstruction:.2f} and {kl:.2f}"
    print(text, flush=True)
    return model


def loaded(weights: Mapping[str, np.ndarray]):
    """Encoder and decoder of 64x64 images with the weights of disentangling-vae.

    Args:
        weights: Arrays by their names in PyTorch.

    Returns:
        `[batch, 64, 64, 1] -> {"loc", "scale": [batch, latent]}` and
        `[batch, latent] -> [batch, 64, 64, 1]`, logits.
    """
    units, pixels = len(weights["encoder.mu_logvar_gen.bias"]), (4, 4, 32)
    encoder = keras_vae.networks.burgess_encoder(latent_dim=units // 2)
    decoder = keras_vae.networks.burgess_decoder(latent_dim=units // 2)

    def put(layer, kernel, bias):
        layer.set_weights([kernel, bias])

    def both(name):
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    def convolution(layer, name):
        # [out, in, height, width] to [height, width, in, out]; for transposed ones both change
        # places with each other.
        kernel, bias = both(name)
        put(layer, kernel.transpose(2, 3, 1, 0), bias)

    def dense(layer, name):
        kernel, bias = both(name)
        put(layer, kernel.T, bias)

    for index, name in enumerate(("conv1", "conv2", "conv3", "conv_64")):
        convolution(encoder.get_layer(f"conv_{index}"), f"encoder.{name}")
    # PyTorch flattens channels, height, width; Keras height, width, channels.
    kernel, bias = both("encoder.lin1")
    kernel = kernel.reshape(-1, 32, 4, 4).transpose(2, 3, 1, 0).reshape(512, -1)
    put(encoder.get_layer("hidden_0"), kernel, bias)
    dense(encoder.get_layer("hidden_1"), "encoder.lin2")
    # Means and log-variances take turns.
    kernel, bias = both("encoder.mu_logvar_gen")
    put(encoder.get_layer("loc"), kernel[0::2].T, bias[0::2])
    put(encoder.get_layer("raw_scale"), kernel[1::2].T, bias[1::2])

    dense(decoder.get_layer("hidden_0"), "decoder.lin1")
    dense(decoder.get_layer("hidden_1"), "decoder.lin2")
    kernel, bias = both("decoder.lin3")
    kernel = kernel.reshape(32, 4, 4, -1).transpose(3, 1, 2, 0).reshape(-1, np.prod(pixels))
    put(decoder.get_layer("hidden_2"), kernel, bias.reshape(32, 4, 4).transpose(1, 2, 0).ravel())
    for index, name in enumerate(("convT_64", "convT1", "convT2")):
        convolution(decoder.get_layer(f"conv_{index}"), f"decoder.{name}")
    convolution(decoder.get_layer("pixels"), "decoder.convT3")
    return encoder, decoder


if __name__ == "__main__":
    main()
