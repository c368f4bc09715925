"""Clear errors for images that a likelihood cannot explain, before a step is spent on them."""

import contextlib
import copy
import itertools
import math
import re
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_vae.requirements import Requirement
from keras_vae.training.checked_batches import CheckedBatches
from keras_vae.training.given_data import (
    FIT_TAKES,
    comes_in_batches,
    images_of,
    kind_of,
    numbers_of,
    one_array,
    weights_of,
)
from keras_vae.training.known_values import known_extremes

_MARK = "keras_vae image check"
_WEIGHT_MARK = "keras_vae weight check"
_COUNT_MARK = "keras_vae weight count check"
# Around the message of an error that passes through TensorFlow, which adds to it.
_MESSAGE = "<keras_vae>{}</keras_vae>"


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
            f"Received: {kind_of(x)}. Stack them, for example by `np.stack`."
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


def marked(message) -> str:
    """A message that `DataCheck.errors_made_clear` finds in the error of a pipeline."""
    return _MESSAGE.format(message)


def any_labels(labels):
    """Takes any labels, and none."""


class DataCheck:
    """Checks images wherever they are given to a model.

    Arrays are checked whole before anything runs. Of data that come in batches the first one is, if
    it is at hand, and every batch as it comes: inside the pipeline of a `tf.data.Dataset`, of which
    type and shape are known before, and where a generator or a `PyDataset` prepares it. No batch is
    of a data set whose values are all known to fit, as those of `keras_vae.datasets` in memory are.

    Args:
        event_shape: Shape of one image. Defaults to `None`, which leaves the shape unchecked.
        lower: Float. The least value a pixel may have. Defaults to minus infinity.
        upper: Float. The greatest. Defaults to infinity.
        check_labels: Function that raises a `ValueError` for labels that do not fit, or for `None`
            where there must be some. Defaults to `None`: labels are not used.
        requirements: What values must be besides. Defaults to none.
        missing: Bool. Whether NaN is a value that was not observed, instead of a mistake. Defaults
            to `False`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...] | None = None,
        lower: float = -math.inf,
        upper: float = math.inf,
        check_labels: Callable | None = None,
        requirements: Sequence[Requirement] = (),
        missing: bool = False,
    ):
        self.event_shape = event_shape
        self.lower = lower
        self.upper = upper
        self.check_labels = check_labels or any_labels
        self.requirements = tuple(requirements)
        self.missing = missing

    def with_labels(self, check_labels: Callable) -> "DataCheck":
        """The same check of images, with another of labels."""
        other = copy.copy(self)
        other.check_labels = check_labels
        return other

    def with_optional_labels(self) -> "DataCheck":
        """The same check for a method that does without labels where there are none."""

        def check_labels(labels):
            if labels is not None:
                self.check_labels(labels)

        return self if self.check_labels is any_labels else self.with_labels(check_labels)

    def wrap_images(self, x, takes: str = FIT_TAKES):
        """As `wrap`, for what stands for images alone, as `x` of `fit` does.

        Args:
            x: An array, a list of one array, or data that come in batches.
            takes: What the method takes besides images, and how. Defaults to what `fit` does.
        """
        return self.wrap(x if comes_in_batches(x) else one_array(x, self.event_shape, takes))

    def wrap(self, data):
        """Checks what can be checked now, and returns the data with the remaining checks added.

        Args:
            data: Whatever `fit` takes as `validation_data`: an array, a tuple of images, labels and
                sample weights, or data that come in batches.

        Returns:
            The same; of arrays those that are lists, variables or data frames as arrays.

        Raises:
            ValueError: If the images are not floating point, of another shape than the model's,
                or have values that are not finite or outside the likelihood's support.
        """
        if isinstance(data, tf.data.Dataset):
            self._check_spec(data.element_spec)
            if data.cardinality() == 0:
                raise ValueError(_no_images("an empty data set"))
            if self._is_known_to_fit(data):
                return data
            return data.map(self._check_in_graph, num_parallel_calls=tf.data.AUTOTUNE)
        if isinstance(data, keras.utils.PyDataset):
            return self._check_py_dataset(data)
        if comes_in_batches(data):
            return self._check_generator(data)
        if isinstance(data, list | tuple):
            parts = self._check_parts(data)
            is_same = len(parts) == len(data) and all(map(lambda a, b: a is b, parts, data))
            return data if is_same else parts
        images = one_array(data, self.event_shape)
        if hasattr(images, "shape"):
            self._check_array(images)
        return images

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
        except (ValueError, tf.errors.OpError) as error:
            message = self._meaning_of(str(error))
            if message is None:
                raise
            raise ValueError(message) from None

    def _meaning_of(self, error):
        """What the error of a check means; `None` of any other."""
        start, end = _MESSAGE.split("{}")
        said = re.search(f"{start}(.*?){end}", error, re.DOTALL)
        if said:
            # TensorFlow has escaped quotes, such as are around names.
            return re.sub(r"\\(['\"\\])", r"\1", said[1])
        if _WEIGHT_MARK in error:
            return _bad_weights("A batch of the data set has others")
        if _COUNT_MARK in error:
            return _other_count()
        if "expected shape" in error and "EnsureShape" in error:
            expected = ", ".join(map(str, self.event_shape or ()))
            return (
                f"Images do not fit the encoder. Expected: [batch, {expected}]. Received: a "
                "batch of another shape. Resize or reshape the images in the data set, for "
                "example by `dataset.map`."
            )
        if _MARK in error:
            return (
                f"Images must be finite and within {self._support()}, the support of the "
                "likelihood. A batch of the dataset is not. "
                + (
                    "Scale or clean the images before training, for example `x / 255` for 8-bit "
                    "ones."
                    if math.isfinite(self.upper)
                    else "Clean the images before training, or choose another likelihood."
                )
            )
        return None

    def _check_parts(self, data):
        """A tuple of images, labels and weights, as far as they are there, as arrays."""
        if not 1 <= len(data) <= 3:
            raise ValueError(
                "Data must be images, (images,), (images, labels) or (images, labels, "
                f"sample_weights). Received: a {type(data).__name__} of {len(data)}"
            )
        images, *others = data
        images = one_array(images, self.event_shape)
        if not hasattr(images, "shape"):
            raise ValueError(f"Images must be an array. Received: {kind_of(images)}")
        self._check_array(images)
        others = [numbers_of(values) for values in others]
        self.check_weights(others[1] if len(others) > 1 else None, len(images))
        self.check_labels(others[0] if others else None)
        return (images, *others)

    def _check_array(self, images):
        _check_dtype(getattr(images.dtype, "name", str(images.dtype)))
        _check_shape(images.shape, self.event_shape)
        images = np.asarray(images)
        if not images.size:
            raise ValueError(
                f"There are no images. Received: shape {images.shape}. Look at what selected them."
            )
        # As the model will see them.
        with np.errstate(over="ignore"):
            if self.missing:
                # NaN is left out by `fmin`, and is what it gives where there is nothing else.
                low = np.float32(np.fmin.reduce(images, axis=None))
                high = np.float32(np.fmax.reduce(images, axis=None))
            else:
                low, high = np.float32(images.min()), np.float32(images.max())
        if self.missing and math.isnan(low):
            if len(images) == 1:
                return  # Of one row that may be so, as of a row among others.
            raise ValueError(
                "Something must be observed. Received: images whose every value is NaN. Look at "
                "what made them missing."
            )
        # Both are NaN where any pixel is, unless it may be.
        if not (math.isfinite(low) and math.isfinite(high)):
            kinds = "infinite" if self.missing else "NaN or infinite"
            raise ValueError(
                f"Images must be finite. Received: values that are {kinds}. Remove or repair "
                "those images before training."
            )
        if low < self.lower or high > self.upper:
            raise ValueError(
                f"Images must be within {self._support()}, the support of the likelihood. "
                f"Received: values from {low} to {high}. {self._advice()}"
            )
        for requirement in self.requirements:
            message = requirement.broken_by(images)
            if message is not None:
                raise ValueError(message)

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
        if self.event_shape is None and (spec.shape.rank is None or None in spec.shape[1:]):
            raise ValueError(
                "The data set must tell the shape of its images, of which the model is built. "
                f"Received: {spec}. Tell it by `dataset.map`, for example with "
                "`tf.ensure_shape(image, (None, 28, 28, 1))`, or build the model before."
            )
        if self.check_labels is not any_labels and isinstance(element, list | tuple):
            self._check_spec_of_labels(element[1:2])
        weights = weights_of(element)
        known = weights is not None and weights.shape.rank is not None
        if known and tuple(weights.shape[1:]) not in ((), (1,)):
            raise ValueError(
                "There must be one sample weight an image. Expected: shape [batch]. "
                f"Received: shape {list(weights.shape)}. Weights of single pixels are not "
                "supported: take their mean over each image."
            )
        if known and spec.shape.rank and not weights.shape[:1].is_compatible_with(spec.shape[:1]):
            raise ValueError(_other_count())

    def _check_spec_of_labels(self, labels):
        for spec in labels:
            if isinstance(spec, tf.TensorSpec) and spec.shape.rank is None:
                raise ValueError(
                    "The data set must tell the shape of its labels. "
                    f"Received: {spec}. Tell it by `dataset.map`, for example with "
                    "`tf.ensure_shape(label, (None,))`."
                )

    def _is_known_to_fit(self, dataset):
        """Whether no batch of a data set needs to be looked at, because all values are known."""
        images = images_of(dataset.element_spec)
        is_of_known_shape = images.shape.rank is not None and None not in images.shape[1:]
        has_weights = weights_of(dataset.element_spec) is not None
        if self.requirements or has_weights or not is_of_known_shape:
            return False
        extremes = known_extremes(dataset)
        if extremes is None:
            return False
        low, high = extremes
        # Neither holds for NaN.
        return max(self.lower, tf.float32.min) <= low and high <= min(self.upper, tf.float32.max)

    @tf.autograph.experimental.do_not_convert  # Which takes longer than all else here.
    def _check_in_graph(self, *element):
        data = element[0] if len(element) == 1 else element
        images, weights = images_of(data), weights_of(data)
        if self.event_shape is not None:
            images = tf.ensure_shape(images, (None, *self.event_shape))
        values = tf.cast(images, tf.float32)
        least, most = max(self.lower, tf.float32.min), min(self.upper, tf.float32.max)
        observed = values
        if self.missing:
            observed = tf.where(tf.math.is_nan(values), tf.constant(least), values)
        # Every batch is looked at, beside the steps, so this makes no array. The extremes of what
        # has a NaN in it are NaN, and no comparison holds for that.
        fits = (tf.reduce_min(observed) >= least) & (tf.reduce_max(observed) <= most)
        checks = [tf.debugging.Assert(fits, [_MARK])]
        for requirement in self.requirements:
            said = marked(requirement.message("A batch of the data set is not"))
            fits = requirement.fits(requirement.values(values))
            checks.append(tf.debugging.Assert(tf.reduce_all(fits), [said]))
        if weights is not None:
            count = tf.size(weights) == tf.shape(images)[0]
            weights = tf.cast(weights, tf.float32)
            fits = tf.math.is_finite(weights) & (weights >= 0)
            checks.append(tf.debugging.Assert(tf.reduce_all(fits), [_WEIGHT_MARK]))
            checks.append(tf.debugging.Assert(count, [_COUNT_MARK]))
        # The shape that was looked at is known from here on, whatever the pipeline knew of it.
        data = (images, *data[1:]) if isinstance(data, list | tuple) else images
        with tf.control_dependencies(checks):
            return tf.nest.map_structure(tf.identity, data)

    def _check_py_dataset(self, dataset):
        if dataset.num_batches == 0:
            raise ValueError(_no_images("a `PyDataset` of length 0"))
        # Before training begins, where a mistake costs nothing.
        self._check_batch(dataset[0])
        check = self
        if dataset.use_multiprocessing:
            # Other processes get a copy, and labels may be looked at by what does not copy.
            check = self.with_labels(any_labels)
        return CheckedBatches(dataset, check.check_batch)

    def _check_generator(self, generator):
        # The first batch is drawn here, so that a mistake shows before training begins.
        first = next(generator, None)
        if first is None:
            raise ValueError(
                "There are no images. Received: a generator that yields nothing. A generator "
                "serves once: make a new one for every `fit`."
            )
        self._check_batch(first)
        return (self.check_batch(batch) for batch in itertools.chain([first], generator))

    def _check_batch(self, batch):
        parts = self._check_parts(batch if isinstance(batch, list | tuple) else (batch,))
        # An unbuilt model takes its shape from the first.
        self.event_shape = self.event_shape or tuple(parts[0].shape[1:])
        return parts

    def check_batch(self, batch) -> tuple:
        """One batch of a generator or `PyDataset`, with an error that `errors_made_clear` knows.

        Raises:
            ValueError: As `wrap` does for arrays, its message between marks.
        """
        try:
            return self._check_batch(batch)
        except ValueError as error:
            raise ValueError(marked(error)) from None

    def _advice(self):
        if math.isinf(self.upper):
            return "Choose another likelihood, such as 'gaussian', which takes any numbers."
        return "Scale them, for example `x / 255` for 8-bit images."

    def _support(self):
        if math.isinf(self.lower) and math.isinf(self.upper):
            return "the reals"
        return f"[{self.lower:g}, {self.upper:g}]"


def _check_dtype(name):
    if "float" not in name:
        raise ValueError(
            "Images must be floating point, scaled to the support of the likelihood. "
            f"Received: dtype {name}. For 8-bit images pass `x.astype('float32') / 255`"
            + ("." if name == "uint8" else "; for counts or classes `x.astype('float32')`.")
        )


def _check_shape(shape, event_shape):
    shape = tuple(shape)
    known = [size if size is not None else -1 for size in shape[1:]]
    if event_shape is None or (
        len(known) == len(event_shape)
        and all(size in (-1, expected) for size, expected in zip(known, event_shape, strict=True))
    ):
        return
    if shape == event_shape:
        advice = "Pass several at once: `dataset.batch(128)`, or `image[None]` for a single one."
    elif None in shape[1:]:
        advice = "Resize or reshape the images in the data set, for example by `dataset.map`."
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


def _other_count():
    return (
        "There must be one sample weight an image. A batch of the data set has another number of "
        "them. Weights of single pixels are not supported: take their mean over each image."
    )


def _range(values):
    if values.dtype.kind not in "fiub":
        return "which are no numbers"
    return f"values from {values.min()} to {values.max()}"


def _no_images(received):
    return (
        f"There are no images. Received: {received}. Look at what `take`, `filter` or "
        "`drop_remainder` leave of it."
    )
