"""A VAE that matches the distribution of all codes to the prior."""

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.distributions import KERNELS, maximum_mean_discrepancy
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class InfoVAE(VAE):
    """-log p(x|z) + (1 - alpha) * KL + (alpha + lambda - 1) * MMD(q(z), p(z)).

    The squared maximum mean discrepancy between a batch of codes and as many draws of the prior is
    logged as `mmd_loss`, which has no unit: its weight must bring it to the scale of nats. Use it
    where a strong decoder ignores the code, with batches of 64 images or more.

    Reference: Zhao, Song & Ermon, "InfoVAE: balancing learning and inference in variational
    autoencoders" (2019), equation 6.

    Args:
        beta: Float, 1 - alpha of the paper. Defaults to `0.0`.
        mmd_weight: Float, alpha + lambda - 1 of the paper. Defaults to `1000.0`.
        kernel: `"rbf"` or `"imq"`, as `maximum_mean_discrepancy` takes it. Defaults to `"rbf"`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        beta: float = 0.0,
        mmd_weight: float = 1000.0,
        kernel: str = "rbf",
        **kwargs,
    ):
        self.kernel = arguments.one_of("kernel", kernel, KERNELS)
        coefficients = {"mmd_weight": mmd_weight}
        super().__init__(encoder, decoder, beta=beta, coefficients=coefficients, **kwargs)

    def regularizers(self, posterior, z, kl, training):
        """The KL, and the discrepancy between the codes and the prior."""
        prior = self.prior_sample(tf.shape(z)[0], training)
        discrepancy = maximum_mean_discrepancy(z, prior, self.kernel)
        return {
            **super().regularizers(posterior, z, kl, training),
            "mmd_loss": (self.mmd_weight, discrepancy),
        }

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "kernel": self.kernel}
