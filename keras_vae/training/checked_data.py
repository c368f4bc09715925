"""`fit` and its like, with a look at the data before Keras sees them."""

import functools
import inspect

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.keras_internals import validates
from keras_vae.training.data_checks import DataCheck


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

    def _with_checks(self, method, signature_of, args, kwargs):
        """Calls a method of Keras with its data replaced by the same data with checks."""
        bound = inspect.signature(signature_of).bind(self, *args, **kwargs)
        given = bound.arguments
        check = self.data_check()
        if validates(given.get("kwargs", {})):
            # `fit` has checked and cached these data.
            with check.errors_made_clear():
                return method(*bound.args[1:], **bound.kwargs)
        name = signature_of.__name__
        if given.get("x") is None:
            raise ValueError(f"`{name}` needs images. Received: x=None")
        if isinstance(given["x"], tuple):
            raise ValueError(
                f"`{name}` takes images as `x`, labels as `y` and weights as `sample_weight`. "
                "Received: x=a tuple. Pass its parts one by one, or a data set of them."
            )
        if given.get("batch_size") is not None:
            arguments.count("batch_size", given["batch_size"])
        for argument in ("x", "validation_data"):
            if given.get(argument) is not None:
                given[argument] = check.wrap(given[argument])
        weights = given.get("sample_weight")
        if hasattr(given["x"], "shape"):
            check.check_weights(weights, len(given["x"]))
            check.check_labels(given.get("y"))
        if weights is not None and given.get("y") is None:
            # Keras drops the weights of data without targets.
            given["y"] = np.zeros(len(given["x"]), np.float32)
        if "shuffle" in inspect.signature(signature_of).parameters and isinstance(
            given["x"], tf.data.Dataset
        ):
            # Keras warns of its own default here: data sets shuffle themselves.
            given.setdefault("shuffle", False)
        with check.errors_made_clear():
            return method(*bound.args[1:], **bound.kwargs)
