"""`from_folder`: the images of a folder as batches for `fit`."""

import collections
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_vae import arguments
from keras_vae.datasets.arrays import (
    PARALLEL_CALLS,
    check_batching,
    finished,
    from_arrays,
    in_batches,
    scaled,
)
from keras_vae.training.data_checks import marked

# And how many channels they have.
COLORS = {"grey": 1, "rgb": 3, "rgba": 4}
FITS = ("crop", "pad", "stretch")
_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
# Images that are not read, of which somebody may expect it.
_OTHER_IMAGES = (".avif", ".heic", ".jfif", ".jp2", ".tif", ".tiff", ".webp")
_UNREADABLE = (
    "cannot be read as an image of that many channels. It may be damaged, gone, or of another kind "
    "than its name says; only PNG has four channels. Remove it, or convert it."
)
# Of EXIF: how a camera was held.
_ORIENTATION = 0x0112


def from_folder(
    folder: str | os.PathLike,
    image_size: tuple[int, int],
    color: str = "rgb",
    fit: str = "crop",
    batch_size: int = 128,
    shuffle: bool = True,
    with_labels: bool = False,
    validation_split: float | None = None,
    augment: Callable | None = None,
    drop_remainder: bool = False,
    seed: int = 0,
    memory_limit: int = 2 * 2**30,
):
    """The images of a folder and those below it, resized, as float32 batches in [0, 1].

    Files of the kinds BMP, GIF (of which the first frame counts), JPEG and PNG are read, in the
    order of their paths; others are left alone, and so is what is hidden, by a name, or that of a
    folder, that begins with a dot. Photographs are turned upright, as their EXIF says. Where three
    channels or one are asked for, transparency is left out, and a warning says so; so does one of
    images of other kinds, such as WebP. A folder that fits into `memory_limit` once it is
    resized is decoded once and held as bytes; a larger one is decoded anew every epoch. Both are
    shuffled as a whole, in an order that is a function of `(seed, epoch)` alone, an epoch being one
    iteration over the returned object.

    Args:
        folder: Folder of images.
        image_size: `(height, width)` to resize to.
        color: `"grey"`, `"rgb"` or `"rgba"`: one, three or four channels. Defaults to `"rgb"`.
        fit: What is done to images of other proportions: `"crop"` cuts their middle out, `"pad"`
            adds black, `"stretch"` distorts them. Defaults to `"crop"`.
        batch_size: Int. Images a batch; the last batch may be smaller. Defaults to `128`.
        shuffle: Bool. Whether each epoch has another order. Defaults to `True`.
        with_labels: Bool. Whether to yield `(images, labels)`, labels being the numbers of the
            sub-folders in the order of their names. Defaults to `False`.
        validation_split: Float between 0 and 1. If given, two data sets are returned, and the
            second has that share of the images, chosen by `seed` and never shuffled. Defaults to
            `None`.
        augment: Function of a batch of images in [0, 1], such as a Keras layer or a
            `keras.Sequential` of layers (`keras.layers.RandomFlip`), called with `training=True`
            where it takes that; what it returns is cut off at 0 and 1. Of validation images it sees
            none. Its noise is its own: an interrupted training draws another one. Defaults to
            `None`.
        drop_remainder: Bool. Whether to drop a smaller last batch. Defaults to `False`.
        seed: Int. Of the order and the split. Defaults to `0`.
        memory_limit: Int. Bytes up to which the images are held in memory. Defaults to 2 GiB.

    Returns:
        A `tf.data.Dataset` of batches `[batch, height, width, channels]`, or of pairs of them and
        labels `[batch]`; with `validation_split` two of them.

    Raises:
        ValueError: If an argument is invalid, there is no such folder, there are no images in it,
            or one cannot be read. Of a folder that is not held in memory the heads of the files are
            looked at; one that is damaged further on is named by the error of whatever reads it,
            such as `fit`.
    """
    check_batching(batch_size, None, seed, 0)
    size = arguments.counts("image_size", image_size)
    if len(size) != 2:
        raise arguments.invalid("image_size", "(height, width)", image_size)
    arguments.one_of("color", color, COLORS)
    arguments.one_of("fit", fit, FITS)
    arguments.count("memory_limit", memory_limit, least=0)
    if validation_split is not None:
        arguments.share("validation_split", validation_split)
    if augment is not None and not callable(augment):
        raise arguments.invalid("augment", "a function of images, such as a Keras layer", augment)
    files, labels = _files(folder, with_labels)
    order = np.random.default_rng(seed).permutation(len(files))
    held_out = 0
    if validation_split is not None:
        held_out = round(validation_split * len(files))
        if not 0 < held_out < len(files):
            raise ValueError(
                f"A share of {validation_split} of {len(files)} images leaves none on one side. "
                "Pass another `validation_split`, or more images."
            )
    orientations = _orientations(files, color)
    reader = _Reader(size, color, fit)

    def batches(chosen, is_training):
        chosen = np.sort(chosen)
        paths = [files[index] for index in chosen]
        turned = orientations[chosen]
        its_labels = labels[chosen] if with_labels else None
        settings = (batch_size, shuffle and is_training, drop_remainder, seed)
        if len(paths) * reader.num_bytes <= memory_limit:
            images = reader.read_all(paths, turned)
            found = from_arrays(images, its_labels, *settings[:2], None, *settings[2:])
        else:
            found = _streamed(reader, paths, turned, its_labels, *settings)
        return found if augment is None or not is_training else found.map(_augmented(augment))

    if validation_split is None:
        return batches(order, True)
    return batches(order[held_out:], True), batches(order[:held_out], False)


def _files(folder, with_labels):
    """Paths of all images, in the order of their names, and the numbers of their sub-folders."""
    root = Path(arguments.path("folder", folder))
    if not root.is_dir():
        raise ValueError(f"There is no folder {str(root)!r}. Received: folder={folder!r}")
    found = sorted(path for path in root.rglob("*") if not _is_passed_over(path, root))
    files = [path for path in found if path.suffix.lower() in _SUFFIXES]
    others = collections.Counter(path.suffix.lower() for path in found)
    others = ", ".join(f"{others[kind]} of {kind}" for kind in _OTHER_IMAGES if others[kind])
    if not files:
        raise ValueError(
            f"There are no images in {str(root)!r} or below it. Expected: files that end in "
            f"{', '.join(_SUFFIXES)}" + (f". There are {others}." if others else "")
        )
    if others:
        warnings.warn(
            f"{str(root)!r} has images that are not read: {others}. Convert them to PNG or JPEG, "
            "or move them away.",
            stacklevel=3,
        )
    if not with_labels:
        return [str(path) for path in files], None
    classes = [path.relative_to(root).parts[0] for path in files]
    loose = next((path for path in files if path.parent == root), None)
    if loose is not None:
        raise ValueError(
            "Labels are the sub-folders that images are in. "
            f"Received: {loose.name!r}, which is in none. Move it, or pass `with_labels=False`."
        )
    return [str(path) for path in files], np.unique(classes, return_inverse=True)[1]


def _is_passed_over(path, root):
    """Whether a path is a folder, or hidden, or in what is hidden: copies that others keep."""
    return any(part.startswith(".") for part in path.relative_to(root).parts) or path.is_dir()


def _orientations(files, color):
    """How each image is turned, int32 `[n]` in EXIF's numbers, by the head of its file."""
    found, transparent = np.ones(len(files), np.int32), 0
    for index, path in enumerate(files):
        try:
            with Image.open(path) as image:
                found[index] = _orientation(image)
                is_palette_bmp = image.format == "BMP" and image.mode == "P"
                transparent += "A" in image.mode or "transparency" in image.info
        except (OSError, SyntaxError, ValueError):
            raise ValueError(_unreadable(path)) from None
        if is_palette_bmp:
            # TensorFlow takes the numbers of its colours for grey levels.
            raise ValueError(
                f"{path!r} is a BMP with a palette, which is not read. Convert it to PNG."
            )
    if transparent and COLORS[color] < 4:
        warnings.warn(
            f"{transparent} of {len(files)} images have an alpha channel, which {color!r} leaves "
            "out: what is transparent has the colour that is stored below. Pass `color='rgba'`, or "
            "paint a background into them.",
            stacklevel=3,
        )
    return found


def _orientation(image):
    """From 1, upright, to 8."""
    # Of other kinds TensorFlow's reader and viewers know no such thing.
    orientation = image.getexif().get(_ORIENTATION, 1) if image.format == "JPEG" else 1
    return orientation if orientation in range(1, 9) else 1


def _upright(image, orientation):
    """An image as it was seen, from how it is stored."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    for axis, mirrored in ((0, (3, 4, 7, 8)), (1, (2, 3, 6, 7))):
        is_mirrored = tf.reduce_any(orientation == tf.constant(mirrored))
        image = tf.cond(
            is_mirrored, lambda x=image, axis=axis: tf.reverse(x, [axis]), lambda x=image: x
        )
    return image


class _Reader:
    """Reads image files as bytes of one size."""

    def __init__(self, size, color, fit):
        self.size, self.fit = size, fit
        self.channels = COLORS[color]
        self.num_bytes = size[0] * size[1] * self.channels

    def read(self, path, orientation):
        """One image, uint8 `[height, width, channels]`."""
        # Of BMP TensorFlow makes no grey image itself.
        channels = max(3, self.channels)
        image = tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
        image = _upright(image, orientation)
        if self.channels == 1:
            image = tf.image.rgb_to_grayscale(image)
        image = self._resized(image)
        image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
        return tf.ensure_shape(image, (*self.size, self.channels))

    def read_all(self, paths, orientations):
        """All of them, uint8 `[n, height, width, channels]`."""
        images = np.empty((len(paths), *self.size, self.channels), np.uint8)
        dataset = tf.data.Dataset.from_tensor_slices((_as_bytes(paths), orientations))
        try:
            read = dataset.map(self.read, num_parallel_calls=PARALLEL_CALLS).as_numpy_iterator()
            for index, image in enumerate(read):
                images[index] = image
        except tf.errors.OpError:
            raise ValueError(_unreadable(self._first_unreadable(paths))) from None
        return images

    def _resized(self, image):
        if self.fit == "pad":
            return tf.image.resize_with_pad(image, *self.size, antialias=True)
        if self.fit == "crop":
            image = self._cropped(image)
        return tf.image.resize(image, self.size, antialias=True)

    def _cropped(self, image):
        """The middle of an image, as large as it can be in the proportions that are wanted."""
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        wanted = self.size[0] / self.size[1]
        real = tf.cast([height, width], tf.float64)
        rows = tf.minimum(height, tf.cast(tf.round(real[1] * wanted), tf.int32))
        columns = tf.minimum(width, tf.cast(tf.round(real[0] / wanted), tf.int32))
        top, left = (height - rows) // 2, (width - columns) // 2
        return image[top : top + tf.maximum(rows, 1), left : left + tf.maximum(columns, 1)]

    def _first_unreadable(self, paths):
        for path in paths:
            try:
                self.read(os.fsencode(path), tf.constant(1))
            except tf.errors.OpError:
                return path
        return paths[0]


def _as_bytes(paths):
    """Names as the system has them: not all are text."""
    return [os.fsencode(path) for path in paths]


def _streamed(reader, paths, orientations, labels, batch_size, shuffle, drop_remainder, seed):
    """Batches that are read from disk as they are needed."""
    with tf.device("CPU:0"):
        names = tf.constant(_as_bytes(paths))
        turned = tf.constant(orientations)
        labels = None if labels is None else tf.constant(labels)

    def take(rows, draw):
        del draw  # Nothing here is random.
        chosen = tf.gather(names, rows), tf.gather(turned, rows)
        return chosen if labels is None else (*chosen, tf.gather(labels, rows))

    chosen = in_batches(take, len(paths), batch_size, shuffle, drop_remainder, seed, start=0)
    examples = chosen.unbatch().interleave(
        lambda *one: _read_or_named(reader, *one),
        cycle_length=PARALLEL_CALLS,
        num_parallel_calls=PARALLEL_CALLS,
        deterministic=True,
    )
    return finished(examples.batch(batch_size, drop_remainder), len(chosen), 0)


def _read_or_named(reader, path, orientation, *label):
    """A data set of one image, float32, and its label, or of an error that names the file."""
    given = tf.data.Dataset.from_tensors(path)
    before, after = marked("|").split("|")

    def read(path):
        image = scaled(reader.read(path, orientation))
        return (image, *label) if label else image

    def fail(path):
        message = tf.strings.join([before, "'", path, f"' {_UNREADABLE}", after])
        with tf.control_dependencies([tf.Assert(False, [message])]):
            return read(path)

    # TensorFlow's own error does not know the file, and can be caught in no other way: where it is
    # passed over, what comes next is the second.
    return given.map(read).ignore_errors().concatenate(given.map(fail)).take(1)


def _augmented(augment):
    """A function of a batch whose images are augmented."""
    takes_training = isinstance(augment, keras.layers.Layer)

    def changed(images, *labels):
        found = augment(images, training=True) if takes_training else augment(images)
        if tuple(found.shape[1:]) != tuple(images.shape[1:]):
            raise ValueError(
                "`augment` must return images of the shape that it is given. Expected: "
                f"{tuple(images.shape[1:])}. Received: {tuple(found.shape[1:])}"
            )
        found = tf.clip_by_value(tf.cast(found, tf.float32), 0.0, 1.0)
        return (found, *labels) if labels else found

    return changed


def _unreadable(path):
    return f"{path!r} {_UNREADABLE}"
