"""The autoencoder whose codes an adversary takes for draws of the prior."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae.objectives.adversarial import Adversarial


@keras.saving.register_keras_serializable(package="keras_vae")
class AdversarialAutoencoder(Adversarial):
    """-log p(x|z) - weight * log d(z) at z = loc(x), d what a discriminator thinks of z, in nats.

    A discriminator learns to tell codes from draws of the prior, the encoder to have its codes
    taken for such (`adversarial_loss`): where it can no longer tell, q(z) is p(z), and samples are
    as good as reconstructions. It trains beside the autoencoder with an optimizer of its own; its
    loss, in nats a code, log 2 where it only guesses, is logged as `discriminator_loss` and not
    part of `loss`. Use it as `WAE`, whose discrepancy is without a second network, where that sees
    too little: for priors of any shape, and more latents than a few dozen.

    Reference: Makhzani et al., "Adversarial autoencoders" (2016), section 2, with the encoder that
    is a function of x, and the loss of the generator that does not saturate (Goodfellow et al.,
    "Generative adversarial nets", 2014, section 3).

    Args:
        adversarial_weight: Float. Defaults to `10.0`.
        discriminator_sizes: Units of the discriminator's hidden layers. Defaults to `(200, 200,
            200)`. The paper's two of 1000 learn so much faster than the encoder, at these weights
            and rates, that codes flee from them: docs/samplers.md has figures.
        discriminator_rate: Float. Learning rate of its Adam(beta_1=0.5, beta_2=0.9). Defaults to
            `1e-4`.
        beta: Float. Weight of the KL. Defaults to `0.0`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        adversarial_weight: float = 10.0,
        discriminator_sizes: Sequence[int] = (200, 200, 200),
        discriminator_rate: float = 1e-4,
        beta: float = 0.0,
        **kwargs,
    ):
        coefficients = {"adversarial_weight": adversarial_weight}
        super().__init__(
            encoder,
            decoder,
            discriminator_sizes,
            discriminator_rate,
            beta=beta,
            coefficients=coefficients,
            **kwargs,
        )

    def reparameterize(self, posterior, noise):
        """The mean of the posterior, whatever the noise."""
        del noise
        return posterior.mean()

    def regularizers(self, posterior, z, kl, training):
        """The KL, what the discriminator finds, and its own loss, which is only logged."""
        return {
            **super().regularizers(posterior, z, kl, training),
            "adversarial_loss": (
                self.adversarial_weight,
                tf.nn.softplus(-self.discriminator(z)[:, 0]),
            ),
            "discriminator_loss": (None, self.discriminator_loss(tf.stop_gradient(z), training)),
        }

    def discriminator_loss(self, z, training: bool) -> tf.Tensor:
        """Cross-entropy of telling codes from draws of the prior, nats a code, `[batch]`."""
        prior = self.prior_sample(tf.shape(z)[0], training)
        real, fake = self.discriminator(prior)[:, 0], self.discriminator(z)[:, 0]
        return 0.5 * (tf.nn.softplus(-real) + tf.nn.softplus(fake))
