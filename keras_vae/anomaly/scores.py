"""How strange each example is to a model: what its bound, or one part of it, says."""

import numpy as np
import tensorflow as tf

from keras_vae import arguments, evaluation, several_codes
from keras_vae.anomaly.own_likelihood import check_own_likelihood
from keras_vae.held_out import check_built, over_batches

# Nothing here is traced: that takes longer than a few thousand examples do.
_ROWS = 4096


def negative_elbo(
    model, data, num_samples: int = 1, seed: int = 0, progress: bool = True
) -> np.ndarray:
    """-ELBO = E_q[-log p(x|z)] + KL(q(z|x) || p(z)), an upper bound of -log p(x).

    Args:
        model: A built `keras_vae.VAE`.
        data: Examples `[n, *event]`, or a data set of batches of them, with labels for a
            conditional model.
        num_samples: Int. Samples of q(z|x) an example, over which the bound is averaged. All
            examples share their noise, so that none is stranger by chance. Defaults to `1`.
        seed: Int. Of the samples. Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n]`, float64, in nats; greater is stranger.

    Raises:
        ValueError: If there are no examples, they do not fit the model, or a score is not finite.
    """
    arguments.count("num_samples", num_samples)
    check_built(model)
    check_own_likelihood(model)

    noise = tf.random.stateless_normal([num_samples, 1, model.latent_dim], [seed, 0])

    def bound(noise_seed, examples, *condition):
        del noise_seed  # All have the same noise, so that a score is a function of its example.
        posterior = model.encode(examples, *condition)
        z = model.reparameterize(posterior, tf.tile(noise, [1, len(examples), 1]))
        log_prob = several_codes.log_likelihood(model, z, examples, *condition)
        rate = model.kl_divergence(posterior, z)
        return (tf.reduce_mean(rate - log_prob, axis=0),)

    # A batch of so many rows of codes passes the decoder at once.
    batch_size = max(1, _ROWS // num_samples)
    (values,) = over_batches(bound, model, data, seed, progress, batch_size)
    return values


def negative_log_likelihood(
    model, data, num_samples: int = 100, seed: int = 0, progress: bool = True
) -> np.ndarray:
    """-log p(x), estimated by importance sampling with q(z|x) (Burda et al., 2016, equation 8).

    Args:
        model: A built `keras_vae.VAE`.
        data: As for `negative_elbo`.
        num_samples: Int. Samples an example. Defaults to `100`.
        seed: Int. Of the samples. Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n]`, float64, in nats; greater is stranger.

    Raises:
        ValueError: As for `negative_elbo`.
    """
    check_built(model)
    check_own_likelihood(model)
    found = evaluation.log_likelihood(model, data, num_samples, seed, progress, by_example=True)
    return -np.asarray(found["log_likelihood"])


def reconstruction_term(model, data, progress: bool = True) -> np.ndarray:
    """-log p(x|z) at the mean of q(z|x): what the decoder cannot say. Deterministic.

    Args:
        model: A built `keras_vae.VAE`.
        data: As for `negative_elbo`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n]`, float64, in nats; greater is stranger.

    Raises:
        ValueError: As for `negative_elbo`.
    """
    check_built(model)
    check_own_likelihood(model)

    def distortion(noise_seed, examples, *condition):
        del noise_seed  # Nothing here is random.
        codes = model.encode(examples, *condition).mean()
        return (-model.decode(codes, *condition).log_prob(examples),)

    (values,) = over_batches(distortion, model, data, 0, progress)
    return values


def latent_distance(model, data, reference, progress: bool = True) -> np.ndarray:
    """The squared Mahalanobis distance of an example's code from those of others.

    Codes are the means of q(z|x). What their mean and covariance are follows from the reference,
    because the codes of data are rarely N(0, I) together. Says nothing of what the encoder does not
    see: a stranger may well have a usual code.

    Args:
        model: A built `keras_vae.VAE`.
        data: As for `negative_elbo`.
        reference: Examples that are not strange, such as those of the training; more than latents.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n]`, float64; about the number of latents for examples like the reference, greater is
        stranger.

    Raises:
        ValueError: As for `negative_elbo`, or if the reference has no more examples than latents.
    """
    usual = _codes(model, reference, progress)
    if len(usual) <= usual.shape[1]:
        raise ValueError(
            "`reference` must have more examples than the model has latents. "
            f"Received: {len(usual)} examples, {usual.shape[1]} latents"
        )
    # A latent that nothing uses has next to no variance, and must not decide by rounding.
    covariance = np.cov(usual, rowvar=False).reshape([usual.shape[1]] * 2)
    covariance += 1e-6 * np.eye(len(covariance))
    centred = _codes(model, data, progress) - usual.mean(axis=0)
    return np.einsum("ni,in->n", centred, np.linalg.solve(covariance, centred.T))


def _codes(model, data, progress):
    def means(noise_seed, *inputs):
        del noise_seed  # Nothing here is random.
        return (model.encode(*inputs).mean(),)

    (codes,) = over_batches(means, model, data, 0, progress)
    return codes
