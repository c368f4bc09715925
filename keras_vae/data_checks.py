"""Clear errors for images that a likelihood cannot explain, before a step is spent on them."""

import contextlib
import itertools
import math
import types

import keras
import numpy as np
import tensorflow as tf

_MARK = "keras_vae image check"


def floating(x) -> tf.Tensor:
    """Images as a float32 tensor; refuses integers, which are pixels that nobody scaled.

    Raises:
        ValueError: If the images are not floating point.
    """
    x = tf.convert_to_tensor(x)
    _check_dtype(x.dtype.name)
    return tf.cast(x, tf.float32)


def example_weights(sample_weight, batch_size) -> tf.Tensor:
    """One float32 weight an example, `[batch]`; ones where none were given."""
    if sample_weight is None:
        return tf.ones([batch_size])
    return tf.ensure_shape(tf.reshape(tf.cast(sample_weight, tf.float32), [batch_size]), [None])


class ImageCheck:
    """Checks images as they are given to `fit` and `evaluate`.

    Arrays are checked whole before anything runs. Of a `tf.data.Dataset` the type and shape are,
    and its values batch by batch, inside the pipeline. So are a generator's. Of a `PyDataset`,
    which may prepare its batches in other processes, the first batch is checked.

    Args:
        event_shape: Shape of one image, or `None` to leave the shape unchecked.
        lower: Float. The least value a pixel may have.
        upper: Float. The greatest.
    """

    def __init__(self, event_shape, lower: float, upper: float):
        self.event_shape = event_shape
        self.lower = lower
        self.upper = upper

    def wrap(self, data):
        """Checks what can be checked now, and returns the data with the remaining checks added.

        Args:
            data: Whatever `fit` takes as `x` or as `validation_data`.

        Raises:
            ValueError: If the images are not floating point, of another shape than the model's,
                or have values that are not finite or outside the likelihood's support.
        """
        if isinstance(data, tf.data.Dataset):
            self._check_spec(_images(data.element_spec))
            return data.map(self._check_in_graph, num_parallel_calls=tf.data.AUTOTUNE)
        if isinstance(data, types.GeneratorType):
            return self._check_generator(data)
        if isinstance(data, keras.utils.PyDataset):
            if data.num_batches is None or data.num_batches > 0:
                self._check_array(_images(data[0]))
            return data
        images = _images(data)
        if isinstance(images, dict):
            raise ValueError(
                f"Images must be one array, not a dict of several. Received: keys {sorted(images)}"
            )
        if images is not None and hasattr(images, "shape"):
            self._check_array(images)
        return data

    @contextlib.contextmanager
    def errors_made_clear(self):
        """Turns the failed check of a pipeline into the `ValueError` that an array would get."""
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
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
        _check_dtype(keras.backend.standardize_dtype(images.dtype))
        self._check_shape(images.shape)
        images = np.asarray(images)
        if not images.size:
            raise ValueError(f"There are no images to train on. Received: shape {images.shape}")
        low, high = images.min(), images.max()
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

    def _check_spec(self, spec):
        if spec is None or not hasattr(spec, "dtype"):
            raise ValueError(
                "Datasets must yield images, (images,), (images, labels) or (images, labels, "
                f"sample_weights). Received: elements of {spec}"
            )
        _check_dtype(spec.dtype.name)
        if spec.shape.rank is not None:
            self._check_shape(spec.shape)

    def _check_shape(self, shape):
        event = tuple(shape[1:])
        if self.event_shape is None or None in event or event == self.event_shape:
            return
        raise ValueError(
            "Images do not fit the encoder. "
            f"Expected: [batch, {', '.join(map(str, self.event_shape))}]. "
            f"Received: {list(shape)}"
        )

    def _check_in_graph(self, *element):
        data = element[0] if len(element) == 1 else element
        images = tf.cast(_images(data), tf.float32)
        if self.event_shape is not None:
            images = tf.ensure_shape(images, (None, *self.event_shape))
        # Comparisons with NaN are false, so one expression covers it.
        fits = tf.reduce_all((images >= self.lower) & (images <= self.upper))
        if math.isinf(self.upper):
            fits = tf.reduce_all(tf.math.is_finite(images))
        with tf.control_dependencies([tf.debugging.Assert(fits, [_MARK])]):
            return tf.nest.map_structure(tf.identity, data)

    def _check_generator(self, generator):
        def check(batch):
            self._check_array(np.asarray(_images(batch)))
            return batch if isinstance(batch, tuple) else (batch,)

        # The first batch is drawn here, so that a mistake shows before training begins.
        first = next(generator, None)
        if first is None:
            raise ValueError("The generator of images is empty.")
        check(first)
        return (check(batch) for batch in itertools.chain([first], generator))

    def _support(self):
        return f"[{self.lower:g}, {self.upper:g}]" if math.isfinite(self.upper) else "the reals"


def _images(data):
    """The images among `x`, `(x,)`, `(x, y)`, `(x, y, sample_weight)`."""
    return data[0] if isinstance(data, list | tuple) and data else data


def _check_dtype(name):
    if "float" not in name:
        raise ValueError(
            "Images must be floating point, scaled to the support of the likelihood. "
            f"Received: dtype {name}. For 8-bit images pass `x.astype('float32') / 255`."
        )
