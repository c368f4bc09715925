"""A function of a model applied to images, whatever holds them: what methods of inference share."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.training.data_checks import DataCheck
from keras_vae.training.given_data import comes_in_batches, is_endless


class OverImages(keras.Model):
    """A model of images `[batch, *event_shape]` with a likelihood, asked for something of each."""

    # Whether images may have holes.
    missing = False

    def symbolic_inputs(self) -> tuple:
        """Symbolic images."""
        return (keras.KerasTensor((None, *self._event_shape)),)

    def data_check(self) -> DataCheck:
        """Images of the model's shape, within the support of the likelihood."""
        likelihood = self.likelihood
        return DataCheck(
            self.event_shape,
            likelihood.lower,
            likelihood.upper,
            requirements=likelihood.requirements(),
            missing=self.missing,
        )

    def conditions(self, condition, count):
        """What images or codes go with besides themselves: nothing, but for a conditional member.

        Args:
            condition: What was given as such.
            count: Int scalar. How many images or codes there are.

        Raises:
            ValueError: If there is a condition.
        """
        if condition is not None:
            raise ValueError(
                f"A {type(self).__name__} takes no conditions; a "
                "`keras_vae.objectives.ConditionalVAE` does. "
                f"Received: condition={condition!r}"
            )

    def _check_built(self, method: str):
        """Raises a `ValueError`, in the name of a method, if the model is not built."""
        if not self.built:
            raise ValueError(
                f"`{method}` needs a built model. Call the model on a batch of images, or "
                "`build((None, height, width, channels))`, first."
            )

    def _of_images(self, method: str, function: Callable, batch_size: int, x, condition=None):
        """Applies a function to images, whose values are looked at unless they are symbolic.

        Args:
            method: On whose behalf, for errors.
            function: Of images and, for a model that takes some, conditions.
            batch_size: Int. How many images of an array it is given at once.
            x: Images, `[n, *event]`, or what `predict` takes besides.
            condition: As `conditions` takes it, with an array. Defaults to `None`.

        Raises:
            ValueError: If the images are not such as `fit` takes, or the data have no end.
        """
        if keras.backend.is_keras_tensor(x) or (tf.is_tensor(x) and not hasattr(x, "numpy")):
            return function(x, condition)
        arguments.count("batch_size", batch_size)
        if is_endless(x):
            raise ValueError(
                f"`{method}` needs data that have an end. Received: a {type(x).__name__} without "
                "one. Take a number of its batches, for example `dataset.take(10)`."
            )
        if comes_in_batches(x) and condition is not None:
            raise ValueError(
                "Images that come in batches bring their conditions with them, as (images, "
                f"conditions). Received: a {type(x).__name__} and condition={condition!r}"
            )
        check = self.data_check().with_optional_labels()
        x = check.wrap_images(x, takes="conditions as `condition`")
        if not comes_in_batches(x):
            return self._in_batches(function, batch_size, x, condition)
        with check.errors_made_clear():
            parts = [function(*self.inputs_of(batch)) for batch in _batches(x)]
        if not parts:
            raise ValueError(f"There are no images. Received: an empty {type(x).__name__}")
        return tf.concat(parts, axis=0)

    def _in_batches(self, function: Callable, batch_size: int, x, condition=None):
        """Applies a function batch by batch, so that memory does not grow with the data."""
        conditions = self.conditions(condition, len(x))
        if len(x) <= batch_size:
            return function(x, conditions)
        parts = []
        for start in range(0, len(x), batch_size):
            batch = slice(start, start + batch_size)
            parts.append(function(x[batch], None if conditions is None else conditions[batch]))
        return tf.concat(parts, axis=0)


def _batches(data):
    """The batches of data that have an end."""
    if isinstance(data, keras.utils.PyDataset):
        return (data[index] for index in range(data.num_batches))
    return data
