"""A VAE with a tighter bound, by importance weighting."""

import math

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.distributions import diagonal_normal, is_factorized
from keras_vae.vae import VAE

GRADIENTS = ("reparameterized", "doubly_reparameterized")


@keras.saving.register_keras_serializable(package="keras_vae")
class IWAE(VAE):
    """-log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), in nats, with K samples of q(z|x) an image.

    The bound rises to log p(x) with K, and at K = 1 it is the VAE's with a sampled KL. What it
    gains over the mean of the K single bounds is logged as `importance_gain`, which is negative:
    `loss == reconstruction_loss + beta * kl_loss + importance_gain`; `elbo` stays the plain one.
    Use it for density estimation, with 5 to 50 samples, each a pass through the decoder; with
    `missing=True` it is the MIWAE (Mattei & Frellsen, 2019), whose bound is of log p(x_observed).

    As K grows the encoder's gradient drowns in noise; `gradient="doubly_reparameterized"` has the
    same mean and does not, and is to be preferred.

    References: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders" (2016), equation
    8; Tucker et al., "Doubly reparameterized gradient estimators for Monte Carlo objectives"
    (2019), equation 8.

    Args:
        num_samples: Int. K, at least 1. Defaults to `5`.
        gradient: `"reparameterized"` or `"doubly_reparameterized"`. Defaults to the first.
        **kwargs: As `VAE` takes them; `beta` weights log q(z|x) - log p(z) inside the sum.

    Raises:
        ValueError: If an argument is invalid, or `reduction` is not `"sum"`.
    """

    def __init__(
        self, encoder, decoder, num_samples: int = 5, gradient: str = GRADIENTS[0], **kwargs
    ):
        arguments.unused("IWAE", kwargs, "free_bits", "kl_balance")
        super().__init__(encoder, decoder, **kwargs)
        self.num_samples = arguments.count("num_samples", num_samples)
        self.gradient = arguments.one_of("gradient", gradient, GRADIENTS)
        if self.reduction != "sum":
            raise ValueError(
                "A bound on log p(x) is a sum over pixels and latents: pass reduction='sum'. "
                f"Received: reduction={self.reduction!r}"
            )

    def forward(self, x, condition, training):
        """The terms of K samples an image, and what weighting them gains."""
        posterior = self.encode(x, condition)
        noise = self.noise(tf.shape(x)[0], (self.num_samples, self.latent_dim), training)
        z = self.reparameterize(posterior, tf.transpose(noise, [1, 0, 2]))
        doubly = self.gradient == "doubly_reparameterized"
        weights = []  # Known only after the decoder, whose gradient comes back before the code's.
        if doubly:
            posterior, z = _stopped(posterior), _weighted_gradient(z, weights)
        likelihood = self.decode(tf.reshape(z, [-1, self.latent_dim]), condition)
        repeated = tf.repeat(tf.cast(x, tf.float32)[None], self.num_samples, axis=0)
        terms = self.distortion(likelihood, tf.reshape(repeated, [-1, *self.event_shape]))
        distortion, groups = tf.nest.map_structure(
            lambda nats: tf.reshape(nats, [self.num_samples, -1]), terms
        )
        rate = posterior.log_prob(z) - self.prior_distribution().log_prob(z)
        log_weights = -distortion - self.beta * rate
        weights.append(tf.stop_gradient(tf.nn.softmax(log_weights, axis=0)))
        bound = tf.reduce_logsumexp(log_weights, axis=0) - math.log(self.num_samples)
        reconstruction, kl = tf.reduce_mean(distortion, axis=0), tf.reduce_mean(rate, axis=0)
        gain = -bound - reconstruction - self.beta * kl
        images = tf.reshape(likelihood.mean(), [self.num_samples, -1, *self.event_shape])
        regularizers = {"kl_loss": (self.beta, kl), "importance_gain": (1.0, gain)}
        groups = {name: tf.reduce_mean(nats, axis=0) for name, nats in groups.items()}
        return self.score(images[0], reconstruction, kl, regularizers, groups)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"num_samples": self.num_samples, "gradient": self.gradient}
        return {**super().get_config(), **config}


def _stopped(posterior):
    """The same density, without a gradient to its parameters."""
    if not is_factorized(posterior):
        raise ValueError(
            "The doubly reparameterised gradient is for the posterior 'diagonal_normal'. "
            f"Received: posterior {posterior.name!r}. Use gradient='reparameterized'."
        )
    return diagonal_normal(tf.stop_gradient(posterior.mean()), tf.stop_gradient(posterior.stddev()))


def _weighted_gradient(z, weights):
    """`z`, whose gradient is multiplied by `weights[0]`, a list filled before it flows back."""

    @tf.custom_gradient
    def identity(z):
        return tf.identity(z), lambda upstream: upstream * weights[0][..., None]

    return identity(z)
