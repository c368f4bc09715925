"""The regularised autoencoder: small codes, a smooth decoder, and no noise."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_vae import arguments
from keras_vae.objectives.autoencoder import Autoencoder

PENALTIES = ("l2", "gradient")


@keras.saving.register_keras_serializable(package="keras_vae")
class RAE(Autoencoder):
    """-log p(x|z) + code_weight * |z|^2 / 2 + decoder_weight * penalty, in nats, at z = loc(x).

    In place of a VAE's noise, what keeps codes of like images near each other is that codes are
    small (`code_loss`) and the decoder smooth (`decoder_loss`): by the squared norm of its weights,
    or by that of the gradient of its images with respect to the code. Use it for sharp
    reconstructions in a code that a density can be fitted to, from which samples are then drawn:
    the model's own prior is not trained, and `elbo` bounds nothing.

    The squared norm of the gradient, a sum over all pixels and latents, is estimated without bias
    by that of a random combination of the pixels (Hutchinson, 1990), which costs one more pass.

    Reference: Ghosh et al., "From variational to deterministic autoencoders" (2020), section 3.

    Args:
        penalty: `"l2"` or `"gradient"`, the RAE-L2 and the RAE-GP. Defaults to `"l2"`.
        code_weight: Float, beta of the paper. Defaults to `0.1`.
        decoder_weight: Float, lambda of the paper. Defaults to `0.01`.
        **kwargs: As `Autoencoder` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        penalty: str = PENALTIES[0],
        code_weight: float = 0.1,
        decoder_weight: float = 0.01,
        **kwargs,
    ):
        self.penalty = arguments.one_of("penalty", penalty, PENALTIES)
        coefficients = {"code_weight": code_weight, "decoder_weight": decoder_weight}
        super().__init__(encoder, decoder, coefficients=coefficients, **kwargs)

    def regularizers(self, posterior, z, kl, training):
        """The KL, of no weight by default, the size of the codes, and what the decoder pays."""
        if self.penalty == "gradient":
            of_decoder = self.squared_gradient(z, training)
        else:
            of_decoder = tf.add_n(
                [tf.reduce_sum(w.value**2) for w in self.decoder.trainable_weights]
            )
        return {
            **super().regularizers(posterior, z, kl, training),
            "code_loss": (self.code_weight, 0.5 * tf.reduce_sum(z**2, axis=-1)),
            "decoder_loss": (self.decoder_weight, of_decoder),
        }

    def squared_gradient(self, z, training: bool) -> tf.Tensor:
        """An estimate of |d decode(z) / dz|^2, `[batch]`."""
        direction = self.noise(tf.shape(z)[0], self._event_shape, training, stream=1)
        _, gradient = tfp.math.value_and_gradient(
            lambda z: tf.reduce_sum(direction * self.decode(z).mean()), z
        )
        return tf.reduce_sum(gradient**2, axis=-1)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "penalty": self.penalty}
