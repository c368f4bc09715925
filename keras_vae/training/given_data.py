"""What was given as images: one array, or batches of them. Anything else is refused."""

import math
import numbers
import os
import types

import keras
import numpy as np
import tensorflow as tf

# Of `fit`; other methods take other things besides images.
FIT_TAKES = "labels as `y` and weights as `sample_weight`"


def images_of(data):
    """The images among `x`, `(x,)`, `(x, y)`, `(x, y, sample_weight)`."""
    return data[0] if isinstance(data, list | tuple) and data else data


def labels_of(data):
    """The labels among the same, or `None`."""
    return data[1] if isinstance(data, list | tuple) and len(data) > 1 else None


def weights_of(data):
    """The sample weights among the same, or `None`."""
    return data[2] if isinstance(data, list | tuple) and len(data) == 3 else None


def comes_in_batches(data) -> bool:
    """Whether data are batches, to be drawn one by one."""
    return isinstance(data, tf.data.Dataset | keras.utils.PyDataset | types.GeneratorType)


def is_endless(data) -> bool:
    """Whether data are known to have no end; of a generator nobody knows."""
    if isinstance(data, tf.data.Dataset):
        return bool(data.cardinality() == tf.data.INFINITE_CARDINALITY)
    return isinstance(data, keras.utils.PyDataset) and data.num_batches is None


def one_array(images, event_shape: tuple[int, ...] | None = None, takes: str = FIT_TAKES):
    """The one array that images are; what already is one, and what Keras knows besides, as it is.

    A list of one array is that array, as everywhere in Keras; variables and data frames become
    arrays.

    Args:
        images: What was given.
        event_shape: Shape of one image. Defaults to `None`: unknown.
        takes: What the method takes besides images, and how. Defaults to what `fit` does.

    Raises:
        ValueError: If they are several arrays, not dense, or no array at all.
    """
    while isinstance(images, list | tuple) and len(images) == 1 and _shape(images[0]):
        images = images[0]
    if isinstance(images, dict):
        raise ValueError(
            "Images must be one array, not a dict of several. "
            f"Received: keys {sorted(images)}. Pass the array alone."
        )
    if isinstance(images, list | tuple) and images and all(map(_shape, images)):
        raise ValueError(_several(images, event_shape, takes))
    refuse_mask(images)
    for kind, dense in _NOT_DENSE:
        if kind(images):
            raise ValueError(
                "Images must be a dense array [batch, *event], all of the same shape. "
                f"Received: a {type(images).__name__}. {dense}"
            )
    if images is None or isinstance(images, _NO_IMAGES) or _shape(images) == ():
        raise ValueError(
            "Images must be an array [batch, *event], or a `tf.data.Dataset`, a generator or a "
            f"`keras.utils.PyDataset` of such batches. Received: {kind_of(images)}. Lists become "
            "an array by `np.asarray(images, 'float32')`."
        )
    if isinstance(images, tf.Variable | keras.Variable):
        return tf.convert_to_tensor(images)
    if _shape(images) and not hasattr(images, "dtype"):
        return np.asarray(images)
    return images


def refuse_mask(array):
    """Refuses an array with a mask, of which no network knows.

    Raises:
        ValueError: If some of its values are masked; they would be taken for what they hide.
    """
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            "The mask of an array would be lost. Received: a MaskedArray, of which "
            f"{np.ma.count_masked(array)} values are masked. Pass `x.filled(np.nan)` to a model "
            "with `missing=True`, for which NaN is what was not observed, or leave those out."
        )


def numbers_of(values):
    """Labels or weights as an array, of which lists of numbers and lists of one array are some."""
    if isinstance(values, list | tuple) and len(values) == 1 and _shape(values[0]):
        return values[0]
    return np.asarray(values) if isinstance(values, list | tuple) else values


def kind_of(data) -> str:
    """What was given, in few words."""
    if isinstance(data, list | tuple) and data:
        return f"a {type(data).__name__} of {type(data[0]).__name__}"
    return f"{data!r}" if isinstance(data, str | numbers.Number) else type(data).__name__


def _several(parts, event_shape, takes):
    """What is said of several arrays: images of which one array can be made, or labels too."""
    shapes = [_shape(part) for part in parts]
    kind = type(parts).__name__
    are_images = len({len(shape) for shape in shapes}) == 1 and len(shapes[0]) > 1
    if event_shape is not None:
        are_images = are_images and len(shapes[0]) - len(event_shape) in (0, 1)
    if not are_images:
        shown = " and ".join(str(list(shape)) for shape in shapes[:3])
        return (
            f"Images must be one array [batch, *event], with {takes}. "
            f"Received: a {kind} of {len(parts)} arrays, of shapes {shown}. Pass its parts one by "
            "one, or a data set of them."
        )
    is_batches = event_shape is not None and len(shapes[0]) == len(event_shape) + 1
    if len({shape[is_batches:] for shape in shapes}) > 1:
        received = f"a {kind} of {len(parts)} arrays of differing shapes"
        advice = "Resize the images alike, and join them to one array by `np.stack`."
    else:
        received = f"a {kind} of {len(parts)} arrays of shape {list(shapes[0])}"
        advice = f"Join them to one: `np.{'concatenate' if is_batches else 'stack'}(x)`."
    return f"Images must be one array [batch, *event]. Received: {received}. {advice}"


def _shape(array):
    """The shape of what has one, else `None`."""
    shape = getattr(array, "shape", None)
    try:
        return None if shape is None else tuple(shape)
    except ValueError:  # Of unknown rank.
        return (math.nan,)


# What Keras would take for something else, or fail on without a word about images.
_NO_IMAGES = (list, tuple, set, str, bytes, os.PathLike, numbers.Number)
_NOT_DENSE = (
    (
        lambda images: isinstance(images, tf.SparseTensor),
        "Make it dense: `tf.sparse.to_dense(x)`.",
    ),
    (
        lambda images: isinstance(images, tf.RaggedTensor),
        "Resize the images alike; where they already are, `x.to_tensor()` is dense.",
    ),
    # SciPy's.
    (lambda images: hasattr(images, "toarray"), "Make it dense: `x.toarray()`."),
)
