"""`fit` and its like, with a look at the data before Keras sees them."""

import functools
import inspect
import warnings

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.keras_internals import validates
from keras_vae.training.data_checks import DataCheck
from keras_vae.training.given_data import FIT_TAKES, comes_in_batches, is_endless, numbers_of

_STEPS = {"fit": "steps_per_epoch", "evaluate": "steps", "predict": "steps"}


class ChecksData(keras.Model):
    """A model whose data are checked once, where they enter: before the first step if possible."""

    def data_check(self) -> DataCheck:
        """What data must be for this model."""
        return DataCheck()

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Checks the data, then trains as `keras.Model.fit` does."""
        return self._with_checks(super().fit, keras.Model.fit, args, kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """Checks the data, then evaluates as `keras.Model.evaluate` does."""
        return self._with_checks(super().evaluate, keras.Model.evaluate, args, kwargs)

    @functools.wraps(keras.Model.train_on_batch)
    def train_on_batch(self, *args, **kwargs):
        """Checks the batch, then trains on it as `keras.Model.train_on_batch` does."""
        return self._with_checks(super().train_on_batch, keras.Model.train_on_batch, args, kwargs)

    @functools.wraps(keras.Model.test_on_batch)
    def test_on_batch(self, *args, **kwargs):
        """Checks the batch, then tests on it as `keras.Model.test_on_batch` does."""
        return self._with_checks(super().test_on_batch, keras.Model.test_on_batch, args, kwargs)

    @functools.wraps(keras.Model.predict)
    def predict(self, *args, **kwargs):
        """Checks the data, then predicts as `keras.Model.predict` does."""
        return self._with_checks(super().predict, keras.Model.predict, args, kwargs)

    @functools.wraps(keras.Model.predict_on_batch)
    def predict_on_batch(self, *args, **kwargs):
        """Checks the batch, then predicts as `keras.Model.predict_on_batch` does."""
        method, signature_of = super().predict_on_batch, keras.Model.predict_on_batch
        return self._with_checks(method, signature_of, args, kwargs)

    def check_before_training(self, method: str):
        """Raises for what would stop training at its first step, or train to nothing.

        Args:
            method: The name of the method that is about to train.

        Raises:
            ValueError: If the model was compiled without an optimizer.
        """
        if self.compiled and self.optimizer is None:
            raise ValueError(
                f"`{method}` needs an optimizer. Compile the model with one, for example "
                "`compile(optimizer=keras.optimizers.Adam(1e-3))`. Received: optimizer=None"
            )

    def fed_with(self, data):
        """What `fit` iterates over in place of data that were checked, of the same batches."""
        return data

    def _with_checks(self, method, signature_of, args, kwargs):
        """Calls a method of Keras with its data replaced by the same data with checks."""
        bound = inspect.signature(signature_of).bind(self, *args, **kwargs)
        given = bound.arguments
        check = self.data_check()
        if validates(given.get("kwargs", {})):
            # `fit` has checked and cached these data.
            with check.errors_made_clear():
                return method(*bound.args[1:], **bound.kwargs)
        name, parameters = signature_of.__name__, inspect.signature(signature_of).parameters
        if given.get("x") is None:
            raise ValueError(f"`{name}` needs images. Received: x=None")
        arrays_alone = given.get("y") is None and not comes_in_batches(given["x"])
        if given.get("class_weight") is not None and arrays_alone:
            raise ValueError(
                "`class_weight` needs labels, by which it weights the images. Received: "
                f"class_weight={given['class_weight']!r} and y=None. Pass the labels as `y`, or "
                "weight the images by `sample_weight`."
            )
        if given.get("batch_size") is not None:
            arguments.count("batch_size", given["batch_size"])
        if name in ("fit", "train_on_batch"):
            self.check_before_training(name)
        _warn_of_endless_data(name, given)
        takes_labels = "y" in parameters
        if not takes_labels:
            check = check.with_optional_labels()
        given["x"] = check.wrap_images(
            given["x"], takes=FIT_TAKES if takes_labels else "nothing else"
        )
        if given.get("validation_data") is not None:
            given["validation_data"] = check.wrap(given["validation_data"])
        for argument in ("y", "sample_weight"):
            if argument in given:
                given[argument] = numbers_of(given[argument])
        weights = given.get("sample_weight")
        if takes_labels and hasattr(given["x"], "shape"):
            check.check_weights(weights, len(given["x"]))
            check.check_labels(given.get("y"))
            if weights is not None and given.get("y") is None:
                # Keras drops the weights of data without targets.
                given["y"] = np.zeros(len(given["x"]), np.float32)
        if "shuffle" in parameters and isinstance(given["x"], tf.data.Dataset):
            # Keras warns of its own default here: data sets shuffle themselves.
            given.setdefault("shuffle", False)
        if name == "fit":
            given["x"] = self.fed_with(given["x"])
        with check.errors_made_clear():
            return method(*bound.args[1:], **bound.kwargs)


def _warn_of_endless_data(method, given):
    """Says of data without an end, and without a number of steps, that there is none."""
    for argument, steps in (("x", _STEPS.get(method)), ("validation_data", "validation_steps")):
        data = given.get(argument)
        if comes_in_batches(data) and is_endless(data) and given.get(steps) is None:
            warnings.warn(
                f"`{method}` will not end: the data set `{argument}` has no end, and `{steps}` is "
                f"not given. Pass `{steps}`, or a data set without `repeat()`.",
                UserWarning,
                stacklevel=4,
            )
