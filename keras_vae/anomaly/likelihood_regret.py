"""The score that is not fooled by simple strangers."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae import arguments, several_codes
from keras_vae.anomaly.own_likelihood import check_own_likelihood
from keras_vae.distributions import diagonal_normal, kl_divergence
from keras_vae.held_out import check_built, over_batches


def likelihood_regret(
    model,
    data,
    num_samples: int = 16,
    max_iterations: int = 30,
    seed: int = 0,
    progress: bool = True,
) -> np.ndarray:
    """How much higher an example's bound is with a q(z|x) of its own than with the encoder's.

    A plain likelihood finds simple examples likely whatever they show: to a model of digits, an
    empty image is the likeliest of all. Here every example is compared with itself. On examples
    like those of the training the encoder is nearly as good as a posterior fitted to the one
    example, while on strangers, simple or not, it is off (Xiao, Yan & Amit, "Likelihood regret: an
    out-of-distribution detection score for variational auto-encoder", 2020, equation 3).

    The paper climbs by Adam with new noise in every step. Here the noise of an example stays the
    same, which makes its bound a smooth function that L-BFGS climbs in fewer steps, all examples of
    a batch at once.

    Args:
        model: A built `keras_vae.VAE` whose q(z|x) is a factorised Gaussian, the usual one.
        data: Examples `[n, *event]`, or a data set of batches of them, with labels for a
            conditional model.
        num_samples: Int. Samples of q(z|x) an example. Defaults to `16`.
        max_iterations: Int. Steps of L-BFGS. Defaults to `30`.
        seed: Int. Of the noise. Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n]`, float64, in nats, at least 0; greater is stranger.

    Raises:
        ValueError: If q(z|x) is no factorised Gaussian, there are no examples, they do not fit the
            model, or a score is not finite.
    """
    arguments.count("num_samples", num_samples)
    arguments.count("max_iterations", max_iterations)
    check_built(model)
    check_own_likelihood(model)
    prior = model.prior_distribution()

    @tf.function(reduce_retracing=True, autograph=False)
    def regret(noise_seed, examples, *condition):
        encoded = _normal_of(model.encode(examples, *condition))
        shape = tf.shape(encoded.loc)
        noise = tf.random.stateless_normal(tf.concat([[num_samples], shape], 0), noise_seed)

        def negative_elbo(loc_and_log_scale):
            loc, log_scale = tf.split(loc_and_log_scale, 2, axis=-1)
            posterior = diagonal_normal(loc, tf.exp(log_scale))
            z = loc + tf.exp(log_scale) * noise
            log_prob = several_codes.log_likelihood(model, z, examples, *condition)
            rate = kl_divergence(posterior, prior)
            if rate is None:
                rate = tf.reduce_mean(posterior.log_prob(z) - prior.log_prob(z), axis=0)
            return rate - tf.reduce_mean(log_prob, axis=0)

        start = tf.concat([encoded.loc, tf.math.log(encoded.scale)], axis=-1)
        found = tfp.optimizer.lbfgs_minimize(
            lambda at: tfp.math.value_and_gradient(negative_elbo, at),
            initial_position=start,
            max_iterations=max_iterations,
        )
        # Where a line search fails the best is the start.
        return (tf.maximum(negative_elbo(start) - found.objective_value, 0.0),)

    (values,) = over_batches(regret, model, data, seed, progress, batch_size=256)
    return values


def _normal_of(posterior):
    normal = getattr(posterior, "distribution", None)
    if not (isinstance(posterior, tfd.Independent) and isinstance(normal, tfd.Normal)):
        raise ValueError(
            "Likelihood regret fits a factorised Gaussian to each example, so q(z|x) must be one. "
            f"Received: a model with q(z|x) {type(posterior).__name__}. Use `negative_elbo` or "
            "`negative_log_likelihood`."
        )
    return normal
