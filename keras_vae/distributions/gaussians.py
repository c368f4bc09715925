"""The Gaussians that posteriors and priors are made of, their noise and their divergences."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.distributions.von_mises_fisher import VonMisesFisherDistribution


def diagonal_normal(loc: tf.Tensor, scale: tf.Tensor) -> tfd.Distribution:
    """The factorised Gaussian q(z|x) = N(z; loc, diag(scale^2)).

    Args:
        loc: Means, `[batch, latent]`.
        scale: Standard deviations, `[batch, latent]`, positive.

    Returns:
        A distribution of batch shape `[batch]` and event shape `[latent]`.
    """
    return tfd.Independent(
        tfd.Normal(tf.cast(loc, tf.float32), tf.cast(scale, tf.float32)),
        reinterpreted_batch_ndims=1,
    )


def is_factorized(distribution: tfd.Distribution) -> bool:
    """Whether the latents are independent, so that each has a density of its own."""
    return isinstance(distribution, tfd.Independent)


def reparameterized_sample(posterior: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    """Computes z = loc + scale * noise (Kingma & Welling, 2014, section 2.4), or its like.

    Args:
        posterior: A factorised Gaussian of batch shape `[batch]` and event shape `[latent]`,
            standard normal noise pushed through a bijector, or what has a method `from_noise`.
        noise: Standard normal, `[..., batch, latent]`.

    Returns:
        `[..., batch, latent]`.
    """
    if is_factorized(posterior):
        return posterior.mean() + posterior.stddev() * noise
    if hasattr(posterior, "from_noise"):
        return posterior.from_noise(noise)
    return posterior.bijector.forward(noise)


def kl_per_dimension(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor:
    """KL(q(z_i|x) || p(z_i)) of each latent dimension of two factorised distributions.

    Args:
        posterior: `tfd.Independent` of batch shape `[batch]`, event shape `[latent]`.
        prior: `tfd.Independent` of event shape `[latent]`.

    Returns:
        Nats, `[batch, latent]`. Their sum over the latents is KL(q(z|x) || p(z)).

    Raises:
        ValueError: If one of them does not factorise.
    """
    if not (is_factorized(posterior) and is_factorized(prior)):
        raise ValueError(
            "A KL for every latent needs a posterior and a prior that factorise over the latents. "
            f"Received: posterior {posterior.name!r}, prior {prior.name!r}. Use the posterior "
            "'diagonal_normal' and the prior 'standard_normal'."
        )
    return tfd.kl_divergence(posterior.distribution, prior.distribution)


def kl_divergence(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """KL(q(z|x) || p(z)) in closed form, or `None` where there is none.

    Args:
        posterior: Of batch shape `[batch]` and event shape `[latent]`.
        prior: Of event shape `[latent]`.

    Returns:
        Nats, `[batch]`.
    """
    if isinstance(posterior, VonMisesFisherDistribution) and isinstance(
        prior, tfd.SphericalUniform
    ):
        return posterior.kl_to_uniform()
    if not is_factorized(prior):
        return None
    if is_factorized(posterior):
        return tf.reduce_sum(kl_per_dimension(posterior, prior), axis=-1)
    if isinstance(posterior, tfd.MultivariateNormalTriL):
        return tfd.kl_divergence(
            posterior, tfd.MultivariateNormalDiag(prior.mean(), prior.stddev())
        )
    return None
