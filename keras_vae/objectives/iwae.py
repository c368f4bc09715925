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
    same mean and does not, and is to be preferred. With several bounds (`num_bounds=M`) the loss is
    the mean of M bounds of K samples each, the MIWAE of Rainforth et al., "Tighter variational
    bounds are not necessarily better" (2018), equation 9; with `elbo_share` it is their CIWAE,
    equation 10, share * ELBO + (1 - share) * IWAE. Their third, of other bounds for encoder and
    decoder, is `PIWAE`.

    References: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders" (2016), equation
    8; Tucker et al., "Doubly reparameterized gradient estimators for Monte Carlo objectives"
    (2019), equation 8.

    Args:
        num_samples: Int. K, at least 1. Defaults to `5`.
        gradient: `"reparameterized"` or `"doubly_reparameterized"`. Defaults to the first.
        num_bounds: Int. Bounds an image, each of K samples of its own. Defaults to `1`.
        elbo_share: Float in [0, 1]. How much of the loss is the mean of single-sample bounds, with
            the first gradient alone. Defaults to `0.0`.
        **kwargs: As `VAE` takes them; `beta` weights log q(z|x) - log p(z) inside the sum.

    Raises:
        ValueError: If an argument is invalid, or `reduction` is not `"sum"`.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_samples: int = 5,
        gradient: str = GRADIENTS[0],
        num_bounds: int = 1,
        elbo_share: float = 0.0,
        **kwargs,
    ):
        arguments.unused("IWAE", kwargs, "free_bits", "kl_balance")
        super().__init__(encoder, decoder, **kwargs)
        self.num_samples = arguments.count("num_samples", num_samples)
        self.gradient = arguments.one_of("gradient", gradient, GRADIENTS)
        self.num_bounds = arguments.count("num_bounds", num_bounds)
        self.elbo_share = arguments.number("elbo_share", elbo_share, least=0)
        if self.elbo_share > 1:
            raise arguments.invalid("elbo_share", "a number from 0 to 1", elbo_share)
        if self.elbo_share and self.gradient != GRADIENTS[0]:
            raise ValueError(
                "`elbo_share` is for the plain gradient. Received: "
                f"elbo_share={elbo_share} with gradient={gradient!r}"
            )
        if self.reduction != "sum":
            raise ValueError(
                "A bound on log p(x) is a sum over pixels and latents: pass reduction='sum'. "
                f"Received: reduction={self.reduction!r}"
            )

    def forward(self, x, condition, training):
        """The terms of all samples of an image, and what weighting them gains."""
        count = self.num_bounds * self.num_samples
        posterior = self.encode(x, condition)
        noise = self.noise(tf.shape(x)[0], (count, self.latent_dim), training)
        z = self.reparameterize(posterior, tf.transpose(noise, [1, 0, 2]))
        factors = []  # Known only after the decoder, whose gradient comes back before the code's.
        density, z_of_density, z = self.for_gradient(posterior, z, factors)
        likelihood = self.decode(tf.reshape(z, [-1, self.latent_dim]), condition)
        repeated = tf.repeat(tf.cast(x, tf.float32)[None], count, axis=0)
        terms = self.distortion(likelihood, tf.reshape(repeated, [-1, *self.event_shape]))
        distortion, groups = tf.nest.map_structure(
            lambda nats: tf.reshape(nats, [count, -1]), terms
        )
        log_posterior = density.log_prob(z_of_density)
        log_prior = self.prior_distribution().log_prob(z)
        rate = log_posterior - log_prior
        bound = self.bound(distortion, log_posterior, log_prior, factors)
        reconstruction, kl = tf.reduce_mean(distortion, axis=0), tf.reduce_mean(rate, axis=0)
        gain = -bound - reconstruction - self.beta * kl
        images = tf.reshape(likelihood.mean(), [count, -1, *self.event_shape])
        regularizers = {"kl_loss": (self.beta, kl), "importance_gain": (1.0, gain)}
        groups = {name: tf.reduce_mean(nats, axis=0) for name, nats in groups.items()}
        return self.score(images[0], reconstruction, kl, regularizers, groups)

    def for_gradient(self, posterior, z, factors: list) -> tuple:
        """What the bound is made of, as far as its gradient is concerned.

        Args:
            posterior: q(z|x).
            z: Samples of it, `[count, batch, latent]`.
            factors: A list that `bound` fills; what a gradient is multiplied by, `[count, batch]`.

        Returns:
            A density, the codes that it is asked about, and those that decoder and prior are given.
            Their values are those of the arguments.
        """
        if self.gradient == "doubly_reparameterized":
            z = with_scaled_gradient(z, factors)
            return _stopped(posterior), z, z
        return posterior, z, z

    def bound(self, distortion, log_posterior, log_prior, factors: list) -> tf.Tensor:
        """The bound of each image, nats, `[batch]`.

        Args:
            distortion: -log p(x|z) of each sample, `[count, batch]`.
            log_posterior: log q(z|x), of that shape.
            log_prior: log p(z), of that shape.
            factors: As for `for_gradient`; to be filled.
        """
        log_weights = -distortion - self.beta * (log_posterior - log_prior)
        by_bound = tf.reshape(log_weights, [self.num_bounds, self.num_samples, -1])
        weights = tf.reshape(tf.nn.softmax(by_bound, axis=1), tf.shape(log_weights))
        factors.append(tf.stop_gradient(weights))
        bounds = tf.reduce_logsumexp(by_bound, axis=1) - math.log(self.num_samples)
        tight = tf.reduce_mean(bounds, axis=0)
        if not self.elbo_share:
            return tight
        loose = tf.reduce_mean(log_weights, axis=0)
        return self.elbo_share * loose + (1 - self.elbo_share) * tight

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            "num_samples": self.num_samples,
            "gradient": self.gradient,
            "num_bounds": self.num_bounds,
            "elbo_share": self.elbo_share,
        }
        return {**super().get_config(), **config}


def _stopped(posterior):
    """The same density, without a gradient to its parameters."""
    if not is_factorized(posterior):
        raise ValueError(
            "The doubly reparameterised gradient is for the posterior 'diagonal_normal'. "
            f"Received: posterior {posterior.name!r}. Use gradient='reparameterized'."
        )
    return diagonal_normal(tf.stop_gradient(posterior.mean()), tf.stop_gradient(posterior.stddev()))


def with_scaled_gradient(z, factors):
    """`z`, whose gradient is multiplied by `factors[0]`, a list filled before it flows back."""

    @tf.custom_gradient
    def identity(z):
        return tf.identity(z), lambda upstream: upstream * factors[0][..., None]

    return identity(z)
