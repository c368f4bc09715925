"""A VAE of images given a label or anything else that is known about them."""

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.training.data_checks import DataCheck, as_float_images
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class ConditionalVAE(VAE):
    """-log p(x|z, y) + beta * KL(q(z|x, y) || p(z)), in nats: trained on pairs, `fit(x, y)`.

    A condition y is a class number, an integer, or a vector of `condition_dim` numbers. It is
    appended to the code, so the decoder takes `latent_dim + condition_dim` numbers, and enters the
    encoder as a learned image that is added to x. Use it to draw images of a class, or to keep what
    is known out of the code:

    >>> cvae = keras_vae.objectives.ConditionalVAE(
    ...     keras_vae.mlp_encoder((28, 28, 1), 10),
    ...     keras_vae.mlp_decoder((28, 28, 1), 10 + 10),
    ...     condition_dim=10,
    ... )
    >>> cvae.compile(keras.optimizers.Adam(1e-3))
    >>> cvae.fit(images, labels)
    >>> sevens = cvae.sample(100, condition=7)

    Every method that takes images or codes takes `condition=`, one for all or one for each. Without
    it, as callbacks call them, images and codes go with no class in particular: the same share of
    each. Pass a callback a function to have it draw one,
    such as `PriorSamples(folder, decode=lambda z: cvae.decode(z, 7))`.

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
        self.condition_dim = arguments.count("condition_dim", condition_dim)
        super().__init__(encoder, decoder, **kwargs)

    def build(self, input_shape):
        """Builds both networks, and what maps a condition to an image."""
        if self.built:
            return
        self.condition_image = keras.Sequential(
            [
                keras.layers.Input((self.condition_dim,)),
                keras.layers.Dense(int(np.prod(input_shape[1:])), use_bias=False),
                keras.layers.Reshape(input_shape[1:]),
            ],
            name="condition_image",
        )
        super().build(input_shape)

    def decoder_input_dim(self, latent_dim):
        """The code and the condition."""
        return latent_dim + self.condition_dim

    def encode(self, x, condition=None):
        """q(z|x, y) for images and their conditions."""
        x = as_float_images(x, self.event_shape)
        added = self.condition_image(self.conditions(condition, tf.shape(x)[0]))
        return self.posterior.distribution(self.encoder(x + tf.cast(added, tf.float32)))

    def decode(self, z, condition=None):
        """p(x|z, y) for codes and their conditions."""
        conditions = self.conditions(condition, tf.shape(z)[0])
        codes = tf.concat([tf.cast(z, tf.float32), conditions], axis=-1)
        return self.likelihood_of(self.decoder(codes))

    def forward(self, x, condition, training):
        """One pass of images with their conditions.

        Raises:
            ValueError: If there are no conditions.
        """
        self._check_conditions(condition)
        return super().forward(x, condition, training)

    def inputs_of(self, data):
        """The images, and their conditions or `None`."""
        x, condition, _ = keras.utils.unpack_x_y_sample_weight(data)
        return x, condition

    def symbolic_inputs(self):
        """Symbolic images and conditions."""
        return *super().symbolic_inputs(), keras.KerasTensor((None, self.condition_dim))

    def data_check(self) -> DataCheck:
        """Images as a VAE's, and a condition for each."""
        return super().data_check().with_labels(self._check_conditions)

    def _check_conditions(self, condition):
        if condition is None:
            raise ValueError(
                "A conditional VAE needs a condition for every image. Call `fit(images, labels)`, "
                "or pass a data set of pairs. Received: images alone"
            )
        self._vectors(condition)

    def conditions(self, condition, count):
        """What images or codes go with, `[count, condition_dim]`: one for all, or one for each."""
        size = self.condition_dim
        vectors = tf.fill([1, size], 1 / size) if condition is None else self._vectors(condition)
        return tf.broadcast_to(vectors, [count, size])

    def _vectors(self, condition):
        """One condition, or several, as vectors `[1 or n, condition_dim]`."""
        size = self.condition_dim
        condition = tf.convert_to_tensor(condition)
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

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "condition_dim": self.condition_dim}
