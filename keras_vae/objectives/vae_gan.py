"""A VAE whose images look real to an adversary, and like the originals to a network."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.objectives.adversarial import Adversarial
from keras_vae.objectives.holes import filled_in
from keras_vae.training import Term


@keras.saving.register_keras_serializable(package="keras_vae")
class VAEGAN(Adversarial):
    """-log p(x|z) + beta * KL + perceptual_weight * |F(x) - F(x')|^2 / 2 - weight * log d(x').

    x' is the mean of p(x|z), F what a network makes of an image, d what a discriminator of images
    from reconstructions thinks of one; in nats. Pixels agree best with what is blurred; features
    and the adversary ask for what images look like. The terms are logged as `perceptual_loss`,
    `adversarial_loss` and, only logged, `discriminator_loss`, nats an image, log 2 where the
    discriminator guesses. Use it for sharp images, and as the first stage of a latent diffusion
    model, with codes that are a flattened grid (see `docs/objectives.md`).

    References: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric"
    (2016), with F the discriminator's last hidden layer; Esser, Rombach & Ommer, "Taming
    transformers for high-resolution image synthesis" (2021), with F a network that was trained
    before, and d on patches. Here the pixels' likelihood stays, the gradients of both terms reach
    encoder and decoder, and d sees reconstructions alone.

    Args:
        discriminator: Keras model from images to one logit each, or to several, of patches, that
            are averaged; in float32, all its weights trainable. Defaults to `None`: a fully
            connected one.
        features: Keras model from images to one array or several. It is not trained. Defaults to
            `None`: the discriminator's last hidden layer.
        perceptual_weight: Float. Defaults to `1.0`.
        adversarial_weight: Float. Defaults to `1.0`.
        discriminator_sizes: Units of the hidden layers of the discriminator that is made where none
            is given. Defaults to `(200, 200)`.
        discriminator_rate: Float. Learning rate of its Adam(beta_1=0.5, beta_2=0.9). Defaults to
            `1e-4`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid, or a network does not take the images.
    """

    def __init__(
        self,
        encoder,
        decoder,
        discriminator: keras.Model | None = None,
        features: keras.Model | None = None,
        perceptual_weight: float = 1.0,
        adversarial_weight: float = 1.0,
        discriminator_sizes: Sequence[int] = (200, 200),
        discriminator_rate: float = 1e-4,
        **kwargs,
    ):
        for argument, network in (("discriminator", discriminator), ("features", features)):
            if network is not None and not isinstance(network, keras.Model):
                raise arguments.invalid(argument, "a Keras model of images, or `None`", network)
        self._given = {"discriminator": discriminator, "features": features}
        coefficients = {
            "perceptual_weight": perceptual_weight,
            "adversarial_weight": adversarial_weight,
        }
        super().__init__(
            encoder,
            decoder,
            discriminator_sizes,
            discriminator_rate,
            coefficients=coefficients,
            **kwargs,
        )

    def build(self, input_shape):
        """Builds all networks, and freezes that of the features."""
        if self.built:
            return
        super().build(input_shape)
        if self._given["features"] is not None:
            self.features = self._given["features"]
        else:
            *_, last_hidden, _ = self.discriminator.layers
            self.features = keras.Model(self.discriminator.inputs, last_hidden.output)
        self.features.trainable = False
        self._check_takes_images("features", self.features)

    def make_discriminator(self):
        """The one that was given, or fully connected layers."""
        discriminator = self._given["discriminator"]
        if discriminator is None:
            flat = [keras.layers.Input(self.event_shape), keras.layers.Flatten(dtype="float32")]
            return keras.Sequential([*flat, *self.discriminator_layers()], name="discriminator")
        self._check_takes_images("discriminator", discriminator)
        for layer in discriminator.layers:
            layer.trainable = True  # It may come from a file, where it was frozen.
        half = {layer.compute_dtype for layer in discriminator.layers} & {"float16", "bfloat16"}
        if discriminator.non_trainable_weights or half:
            raise ValueError(
                "`discriminator` must compute in float32, with trainable weights alone, so without "
                "batch normalization or dropout: its optimizer scales no loss. Received: "
                f"{len(discriminator.non_trainable_weights)} weights that are not trainable, "
                f"layers in {sorted(half) or 'float32'}"
            )
        return discriminator

    def forward(self, x, condition, training):
        """The terms of the VAE, and those of what the reconstruction looks like."""
        result = super().forward(x, condition, training)
        real, fake = self._pair(x, result.output)
        pairs = zip(
            *(keras.tree.flatten(self.features(part)) for part in (real, fake)), strict=True
        )
        distances = [0.5 * _sum(tf.math.squared_difference(*pair)) for pair in pairs]
        shown = tf.stop_gradient(real), tf.stop_gradient(fake)
        terms = {
            "perceptual_loss": Term(self.perceptual_weight, tf.add_n(distances)),
            "adversarial_loss": Term(self.adversarial_weight, tf.nn.softplus(-self._logit(fake))),
            "discriminator_loss": Term(None, self.discriminator_loss(shown, training)),
        }
        return result._replace(terms={**result.terms, **terms})

    def shown(self, x, z):
        """Images and their reconstructions."""
        return self._pair(x, self.decode(z).mean())

    def discriminator_loss(self, shown, training: bool) -> tf.Tensor:
        """Cross-entropy of telling images from reconstructions, nats an image, `[batch]`."""
        del training  # Nothing is drawn.
        real, fake = map(self._logit, shown)
        return 0.5 * (tf.nn.softplus(-real) + tf.nn.softplus(fake))

    def _pair(self, x, reconstruction):
        """What the discriminator and the features are to compare."""
        return filled_in(x, reconstruction), reconstruction

    def _logit(self, images):
        """What the discriminator thinks, `[batch]`, the mean over patches."""
        logits = self.discriminator(images)
        return tf.reduce_mean(tf.reshape(logits, [tf.shape(logits)[0], -1]), axis=-1)

    def _check_takes_images(self, argument, network):
        """Refuses a network of other images."""
        if network.input_shape != (None, *self.event_shape):
            raise ValueError(
                f"`{argument}` must take the model's images. Expected: an input of shape "
                f"{(None, *self.event_shape)}. Received: {network.input_shape}"
            )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        given = {
            name: network and keras.saving.serialize_keras_object(network)
            for name, network in self._given.items()
        }
        return {**super().get_config(), **given}


def _sum(values):
    """Over all axes but the first, in float32, `[batch]`."""
    values = tf.cast(values, tf.float32)
    return tf.reduce_sum(tf.reshape(values, [tf.shape(values)[0], -1]), axis=-1)
