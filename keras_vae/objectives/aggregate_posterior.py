"""The aggregate posterior q(z) = E_x[q(z|x)], estimated from a batch."""

import tensorflow as tf

from keras_vae.distributions import is_factorized


def log_densities(posterior, z, dataset_size: int | None = None, stratified: bool = False):
    """Log-densities of samples under q(z|x), q(z) and prod_j q(z_j).

    The mean over a batch stands for that over the data, with minibatch-weighted sampling or, for
    `stratified`, weights that make the expected density of the aggregate right (Chen et al., 2018,
    equations 10 and S6).

    Args:
        posterior: q(z|x), factorised, of batch shape `[batch]` and event shape `[latent]`.
        z: One sample of it an image, `[batch, latent]`.
        dataset_size: Int. Images in the data. Defaults to `None`: the batch is taken for the data.
        stratified: Bool. Defaults to `False`.

    Returns:
        Three tensors `[batch]`, nats.

    Raises:
        ValueError: If the posterior does not factorise.
    """
    if not is_factorized(posterior):
        raise ValueError(
            "The density of every latent is needed, so a posterior that factorises over them. "
            f"Received: posterior {posterior.name!r}. Use 'diagonal_normal'."
        )
    # [samples, images, latent]: how likely every sample is given every image.
    log_prob = posterior.distribution.log_prob(z[:, None])
    batch_size = tf.shape(z)[0]
    if stratified:
        log_weights = _stratified_log_weights(batch_size, dataset_size)
    else:
        pairs = tf.cast(batch_size, tf.float32) * float(dataset_size or 1)
        log_weights = tf.fill([batch_size, batch_size], -tf.math.log(pairs))
    joint = tf.reduce_logsumexp(log_weights + tf.reduce_sum(log_prob, axis=-1), axis=1)
    product = tf.reduce_sum(tf.reduce_logsumexp(log_weights[..., None] + log_prob, axis=1), axis=-1)
    return posterior.log_prob(z), joint, product


def _stratified_log_weights(batch_size, dataset_size):
    """Log of the importance weights `[batch, batch]`: of the own image, the next, all others."""
    dataset_size, others = float(dataset_size), tf.cast(batch_size - 1, tf.float32)
    own = tf.eye(batch_size)
    # One image stands for those outside the batch: the next one, in a circle.
    next_one = tf.roll(own, shift=1, axis=1)
    rest = tf.maximum(dataset_size - others, 0.0) / (dataset_size * others)
    weights = tf.where(own > 0, 1 / dataset_size, tf.where(next_one > 0, rest, 1 / others))
    return tf.math.log(weights)
