"""`load`: any TFDS image set as batches for `fit`."""

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from numbers import Integral

import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.datasets.arrays import (
    PARALLEL_CALLS,
    bernoulli,
    bernoulli_once,
    check_batching,
    epoch_number,
    finished,
    from_arrays,
    scaled,
)
from keras_vae.datasets.factors.sprite_batches import sprite_batches
from keras_vae.datasets.source import SPRITES, damaged, prepared_builder
from keras_vae.keras_internals import forget_graph_seed


def load(
    name: str,
    split: str | Sequence[str] = ("train", "test"),
    batch_size: int = 128,
    shuffle: bool | None = None,
    binarize: str | None = None,
    with_labels: bool = False,
    image_size: tuple[int, int] | None = None,
    drop_remainder: bool = False,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    download: bool = True,
    memory_limit: int = 2 * 2**30,
    start: int = 0,
):
    """Loads an image set as float32 images in [0, 1].

    A set that fits into `memory_limit` as bytes is decoded once and gathered from memory by whole
    batches, shuffled anew every epoch in an order that is a function of `(seed, epoch)`: an epoch
    is one iteration over the returned object. A larger one streams from disk through a shuffle
    buffer of 10,000 images, in an order that is such a function too.

    `"sprites"`, the images of dSprites, are drawn as they are needed, whatever `memory_limit`, and
    shuffled as a whole. A tenth of them, chosen at random once and for all, is `"test"`;
    `"train+test"` is all 737,280. Their labels are factors, int64 `[batch, 5]`: indices of shape,
    scale, orientation, x and y.

    Args:
        name: TFDS name such as `"mnist"`, `"fashion_mnist"` or `"cifar10"`; or `"typeset_digits"`
            or `"sprites"`, which need no network.
        split: TFDS split string such as `"train"`, `"train+test"` or `"train[:10%]"`; or a
            sequence of them, for as many data sets. Defaults to `("train", "test")`.
        batch_size: Int. Images a batch; the last batch may be smaller. Defaults to `128`.
        shuffle: Bool. Defaults to `None`: splits that begin with `train` are shuffled.
        binarize: `"dynamic"` draws each pixel from Bernoulli(pixel) afresh every epoch (Burda et
            al., 2016); `"fixed"` draws it once (Larochelle & Murray, 2011), as a function of the
            seed and the image's place in the split alone, from memory and from disk. Both are
            seeded. Defaults to `None`: grey pixels.
        with_labels: Bool. Whether to yield `(images, labels)`. Defaults to `False`: images alone.
        image_size: `(height, width)` to resize to, bilinearly with antialiasing. Needed where the
            set's images vary in size. Defaults to `None`: as they are.
        drop_remainder: Bool. Whether to drop a smaller last batch. Defaults to `False`.
        seed: Int. Defaults to `0`.
        data_dir: Folder of prepared TFDS data. Defaults to `None`: TFDS's own.
        download: Bool. Whether to download and prepare a set that is not there. Defaults to `True`.
        memory_limit: Int. Bytes up to which a split is held in memory. Defaults to 2 GiB.
        start: Int. Batches to begin after, as if they had been iterated over: the steps that an
            interrupted training took. Defaults to `0`.

    Returns:
        A `tf.data.Dataset` of batches `[batch, height, width, channels]`, or a tuple of them.

    Raises:
        ValueError: If an argument is invalid or the name or split unknown.
        DatasetUnavailableError: If the set is neither prepared nor downloadable, or its files are
            damaged. Those of a set that streams from disk are read when it is iterated over.
    """
    check_batching(batch_size, binarize, seed, start)
    if shuffle is not None:
        arguments.flag("shuffle", shuffle)
    arguments.flag("drop_remainder", drop_remainder)
    sides = image_size if isinstance(image_size, list | tuple) else ()
    is_size = len(sides) == 2 and all(isinstance(side, Integral) and side >= 1 for side in sides)
    if image_size is not None and not is_size:
        raise ValueError(
            "Invalid value for argument `image_size`. Expected (height, width), positive integers. "
            f"Received: image_size={image_size!r}"
        )
    splits = (split,) if isinstance(split, str) else split
    if not isinstance(splits, list | tuple) or not all(isinstance(one, str) for one in splits):
        raise ValueError(
            "Invalid value for argument `split`. Expected a string such as 'train' or "
            f"'train+test', or a sequence of them. Received: split={split!r}"
        )
    batches: Callable
    if name == SPRITES:
        batches = functools.partial(sprite_batches, image_size=image_size, with_labels=with_labels)
    else:
        builder = prepared_builder(name, data_dir, download)

        def batches_of(split, **settings):
            chosen = _Split(builder, split, image_size, with_labels)
            return chosen.batches(**settings, memory_limit=memory_limit)

        batches = batches_of

    datasets = tuple(
        batches(
            one,
            batch_size=batch_size,
            shuffle=one.startswith("train") if shuffle is None else shuffle,
            binarize=binarize,
            drop_remainder=drop_remainder,
            seed=seed,
            start=start,
        )
        for one in splits
    )
    return datasets[0] if isinstance(split, str) else datasets


class _Split:
    """One split of a prepared builder."""

    def __init__(self, builder, split, image_size, with_labels):
        features = builder.info.features
        try:
            self.num_examples = builder.info.splits[split].num_examples
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"Unknown split {split!r} of {builder.name!r}. Expected a TFDS split string over "
                f"{sorted(builder.info.splits)}. Received: split={split!r} ({error})"
            ) from None
        if with_labels and "label" not in features:
            raise ValueError(
                f"Data set {builder.name!r} has no labels. Pass `with_labels=False`. "
                f"Received: features {sorted(features)}"
            )
        shape = features["image"].shape
        self.image_shape = (*(image_size or shape[:2]), shape[2])
        if None in self.image_shape:
            raise ValueError(
                f"The images of {builder.name!r} vary in size: {shape}. Pass `image_size=(height, "
                "width)` to resize them."
            )
        self.builder, self.split = builder, split
        self.image_size, self.with_labels = image_size, with_labels

    def batches(self, batch_size, shuffle, binarize, drop_remainder, seed, memory_limit, start):
        """The batches, from memory where the split fits."""
        whole, rest = divmod(self.num_examples, batch_size)
        count = whole + (rest > 0 and not drop_remainder)
        if not count:
            raise ValueError(
                f"Split {self.split!r} of {self.builder.name!r} has {self.num_examples} images, "
                f"too few for a batch of {batch_size} with `drop_remainder`. Pass a smaller "
                "`batch_size`, or `drop_remainder=False`."
            )
        if self.num_examples * int(np.prod(self.image_shape)) <= memory_limit:
            try:
                images, labels = self._decoded()
            except tf.errors.OpError as error:
                raise damaged(self.builder.name, self.builder.data_dir, error) from None
            return from_arrays(
                images, labels, batch_size, shuffle, binarize, drop_remainder, seed, start
            )
        first_epoch, first_batch = divmod(start, count)
        batches = self._from_disk(
            shuffle, binarize, seed, first_epoch, first_batch * batch_size
        ).batch(batch_size, drop_remainder)
        return finished(batches, count, first_batch)

    def _from_disk(self, shuffle, binarize, seed, first_epoch, first_example):
        examples = self._examples().enumerate()

        def prepare(number, index, example):
            image = scaled(self._decode(example["image"]))
            if binarize == "fixed":
                image = bernoulli_once(image, seed, index)
            elif binarize == "dynamic":
                image = bernoulli(image, [seed, number * self.num_examples + index])
            return (image, example["label"]) if self.with_labels else image

        def epoch(number):
            ordered = examples
            if shuffle:
                # TensorFlow's global seed would be mixed in, and refuses a seed that is a tensor.
                forget_graph_seed()
                ordered = examples.shuffle(
                    10_000, seed=seed + 1_000_003 * number, reshuffle_each_iteration=False
                )
            ordered = ordered.skip(
                tf.where(number == first_epoch, tf.constant(first_example, tf.int64), 0)
            )
            return ordered.map(
                lambda index, example: prepare(number, index, example),
                num_parallel_calls=PARALLEL_CALLS,
            )

        return epoch_number(itertools.count(first_epoch)).flat_map(epoch)

    def _examples(self):
        import tensorflow_datasets as tfds

        # Decoding comes later: after the shuffle when streaming, in parallel otherwise.
        examples = self.builder.as_dataset(
            split=self.split,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(try_autocache=False, skip_prefetch=True),
            shuffle_files=False,
        )
        names = ("image", "label") if self.with_labels else ("image",)
        return examples.map(lambda example: {name: example[name] for name in names})

    def _decode(self, encoded):
        image = self.builder.info.features["image"].decode_example(encoded)
        if self.image_size:
            image = tf.image.resize(image, self.image_size, antialias=True)
            image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
        return tf.ensure_shape(image, self.image_shape)

    def _decoded(self):
        """All images, uint8 `[n, height, width, channels]`, and their labels."""
        decoded = self._examples().map(
            lambda example: {**example, "image": self._decode(example["image"])},
            num_parallel_calls=PARALLEL_CALLS,
        )
        images = np.empty((self.num_examples, *self.image_shape), np.uint8)
        labels = np.empty(self.num_examples, np.int64) if self.with_labels else None
        start = 0
        for batch in decoded.batch(1024).as_numpy_iterator():
            stop = start + len(batch["image"])
            images[start:stop] = batch["image"]
            if self.with_labels:
                labels[start:stop] = batch["label"]
            start = stop
        return images, labels
