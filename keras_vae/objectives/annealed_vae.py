"""A VAE whose KL is pulled towards a capacity that rises."""

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class AnnealedVAE(VAE):
    """-log p(x|z) + gamma * |KL - capacity|, in nats.

    The KL is a mean over the batch, as `capacity_loss` is logged. With
    `keras_vae.callbacks.CapacitySchedule` the capacity rises as training goes on, so that latents
    are taken into use one after the other. Use it for disentangling without the blur of a high
    beta: gamma from 30 to 1000, so high that the KL follows, and a capacity that ends at the nats
    that a good code needs (25 for dSprites). At capacity 0 it is the beta-VAE with beta = gamma.

    Reference: Burgess et al., "Understanding disentangling in beta-VAE" (2018), equation 8.

    Args:
        gamma: Float, at least 0. Weight of the distance. Defaults to `30.0`.
        capacity: Float, nats, at least 0. A variable `vae.capacity`. Defaults to `0.0`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If `gamma` or `capacity` is negative or not finite, or an argument of `VAE` is
            invalid.
    """

    def __init__(self, encoder, decoder, gamma: float = 30.0, capacity: float = 0.0, **kwargs):
        arguments.unused("AnnealedVAE", kwargs, "free_bits")
        kwargs.setdefault("beta", 1.0)  # Logged, and no part of the loss.
        coefficients = {"gamma": gamma, "capacity": capacity}
        super().__init__(encoder, decoder, coefficients=coefficients, **kwargs)

    def regularizers(self, posterior, z, kl, training):
        """The distance of the batch's KL from the capacity."""
        return {"capacity_loss": (self.gamma, tf.abs(tf.reduce_mean(kl) - self.capacity))}
