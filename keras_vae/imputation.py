"""What was not observed, given what was, by importance sampling of a model's codes."""

import tensorflow as tf

from keras_vae import several_codes
from keras_vae.training.data_checks import as_float_images

# Of decoded images at once, as in evaluation.
_ROWS = 4096


def imputed_means(model, x, condition, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
    """Images whose holes hold E[x_missing | x_observed], estimated.

    The mean of p(x_missing|z_k) over codes z_k of q(z|x_observed), each weighted by
    p(x_observed|z_k) p(z_k) / q(z_k|x_observed), the weights of an image summing to 1 (Mattei &
    Frellsen, "MIWAE", 2019).

    Args:
        model: A built `keras_vae.VAE` with `missing=True`.
        x: Images, `[batch, *event]`, NaN where nothing was observed.
        condition: As `VAE.encode` takes it.
        num_samples: Int. Codes an image.
        seed: int32 `[2]`.

    Returns:
        `[batch, *event]`.
    """
    x, condition = _inputs(model, x, condition)
    z, log_weights = _weighted_codes(model, x, condition, num_samples, seed)
    mean = tf.zeros_like(x)
    for part in _parts(num_samples, len(x)):
        weights = tf.reshape(tf.exp(log_weights[part]), [-1, len(x), *[1] * len(model.event_shape)])
        means = _by_code(model, several_codes.decoded(model, z[part], condition).mean(), len(x))
        mean += tf.reduce_sum(weights * means, axis=0)
    return tf.where(tf.math.is_nan(x), mean, x)


def imputed_draws(
    model, x, condition, num_samples: int, num_draws: int, seed: tf.Tensor
) -> tf.Tensor:
    """Images whose holes hold draws of p(x_missing | x_observed), by importance resampling.

    One of the codes of `imputed_means` is chosen by its weight, and p(x_missing|z) is drawn from:
    right in the limit of many samples, too narrow with few (Mattei & Frellsen, 2019).

    Args:
        model: A built `keras_vae.VAE` with `missing=True`.
        x: Images, `[batch, *event]`, NaN where nothing was observed.
        condition: As `VAE.encode` takes it.
        num_samples: Int. Codes an image.
        num_draws: Int. Draws an image.
        seed: int32 `[2]`.

    Returns:
        `[batch, num_draws, *event]`.
    """
    x, condition = _inputs(model, x, condition)
    of_codes, of_choice, of_draws = (tf.random.fold_in(seed, index) for index in range(3))
    z, log_weights = _weighted_codes(model, x, condition, num_samples, of_codes)
    chosen = tf.random.stateless_categorical(tf.transpose(log_weights), num_draws, of_choice)
    z = tf.gather(tf.transpose(z, [1, 0, 2]), chosen, batch_dims=1)
    z = tf.transpose(z, [1, 0, 2])
    draws = []
    for index, part in enumerate(_parts(num_draws, len(x))):
        drawn = several_codes.decoded(model, z[part], condition).sample(
            seed=tf.random.fold_in(of_draws, index)
        )
        draws.append(_by_code(model, drawn, len(x)))
    draws = tf.where(tf.math.is_nan(x), tf.concat(draws, axis=0), x)
    return tf.transpose(draws, [1, 0, *range(2, draws.shape.rank)])


def _inputs(model, x, condition):
    """Images as float32, and a condition for each or `None`."""
    x = as_float_images(x, model.event_shape)
    return x, model.conditions(condition, len(x))


def _weighted_codes(model, x, condition, num_samples, seed):
    """Codes `[num_samples, batch, latent]`, and logarithms of their weights, which sum to 1."""
    posterior, prior = model.encode(x, condition), model.prior_distribution()
    z = posterior.sample(num_samples, seed=seed)
    log_prob = []
    for part in _parts(num_samples, len(x)):
        log_prob.append(several_codes.log_likelihood(model, z[part], x, condition))
    log_weights = tf.concat(log_prob, axis=0) + prior.log_prob(z) - posterior.log_prob(z)
    return z, tf.nn.log_softmax(log_weights, axis=0)


def _by_code(model, images, batch_size):
    return tf.reshape(images, [-1, batch_size, *model.event_shape])


def _parts(count, batch_size):
    """Slices of so many codes an image as are decoded at once."""
    size = max(1, _ROWS // batch_size)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
