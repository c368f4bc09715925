"""A VAE with an adversary that measures the dependence between latents."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae.objectives.adversarial import Adversarial


@keras.saving.register_keras_serializable(package="keras_vae")
class FactorVAE(Adversarial):
    """-log p(x|z) + KL + gamma * TC(z), with the total correlation from a density ratio, in nats.

    A discriminator learns to tell codes from codes whose latents were shuffled over the batch, each
    by itself; its logit estimates log q(z) / prod_j q(z_j), whose mean is the total correlation,
    logged as `total_correlation`. It trains beside the VAE with an optimizer of its own, on fresh
    codes of each batch; its loss, in nats a code, is logged as `discriminator_loss` and not part of
    `loss`. Use it where `BetaTCVAE` is too biased by small batches; gamma 10 to 40.

    Reference: Kim & Mnih, "Disentangling by factorising" (2018), equation 3 and algorithm 2.

    Args:
        gamma: Float. Weight of the total correlation. Defaults to `10.0`.
        discriminator_sizes: Units of the discriminator's hidden layers. Defaults to six of 1000.
        discriminator_rate: Float. Learning rate of its Adam(beta_1=0.5, beta_2=0.9). Defaults to
            `1e-4`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        gamma: float = 10.0,
        discriminator_sizes: Sequence[int] = (1000,) * 6,
        discriminator_rate: float = 1e-4,
        **kwargs,
    ):
        coefficients = {"gamma": gamma}
        super().__init__(
            encoder,
            decoder,
            discriminator_sizes,
            discriminator_rate,
            coefficients=coefficients,
            **kwargs,
        )

    def regularizers(self, posterior, z, kl, training):
        """The KL, the total correlation, and the discriminator's loss, which is only logged."""
        return {
            **super().regularizers(posterior, z, kl, training),
            "total_correlation": (self.gamma, self.log_density_ratio(z)),
            "discriminator_loss": (None, self.discriminator_loss(tf.stop_gradient(z), training)),
        }

    def log_density_ratio(self, z) -> tf.Tensor:
        """The estimate of log q(z) - sum_j log q(z_j), nats, `[batch]`."""
        return self.discriminator(z)[:, 0]

    def discriminator_loss(self, z, training: bool) -> tf.Tensor:
        """Cross-entropy of telling codes from shuffled ones, nats a code, `[batch]`."""
        # Ranks of independent noise are a permutation for each latent.
        noise = self.noise(tf.shape(z)[0], (self.latent_dim,), training, stream=2)
        order = tf.argsort(noise, axis=0)
        shuffled = tf.gather(tf.transpose(z), tf.transpose(order), batch_dims=1)
        real, fake = self.log_density_ratio(z), self.log_density_ratio(tf.transpose(shuffled))
        return 0.5 * (tf.nn.softplus(-real) + tf.nn.softplus(fake))
