"""Several codes an example, through a decoder that takes one."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd


def decoded(model, z, condition=None) -> tfd.Distribution:
    """p(x|z) of several codes an example.

    Args:
        model: A built `keras_vae.VAE`.
        z: `[count, batch, latent]`.
        condition: As `VAE.decode` takes it, for each example. Defaults to `None`.

    Returns:
        A distribution of batch shape `[count * batch]`, all examples of the first codes first.
    """
    codes = tf.reshape(z, [-1, model.latent_dim])
    condition = model.conditions(condition, tf.shape(z)[1])
    if condition is None:
        return model.decode(codes)
    return model.decode(codes, tf.tile(condition, [tf.shape(z)[0], 1]))


def log_likelihood(model, z, x, condition=None) -> tf.Tensor:
    """Log p(x|z) in nats of several codes an example.

    Args:
        model: A built `keras_vae.VAE`.
        z: `[count, batch, latent]`.
        x: Examples, `[batch, *event]`.
        condition: As for `decoded`. Defaults to `None`.

    Returns:
        `[count, batch]`.
    """
    count = tf.shape(z)[0]
    repeated = tf.tile(x, [count, *[1] * len(model.event_shape)])
    log_prob = decoded(model, z, condition).log_prob(repeated)
    return tf.reshape(log_prob, [count, -1])
