"""Sprites as batches for `fit`, for `keras_vae.datasets.load`."""

import functools
import types

import numpy as np
import tensorflow as tf

from keras_vae.datasets.arrays import bernoulli, bernoulli_once, in_batches
from keras_vae.datasets.factors import sprite_drawing
from keras_vae.datasets.factors.sprites import Sprites
from keras_vae.datasets.source import SPRITES

# A tenth is held out, at random: any stretch of a split is a sample of all factors.
SPLITS = {"train": 663_552, "test": 73_728}
_SEED = 20_170_502


def sprite_batches(
    split: str,
    image_size: tuple[int, int] | None,
    with_labels: bool,
    batch_size: int,
    shuffle: bool,
    binarize: str | None,
    drop_remainder: bool,
    seed: int,
    start: int,
) -> tf.data.Dataset:
    """Batches that are drawn as they are needed.

    Arguments are those of `load`. Labels are int64 `[batch, 5]`: indices of factor values.

    Raises:
        ValueError: If the split is unknown, or too small for a batch.
    """
    places = places_of(split)
    sizes = Sprites().factor_sizes

    def drawn(rows):
        factors = np.stack(np.unravel_index(places[rows], sizes), axis=1)
        return sprite_drawing.render(factors)[..., None], factors

    def take(rows, draw):
        images, factors = tf.numpy_function(drawn, [rows], (tf.bool, tf.int64), stateful=False)
        length = batch_size if drop_remainder else None
        images = tf.ensure_shape(images, (length, *Sprites().image_shape))
        images = tf.cast(images, tf.float32)
        if image_size:
            images = tf.image.resize(images, image_size, antialias=True)
            images = tf.clip_by_value(tf.round(255 * images), 0, 255) / 255
        if binarize == "dynamic":
            images = bernoulli(images, [seed, draw])
        elif binarize == "fixed":
            images = tf.map_fn(
                lambda pair: bernoulli_once(pair[0], seed, pair[1]),
                (images, tf.cast(rows, tf.int64)),
                tf.float32,
            )
        return (images, tf.ensure_shape(factors, (length, 5))) if with_labels else images

    return in_batches(take, len(places), batch_size, shuffle, drop_remainder, seed, start)


def places_of(split: str) -> np.ndarray:
    """Where the images of a split stand among all of them.

    Args:
        split: TFDS split string over `train` and `test`.

    Returns:
        Ints `[n]`, from 0 to 737,279.

    Raises:
        ValueError: If the split is unknown.
    """
    import tensorflow_datasets as tfds

    infos = {name: types.SimpleNamespace(num_examples=size) for name, size in SPLITS.items()}
    try:
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(infos)
    except ValueError as error:
        raise ValueError(
            f"Unknown split {split!r} of {SPRITES!r}. Expected a TFDS split string over "
            f"{sorted(SPLITS)}. Received: split={split!r} ({error})"
        ) from None
    train, test = np.split(_order(), [SPLITS["train"]])
    of_split = {"train": train, "test": test}
    return np.concatenate([of_split[part.splitname][part.from_ : part.to] for part in parts])


@functools.cache
def _order():
    """All images in a random order that is always the same."""
    return np.random.Generator(np.random.PCG64(_SEED)).permutation(sum(SPLITS.values()))
