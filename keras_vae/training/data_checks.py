"""Clear errors for images that a likelihood cannot explain, before a step is spent on them."""

import contextlib
import itertools
import math
import numbers
import os
import types
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

_MARK = "keras_vae image check"
_WEIGHT_MARK = "keras_vae weight check"


def as_float_images(x, event_shape: tuple[int, ...] | None = None) -> tf.Tensor:
    """Images as a float32 tensor; refuses integers, which are pixels that nobody scaled.

    Args:
        x: Images, `[batch, *event]`.
        event_shape: Shape of one image. Defaults to `None`, which leaves it unchecked.

    Raises:
        ValueError: If the images are no array, not floating point, or of another shape.
    """
    try:
        x = tf.convert_to_tensor(x)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        raise ValueError(
            "Images must be one array [batch, *event], all of the same shape. "
            f"Received: {_kind(x)}. Stack them, for example by `np.stack`."
        ) from None
    _check_dtype(x.dtype.name)
    if x.shape.rank is not None:
        _check_shape(x.shape, event_shape)
    return tf.cast(x, tf.float32)


def example_weights(sample_weight, batch_size) -> tf.Tensor:
    """One float32 weight an example, `[batch]`; ones where none were given."""
    if sample_weight is None:
        return tf.ones([batch_size])
    return tf.ensure_shape(tf.reshape(tf.cast(sample_weight, tf.float32), [batch_size]), [None])


class DataCheck:
    """Checks images as they are given to `fit` and `evaluate`.

    Arrays are checked whole before anything runs. Of a `tf.data.Dataset` the type and shape are,
    and its values batch by batch, inside the pipeline. So are a generator's. Of a `PyDataset`,
    which may prepare its batches in other processes, the first batch is checked.

    Args:
        event_shape: Shape of one image. Defaults to `None`, which leaves the shape unchecked.
        lower: Float. The least value a pixel may have. Defaults to minus infinity.
        upper: Float. The greatest. Defaults to infinity.
        check_labels: Function that raises a `ValueError` for labels that do not fit, or for `None`
            where there must be some. Defaults to `None`: labels are not used.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...] | None = None,
        lower: float = -math.inf,
        upper: float = math.inf,
        check_labels: Callable | None = None,
    ):
        self.event_shape = event_shape
        self.lower = lower
        self.upper = upper
        self.check_labels = check_labels or (lambda labels: None)

    def wrap(self, data):
        """Checks what can be checked now, and returns the data with the remaining checks added.

        Args:
            data: Whatever `fit` takes as `x` or as `validation_data`.

        Raises:
            ValueError: If the images are not floating point, of another shape than the model's,
                or have values that are not finite or outside the likelihood's support.
        """
        if isinstance(data, tf.data.Dataset):
            self._check_spec(data.element_spec)
            if data.cardinality() == 0:
                raise ValueError(
                    "There are no images. Received: an empty data set. Look at what `take`, "
                    "`filter` or `drop_remainder` leave of it."
                )
            return data.map(self._check_in_graph, num_parallel_calls=tf.data.AUTOTUNE)
        if isinstance(data, types.GeneratorType):
            return self._check_generator(data)
        if isinstance(data, keras.utils.PyDataset):
            if data.num_batches is None or data.num_batches > 0:
                self._check_array(images_of(data[0]))
            return data
        images = images_of(data)
        if isinstance(images, dict):
            raise ValueError(
                "Images must be one array, not a dict of several. "
                f"Received: keys {sorted(images)}. Pass the array alone."
            )
        if tuple(getattr(images, "shape", ())):
            self._check_array(images)
            self.check_weights(weights_of(data), len(images))
            if isinstance(data, tuple):
                self.check_labels(data[1] if len(data) > 1 else None)
        elif images is None or hasattr(images, "shape") or isinstance(images, _NO_IMAGES):
            raise ValueError(
                "Images must be an array [batch, *event], or a `tf.data.Dataset`, a generator or a "
                f"`keras.utils.PyDataset` of such batches. Received: {_kind(data)}. Lists become "
                "an array by `np.asarray(images, 'float32')`."
            )
        return data

    def check_weights(self, sample_weight, num_images: int):
        """Checks the weights that come with an array of images.

        Args:
            sample_weight: What `fit` takes as such, or `None`.
            num_images: Int. How many images there are.

        Raises:
            ValueError: If there is not one finite number of at least 0 for each image.
        """
        if sample_weight is None:
            return
        weights = np.asarray(sample_weight)
        if weights.shape not in ((num_images,), (num_images, 1)):
            raise ValueError(
                "There must be one sample weight an image. "
                f"Expected: shape [{num_images}]. Received: shape {list(weights.shape)}. Weights "
                "of single pixels are not supported: take their mean over each image."
            )
        if weights.dtype.kind not in "fiub" or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(_bad_weights(f"Received: dtype {weights.dtype}, {_range(weights)}"))

    @contextlib.contextmanager
    def errors_made_clear(self):
        """Turns the failed check of a pipeline into the `ValueError` that an array would get."""
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
            if _WEIGHT_MARK in str(error):
                raise ValueError(_bad_weights("A batch of the data set has others")) from None
            if "expected shape" in str(error) and "EnsureShape" in str(error):
                expected = ", ".join(map(str, self.event_shape or ()))
                raise ValueError(
                    f"Images do not fit the encoder. Expected: [batch, {expected}]. Received: a "
                    "batch of another shape. Resize or reshape the images in the data set, for "
                    "example by `dataset.map`."
                ) from None
            if _MARK not in str(error):
                raise
            raise ValueError(
                f"Images must be finite and within {self._support()}, the support of the "
                "likelihood. A batch of the dataset is not. Scale or clean the images before "
                "training, for example `x / 255` for 8-bit ones."
            ) from None

    def _check_array(self, images):
        if not hasattr(images, "dtype"):
            images = np.asarray(images)  # A data frame, for one.
        _check_dtype(getattr(images.dtype, "name", str(images.dtype)))
        _check_shape(images.shape, self.event_shape)
        images = np.asarray(images)
        if not images.size:
            raise ValueError(
                f"There are no images. Received: shape {images.shape}. Look at what selected them."
            )
        # As the model will see them.
        with np.errstate(over="ignore"):
            low, high = np.float32(images.min()), np.float32(images.max())
        # Both are NaN where any pixel is.
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(
                "Images must be finite. Received: values that are NaN or infinite. Remove or "
                "repair those images before training."
            )
        if low < self.lower or high > self.upper:
            raise ValueError(
                f"Images must be within {self._support()}, the support of the likelihood. "
                f"Received: values from {low} to {high}. Scale them, for example `x / 255` for "
                "8-bit images."
            )

    def _check_spec(self, element):
        spec = images_of(element)
        is_batch = isinstance(spec, tf.TensorSpec)
        if not is_batch or (isinstance(element, list | tuple) and len(element) > 3):
            raise ValueError(
                "Data sets must yield images, (images,), (images, labels) or (images, labels, "
                f"sample_weights), dense and batched. Received: elements of {element}. Bring them "
                "into that form by `dataset.map`."
            )
        _check_dtype(spec.dtype.name)
        if spec.shape.rank is not None:
            _check_shape(spec.shape, self.event_shape)
        weights = weights_of(element)
        if weights is not None and tuple(weights.shape[1:]) not in ((), (1,)):
            raise ValueError(
                "There must be one sample weight an image. Expected: shape [batch]. "
                f"Received: shape {list(weights.shape)}. Weights of single pixels are not "
                "supported: take their mean over each image."
            )

    def _check_in_graph(self, *element):
        data = element[0] if len(element) == 1 else element
        images = tf.cast(images_of(data), tf.float32)
        if self.event_shape is not None:
            images = tf.ensure_shape(images, (None, *self.event_shape))
        # All false of NaN, so that one expression covers it.
        fits = tf.math.is_finite(images) & (images >= self.lower) & (images <= self.upper)
        checks = [tf.debugging.Assert(tf.reduce_all(fits), [_MARK])]
        weights = weights_of(data)
        if weights is not None:
            weights = tf.cast(weights, tf.float32)
            fits = tf.math.is_finite(weights) & (weights >= 0)
            checks.append(tf.debugging.Assert(tf.reduce_all(fits), [_WEIGHT_MARK]))
        with tf.control_dependencies(checks):
            return tf.nest.map_structure(tf.identity, data)

    def _check_generator(self, generator):
        def check(batch):
            images = np.asarray(images_of(batch))
            self._check_array(images)
            self.check_weights(weights_of(batch), len(images))
            return batch if isinstance(batch, tuple) else (batch,)

        # The first batch is drawn here, so that a mistake shows before training begins.
        first = next(generator, None)
        if first is None:
            raise ValueError(
                "There are no images. Received: a generator that yields nothing. A generator "
                "serves once: make a new one for every `fit`."
            )
        check(first)
        return (check(batch) for batch in itertools.chain([first], generator))

    def _support(self):
        if math.isinf(self.lower) and math.isinf(self.upper):
            return "the reals"
        return f"[{self.lower:g}, {self.upper:g}]"


def images_of(data):
    """The images among `x`, `(x,)`, `(x, y)`, `(x, y, sample_weight)`."""
    return data[0] if isinstance(data, list | tuple) and data else data


def labels_of(data):
    """The labels among the same, or `None`."""
    return data[1] if isinstance(data, list | tuple) and len(data) > 1 else None


def weights_of(data):
    """The sample weights among the same, or `None`."""
    return data[2] if isinstance(data, list | tuple) and len(data) == 3 else None


# What Keras would take for something else, or fail on without a word about images.
_NO_IMAGES = (list, tuple, set, str, bytes, os.PathLike, numbers.Number)


def _check_dtype(name):
    if "float" not in name:
        raise ValueError(
            "Images must be floating point, scaled to the support of the likelihood. "
            f"Received: dtype {name}. For 8-bit images pass `x.astype('float32') / 255`."
        )


def _check_shape(shape, event_shape):
    shape = tuple(shape)
    if event_shape is None or None in shape[1:] or shape[1:] == event_shape:
        return
    if shape == event_shape:
        advice = "Pass several at once: `dataset.batch(128)`, or `image[None]` for a single one."
    elif (*shape[1:], 1) == event_shape:
        advice = "Add the axis of the channel: `x[..., None]`."
    elif math.prod(shape[1:]) == math.prod(event_shape):
        advice = f"Reshape them: `x.reshape({(-1, *event_shape)})`."
    else:
        advice = f"Resize the images, or build both networks for images of shape {shape[1:]}."
    raise ValueError(
        "Images do not fit the encoder. "
        f"Expected: [batch, {', '.join(map(str, event_shape))}]. Received: {list(shape)}. {advice}"
    )


def _bad_weights(received):
    return (
        f"Sample weights must be finite numbers of at least 0. {received}. Weight 0 leaves an "
        "image out."
    )


def _range(values):
    if values.dtype.kind not in "fiub":
        return "which are no numbers"
    return f"values from {values.min()} to {values.max()}"


def _kind(data):
    """What was given, in few words."""
    if isinstance(data, list | tuple) and data:
        return f"a {type(data).__name__} of {type(data[0]).__name__}"
    return f"{data!r}" if isinstance(data, str | numbers.Number) else type(data).__name__
