"""`from_arrays`: images in memory as shuffled batches for `fit`."""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.noise import random_bits
from keras_vae.training.given_data import refuse_mask
from keras_vae.training.known_values import remember_extremes
from keras_vae.training.lent_examples import LentExamples, lend

BINARIZATIONS = (None, "dynamic", "fixed")
# Threads of a pipeline that prepare batches or images, and batches that it holds ready.
PARALLEL_CALLS = max(2, min(os.cpu_count() or 2, 16))
PREFETCHED_BATCHES = 8
# Small batches are taken several at once, up to so many bytes: to ask for one takes longer than it.
_BYTES_AT_ONCE = 2**21


def from_arrays(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    batch_size: int = 128,
    shuffle: bool = True,
    binarize: str | None = None,
    drop_remainder: bool = False,
    seed: int = 0,
    start: int = 0,
) -> tf.data.Dataset:
    """Batches of images that are in memory, shuffled anew every epoch.

    The order is a function of `(seed, epoch)` alone, an epoch being one iteration over the
    returned object. Whole batches are gathered at once, which is several times faster than a
    `tf.data` pipeline over single images.

    Args:
        images: `[n, height, width, channels]`: bytes, which are held as such and scaled to [0, 1]
            batch by batch, or floating point, which are left as they are.
        labels: `[n, ...]`. Defaults to `None`: images alone.
        batch_size: Int. Images a batch; the last batch may be smaller. Defaults to `128`.
        shuffle: Bool. Defaults to `True`.
        binarize: `"dynamic"` draws each pixel from Bernoulli(pixel) afresh every epoch (Burda et
            al., 2016); `"fixed"` draws it once (Larochelle & Murray, 2011), as a function of the
            seed and the image's place alone. Both are seeded. Defaults to `None`: grey pixels.
        drop_remainder: Bool. Whether to drop a smaller last batch. Defaults to `False`.
        seed: Int. Defaults to `0`.
        start: Int. Batches to begin after, as if they had been iterated over: the steps that an
            interrupted training took. Defaults to `0`.

    Returns:
        A `tf.data.Dataset` of float32 batches `[batch, height, width, channels]`, or of pairs of
        them and labels.

    Raises:
        ValueError: If an argument is invalid, there are no images, or labels do not match them.
    """
    check_batching(batch_size, binarize, seed, start)
    images = _array(images)
    # Longer ones than of 8 bytes are none of TensorFlow's.
    if images.dtype != np.uint8 and (images.dtype.kind != "f" or images.dtype.itemsize > 8):
        raise ValueError(
            "Images must be bytes (uint8) or floating point. Received: dtype "
            f"{images.dtype.name}. Convert them with `images.astype('float32')`, scaled to [0, 1]."
        )
    if images.ndim < 2 or not images.size:
        raise ValueError(
            f"Expected images [n, *event], n > 0. Received: shape {images.shape}. A single image "
            "is `image[None]`."
        )
    shape = (len(images),) if labels is None else _shape_of_labels(labels)
    if shape[:1] != (len(images),):
        count = shape[0] if shape else "a number instead of"
        raise ValueError(
            "There must be a label for every image. "
            f"Received: {len(images)} images and {count} labels. Select both alike."
        )
    if binarize is not None and images.dtype.kind == "f":
        low, high = images.min(), images.max()
        if not (low >= 0 and high <= 1):
            raise ValueError(
                "Pixels to binarize are probabilities. Expected: values in [0, 1]. "
                f"Received: values from {low} to {high}. Scale them, for example `x / 255`, or "
                "pass bytes."
            )
    if binarize == "fixed":
        images = binarized_once(images, seed)
    size, has_labels = len(images), labels is not None
    # On the host: a pipeline runs there, whatever trains.
    with tf.device("CPU:0"):
        images = tf.constant(images)
        arrays = {
            "images": images,
            "seed": tf.constant(seed, tf.int64),
            # Not a constant of `take`: XLA would multiply by its inverse, which rounds otherwise.
            "white": tf.constant(255.0),
        }
        if has_labels:
            arrays["labels"] = _constant_labels(labels)
    take = _Take(draws=binarize == "dynamic")

    def extremes():
        if binarize is not None or images.dtype == tf.uint8:
            return 0.0, 1.0
        # As a model will see them.
        least, most = tf.reduce_min(images), tf.reduce_max(images)
        return float(tf.cast(least, tf.float32)), float(tf.cast(most, tf.float32))

    # What is drawn for a batch is drawn for it alone.
    batch_bytes = 4 * batch_size * math.prod(images.shape[1:])
    at_once = 1 if take.draws else min(8, max(1, _BYTES_AT_ONCE // batch_bytes))
    batches = in_batches(
        functools.partial(take, arrays),
        size,
        batch_size,
        shuffle,
        drop_remainder,
        seed,
        start,
        at_once,
        # Of strings a compiled loop knows nothing.
        lends=None if has_labels and arrays["labels"].dtype == tf.string else (arrays, take),
    )
    remember_extremes(batches, extremes)
    return batches


@dataclasses.dataclass(frozen=True)
class _Take:
    """How a batch is taken from arrays.

    Attributes:
        draws: Bool. Whether each of its pixels is drawn.
    """

    draws: bool

    def __call__(self, arrays, rows, draw):
        images = scaled(tf.gather(arrays["images"], rows), arrays["white"])
        if self.draws:
            images = bernoulli(images, [arrays["seed"], draw])
        return (images, tf.gather(arrays["labels"], rows)) if "labels" in arrays else images


def in_batches(
    take: Callable,
    size: int,
    batch_size: int,
    shuffle: bool,
    drop_remainder: bool,
    seed: int,
    start: int,
    at_once: int = 1,
    lends: tuple[dict, Callable] | None = None,
) -> tf.data.Dataset:
    """Batches of examples that are known by their place, in an order of `(seed, epoch)` alone.

    Args:
        take: Maps places `[n]`, int32, and an int64 that no others of any epoch have to the
            examples.
        size: Int. Number of examples.
        batch_size: Int.
        shuffle: Bool.
        drop_remainder: Bool.
        seed: Int.
        start: Int. Batches to begin after.
        at_once: Int. How many batches are taken at once. Defaults to `1`.
        lends: Arrays and a function that takes batches from them, as
            `keras_vae.training.lent_examples.LentExamples` has them. Defaults to `None`: training
            must have its batches from the pipeline.

    Raises:
        ValueError: If there are too few examples for a batch, or a flag is none.
    """
    arguments.flag("shuffle", shuffle)
    arguments.flag("drop_remainder", drop_remainder)
    count = size // batch_size if drop_remainder else -(-size // batch_size)
    if not count:
        raise ValueError(
            f"{size} images are too few for a batch of {batch_size} with `drop_remainder`. "
            "Pass a smaller `batch_size`, or `drop_remainder=False`."
        )
    batches_an_epoch = -(-size // batch_size)
    first_epoch, first_batch = divmod(start, count)

    def order_of(number):
        order = tf.range(size, dtype=tf.int32)
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, [seed, number])
        return order

    @tf.autograph.experimental.do_not_convert  # Nothing in it is for AutoGraph, which takes long.
    def epoch(number):
        order = order_of(number)[: count * batch_size]
        first = tf.where(number == first_epoch, tf.constant(first_batch, tf.int64), 0)
        examples = tf.data.Dataset.range(first, count, at_once).map(
            lambda index: take(
                order[index * batch_size : (index + at_once) * batch_size],
                number * batches_an_epoch + index,
            ),
            num_parallel_calls=PARALLEL_CALLS,
        )
        # Also where one batch is taken at a time: it tells their size.
        return examples.rebatch(batch_size, drop_remainder)

    numbers = itertools.count(first_epoch)
    batches = finished(epoch_number(numbers).flat_map(epoch), count, first_batch)
    if lends is not None:
        arrays, take = lends
        epochs = (count, numbers, first_epoch, first_batch)
        lend(batches, LentExamples(arrays, take, order_of, size, batch_size, *epochs))
    return batches


def _array(images):
    refuse_mask(images)
    try:
        return np.asarray(images)
    except ValueError:
        raise ValueError(
            "Images must be one array [n, *event], all of the same shape. "
            f"Received: {type(images).__name__} of differing shapes. Resize or crop them alike."
        ) from None


def _shape_of_labels(labels):
    try:
        return np.shape(labels)
    except (TypeError, ValueError):
        raise _no_labels(labels) from None


def _constant_labels(labels):
    try:
        return tf.constant(labels)
    except (TypeError, ValueError):
        raise _no_labels(labels) from None


def _no_labels(labels):
    kind = (
        f"an array of {labels.dtype}" if hasattr(labels, "dtype") else f"a {type(labels).__name__}"
    )
    return ValueError(
        "Labels must be one dense array [n, ...] of numbers or strings, none of them missing. "
        f"Received: {kind} that TensorFlow makes no tensor of. Convert them, and leave out "
        "images whose label is missing."
    )


def check_batching(batch_size, binarize, seed, start):
    """Refuses what no data set takes.

    Raises:
        ValueError: If an argument is invalid.
    """
    if binarize not in BINARIZATIONS:
        raise arguments.invalid("binarize", f"one of {list(BINARIZATIONS)}", binarize)
    arguments.count("batch_size", batch_size)
    arguments.seed("seed", seed)
    arguments.count("start", start, least=0)


def finished(batches: tf.data.Dataset, count: int, first_batch: int) -> tf.data.Dataset:
    """The last touches to a pipeline of `count` batches, the first time from `first_batch` on."""
    options = tf.data.Options()
    # Several workers share the batches out among them, each its part of every batch, whatever
    # files they come from: so training does not depend on how many workers there are.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # An autotuned pipeline ends only when its tuner wakes up, which sleeps ever longer: an epoch
    # could wait for its end as long as it had taken.
    options.autotune.enabled = False
    # TensorFlow would look for a better graph whenever an iterator is made, which takes a third of
    # a second where the images are in it, and find none.
    options.experimental_optimization.apply_default_optimizations = False
    if not first_batch:
        batches = batches.apply(tf.data.experimental.assert_cardinality(count))
    return batches.prefetch(PREFETCHED_BATCHES).with_options(options)


def epoch_number(numbers: Iterator[int]) -> tf.data.Dataset:
    """One int64: the next of the numbers, each time the data set is iterated over."""
    return tf.data.Dataset.from_generator(
        lambda: iter([next(numbers)]), output_signature=tf.TensorSpec((), tf.int64)
    )


def scaled(image: tf.Tensor, white: float | tf.Tensor = 255.0) -> tf.Tensor:
    """Bytes as float32 in [0, 1], `white` being 255; floating point as float32."""
    return tf.cast(image, tf.float32) / (white if image.dtype == tf.uint8 else 1.0)


def bernoulli(probabilities: tf.Tensor, seed) -> tf.Tensor:
    """0 or 1 for every pixel, a function of the seed, int64 `[2]`."""
    # The lower 23 bits of each, of which TensorFlow's kernel makes floats; under XLA it takes the
    # upper ones.
    bits = tf.bitwise.bitwise_and(random_bits(tf.shape(probabilities), seed), 2**23 - 1)
    return tf.cast(tf.cast(bits, tf.float32) * 2.0**-23 < probabilities, tf.float32)


def bernoulli_once(probabilities: tf.Tensor, seed: int, index) -> tf.Tensor:
    """0 or 1 for every pixel of one image: those that `binarized_once` draws at its place.

    Args:
        probabilities: `[height, width, channels]`.
        seed: Int.
        index: Int64 scalar. The image's place in the split.
    """
    shape = tuple(probabilities.shape)

    def uniform(index):
        # Of the numbers that follow from the seed, two a step, those of this image.
        steps, second_of_two = divmod(int(index) * int(np.prod(shape)), 2)
        generator = np.random.Generator(np.random.PCG64(seed).advance(steps))
        if second_of_two:
            generator.random(dtype=np.float32)
        return generator.random(shape, dtype=np.float32)

    drawn = tf.numpy_function(uniform, [index], tf.float32, stateful=False)
    return tf.cast(tf.ensure_shape(drawn, shape) < probabilities, tf.float32)


def binarized_once(images: np.ndarray, seed: int) -> np.ndarray:
    """All images drawn once, of their own type: black or white."""
    generator = np.random.Generator(np.random.PCG64(seed))
    binary = np.empty_like(images)
    white = 255 if images.dtype == np.uint8 else 1
    for start in range(0, len(images), 1024):
        rows = slice(start, start + 1024)
        uniform = generator.random(images[rows].shape, dtype=np.float32)
        binary[rows] = white * (uniform < images[rows] / np.float32(white))
    return binary
