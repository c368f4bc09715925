"""A VAE of images given a label or anything else that is known about them."""

import contextlib
import inspect

import keras
import numpy as np
import tensorflow as tf

from keras_vae.training import data_checks
from keras_vae.vae import VAE, check_count


@keras.saving.register_keras_serializable(package="keras_vae")
class ConditionalVAE(VAE):
    """-log p(x|z, y) + beta * KL(q(z|x, y) || p(z)), in nats: trained on pairs, `fit(x, y)`.

    A condition y is a class number, an integer, or a vector of `condition_dim` numbers. It is
    appended to the code, so the decoder takes `latent_dim + condition_dim` numbers, and enters the
    encoder as a learned image that is added to x. Use it to draw images of a class, or to keep what
    is known out of the code:

    >>> cvae = keras_vae.objectives.ConditionalVAE(
    ...     mlp_encoder((28, 28, 1), 10), mlp_decoder((28, 28, 1), 10 + 10), condition_dim=10)
    >>> cvae.fit(images, labels)
    >>> with cvae.given(7):
    ...     sevens = cvae.sample(100)

    `encode`, `embed`, `reconstruct` and `call` take pairs `(images, labels)`, too. Images or codes
    alone, as callbacks pass them, go with the condition of `given`, by default that of no class in
    particular: the same share of each, or zeros where conditions are vectors.

    References: Sohn, Lee & Yan, "Learning structured output representation using deep conditional
    generative models" (2015), equation 4; Kingma et al., "Semi-supervised learning with deep
    generative models" (2014), equation 6.

    Args:
        condition_dim: Int. Number of classes, or of numbers in a condition.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid, or `fit` gets images without conditions or with
            others than these. A class number out of range in a data set is TensorFlow's
            `InvalidArgumentError`, at the step that meets it.
    """

    def __init__(self, encoder, decoder, condition_dim: int, **kwargs):
        check_count("condition_dim", condition_dim)
        self.condition_dim = int(condition_dim)
        self._given = None
        super().__init__(encoder, decoder, **kwargs)

    def build(self, input_shape):
        """Builds both networks, and what maps a condition to an image."""
        if self.built:
            return
        if isinstance(input_shape[0], list | tuple):  # Of a pair.
            input_shape = input_shape[0]
        self.condition_image = keras.Sequential(
            [
                keras.layers.Input((self.condition_dim,)),
                keras.layers.Dense(int(np.prod(input_shape[1:])), use_bias=False),
                keras.layers.Reshape(input_shape[1:]),
            ],
            name="condition_image",
        )
        super().build(input_shape)

    @contextlib.contextmanager
    def given(self, condition):
        """Inside a `with`, images and codes alone go with this condition: one, or one for each."""
        self._vectors(condition)
        # What `predict` has compiled goes with the condition of before.
        self.predict_function = None
        try:
            with self._pair((None, condition)):
                yield self
        finally:
            self.predict_function = None

    def encode(self, x):
        """q(z|x, y) for images, or pairs of images and conditions."""
        with self._pair(x) as x:
            x = data_checks.as_float_images(x)
            added = self.condition_image(self._conditions(tf.shape(x)[0]))
            return super().encode(x + tf.cast(added, tf.float32))

    def decode(self, z):
        """p(x|z, y) for codes, or pairs of codes and conditions."""
        with self._pair(z) as z:
            conditions = self._conditions(tf.shape(z)[0])
            return super().decode(tf.concat([tf.cast(z, tf.float32), conditions], axis=-1))

    def call(self, x, training=False, return_terms=False):
        """Reconstructs images, or pairs of images and conditions."""
        with self._pair(x) as x:
            return super().call(x, training, return_terms)

    def inputs_of(self, data):
        """The pair of images and conditions, and the sample weights."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if y is None:
            raise ValueError(
                "A conditional VAE needs a condition for every image. Call `fit(images, labels)`, "
                "or pass a data set of pairs. Received: images alone"
            )
        return (x, y), sample_weight

    @contextlib.contextmanager
    def _pair(self, inputs):
        if not isinstance(inputs, tuple | list):
            yield inputs
            return
        first, condition = inputs
        before, self._given = self._given, condition
        try:
            yield first
        finally:
            self._given = before

    def _conditions(self, count):
        """What images or codes go with, `[count, condition_dim]`."""
        if self._given is None:
            return tf.ones([count, self.condition_dim]) / self.condition_dim
        return tf.broadcast_to(self._vectors(self._given), [count, self.condition_dim])

    def _vectors(self, condition):
        """One condition, or several, as vectors `[1 or n, condition_dim]`."""
        condition = tf.convert_to_tensor(condition)
        size = self.condition_dim
        expected = f"Expected: class numbers, integers from 0 to {size - 1}, or {size} numbers each"
        if condition.dtype.is_integer and tuple(condition.shape[1:]) in ((), (1,)):
            numbers = tf.reshape(tf.cast(condition, tf.int64), [-1])
            known = tf.reduce_all((numbers >= 0) & (numbers < size))
            if tf.executing_eagerly() and not known:
                raise ValueError(
                    f"Conditions do not fit. {expected}. Received: class numbers from "
                    f"{tf.reduce_min(numbers)} to {tf.reduce_max(numbers)}"
                )
            with tf.control_dependencies([tf.debugging.Assert(known, [expected, numbers])]):
                return tf.one_hot(numbers, size)
        if size > 1 and tuple(condition.shape[-1:]) != (size,):
            raise ValueError(
                f"Conditions do not fit. {expected}. Received: {condition.dtype.name} of shape "
                f"{list(condition.shape)}"
            )
        return tf.reshape(tf.cast(condition, tf.float32), [-1, size])

    def _with_checks(self, method, signature_of, args, kwargs):
        """Checks the conditions that come as arrays, too, before the first step."""
        arguments = inspect.signature(signature_of).bind(self, *args, **kwargs).arguments
        pairs = [(arguments.get("x"), arguments.get("y")), arguments.get("validation_data")]
        for pair in pairs:
            if isinstance(pair, tuple) and hasattr(pair[0], "shape"):
                (_, condition), _ = self.inputs_of(pair)
                self._vectors(condition)
        return super()._with_checks(method, signature_of, args, kwargs)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "condition_dim": self.condition_dim}
