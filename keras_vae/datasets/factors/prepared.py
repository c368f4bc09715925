"""Sets of TensorFlow Datasets whose factors are known."""

import os
import uuid
from pathlib import Path

import numpy as np

from keras_vae.datasets.factors.factor_arrays import FactorArrays
from keras_vae.datasets.source import damaged, prepared_builder

# Of each set, its splits and the features that are its factors.
SETS = {
    "dsprites": (
        "train",
        {
            "shape": "label_shape",
            "scale": "label_scale",
            "orientation": "label_orientation",
            "x": "label_x_position",
            "y": "label_y_position",
        },
    ),
    "shapes3d": (
        "train",
        {
            "floor_hue": "label_floor_hue",
            "wall_hue": "label_wall_hue",
            "object_hue": "label_object_hue",
            "scale": "label_scale",
            "shape": "label_shape",
            "orientation": "label_orientation",
        },
    ),
    # The instances of one split are not those of the other.
    "smallnorb": (
        "train+test",
        {
            "category": "label_category",
            "instance": "instance",
            "elevation": "label_elevation",
            "azimuth": "label_azimuth",
            "lighting": "label_lighting",
        },
    ),
}
# Their files hold 0 and 1, where others hold bytes up to 255.
BLACK_AND_WHITE = {"dsprites"}
_BATCH = 1024


def prepared(
    name: str,
    data_dir: str | os.PathLike | None = None,
    download: bool = True,
    memory_limit: int = 2 * 2**30,
) -> FactorArrays:
    """A set of TensorFlow Datasets by its factors.

    TFDS reads in one order alone. So a set that fits into `memory_limit` as bytes is read into
    memory, and a larger one is copied once, uncompressed, into the folder of the prepared set, from
    where images are read as they are asked for.

    Args:
        name: `"dsprites"`, `"shapes3d"` or `"smallnorb"`, whose first camera's images are taken.
        data_dir: Folder of prepared TFDS data. Defaults to `None`: TFDS's own.
        download: Bool. Whether to download and prepare a set that is not there. Defaults to `True`.
        memory_limit: Int. Bytes up to which a set is held in memory. Defaults to 2 GiB.

    Raises:
        DatasetUnavailableError: If the set is neither prepared nor downloadable, or its files are
            damaged.
        OSError: If it cannot be copied.
    """
    import tensorflow as tf

    builder = prepared_builder(name, data_dir, download)
    split, features = SETS[name]
    try:
        images, factors = _arrays(builder, split, features, memory_limit)
    except tf.errors.OpError as error:
        raise damaged(name, builder.data_dir, error) from None
    return FactorArrays(images, factors, tuple(features))


def _arrays(builder, split, features, memory_limit):
    shape = builder.info.splits[split].num_examples, *builder.info.features["image"].shape
    if np.prod(shape, dtype=np.int64) <= memory_limit:
        images = np.empty(shape, np.uint8)
        return images, _read(builder, split, features, images)
    folder = Path(builder.data_dir)
    images, factors = folder / "keras_vae_images.npy", folder / "keras_vae_factors.npy"
    if not images.exists():
        _copy(builder, split, features, shape, images, factors)
    return np.load(images, mmap_mode="r"), np.load(factors)


def _copy(builder, split, features, shape, images, factors):
    """Writes images and factors; the images last, so that where they are both are whole."""
    temporary = images.with_name(f".{images.name}.{uuid.uuid4().hex}.tmp")
    try:
        mapped = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        np.save(factors, _read(builder, split, features, mapped))
        mapped.flush()
        os.replace(temporary, images)
    finally:
        temporary.unlink(missing_ok=True)


def _read(builder, split, features, images):
    """Fills `images`; returns the factors `[n, num_factors]`."""
    import tensorflow_datasets as tfds

    names = ("image", *features.values())
    examples = builder.as_dataset(
        split=split,
        read_config=tfds.ReadConfig(try_autocache=False),
        shuffle_files=False,
    ).map(lambda example: {name: example[name] for name in names})
    factors, start = np.empty((len(images), len(features)), np.int64), 0
    for batch in examples.batch(_BATCH).as_numpy_iterator():
        rows = slice(start, start + len(batch["image"]))
        image = batch["image"]
        images[rows] = 255 * (image > 0) if builder.name in BLACK_AND_WHITE else image
        factors[rows] = np.stack([batch[name] for name in features.values()], axis=1)
        start = rows.stop
    return factors
