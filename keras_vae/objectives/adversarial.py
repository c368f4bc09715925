"""Members with a discriminator that trains beside them."""

import abc
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.keras_internals import apply_gradients
from keras_vae.vae import VAE


class Adversarial(VAE, abc.ABC):
    """Base class of members with a discriminator and an optimizer of its own.

    A step trains the VAE, whose optimizer leaves the discriminator alone, and then the
    discriminator, on what its subclass shows it of the same batch, whose codes are drawn anew.

    Args:
        discriminator_sizes: Units of the discriminator's hidden layers.
        discriminator_rate: Float. Learning rate of its Adam(beta_1=0.5, beta_2=0.9).
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        discriminator_sizes: Sequence[int],
        discriminator_rate: float,
        **kwargs,
    ):
        self.discriminator_sizes = arguments.counts("discriminator_sizes", discriminator_sizes)
        self.discriminator_rate = arguments.number(
            "discriminator_rate", discriminator_rate, least=0
        )
        super().__init__(encoder, decoder, **kwargs)

    @abc.abstractmethod
    def discriminator_loss(self, shown, training: bool) -> tf.Tensor:
        """What the discriminator minimises on what it is shown, nats, `[batch]`."""

    def build(self, input_shape):
        """Builds both networks, the discriminator and its optimizer."""
        if self.built:
            return
        super().build(input_shape)
        self.discriminator = self.make_discriminator()
        # The VAE's optimizer is to leave it alone.
        self.discriminator.trainable = False
        self.discriminator_optimizer = keras.optimizers.Adam(
            self.discriminator_rate, beta_1=0.5, beta_2=0.9
        )
        self.discriminator_optimizer.build(self.discriminator.weights)

    def make_discriminator(self) -> keras.Model:
        """A discriminator of codes, from `[batch, latent]` to a logit each."""
        inputs = keras.layers.Input((self.latent_dim,))
        return keras.Sequential([inputs, *self.discriminator_layers()], name="discriminator")

    def discriminator_layers(self) -> list:
        """Fully connected layers that end in one logit."""
        # In float32, because its optimizer does not scale losses as half precision needs.
        units = [(size, "leaky_relu") for size in self.discriminator_sizes] + [(1, None)]
        return [keras.layers.Dense(*unit, dtype="float32") for unit in units]

    def shown(self, x, z):
        """What the discriminator is shown of images and their codes: the codes."""
        del x
        return z

    def train_step(self, data):
        """A step of the VAE, then one of the discriminator."""
        logs = super().train_step(data)
        (x,) = self.inputs_of(data)
        noise = self.noise(tf.shape(x)[0], (self.latent_dim,), training=True, stream=3)
        self.train_discriminator(self.shown(x, self.reparameterize(self.encode(x), noise)))
        return logs

    def train_discriminator(self, shown):
        """One step of the discriminator on what it is shown."""
        shown = tf.nest.map_structure(tf.stop_gradient, shown)
        weights = self.discriminator.weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            loss = tf.reduce_mean(self.discriminator_loss(shown, training=True))
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        apply_gradients(self.discriminator_optimizer, gradients, weights)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            "discriminator_sizes": self.discriminator_sizes,
            "discriminator_rate": self.discriminator_rate,
        }
        return {**super().get_config(), **config}
