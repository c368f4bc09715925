"""Pixels in [0, 1] from logits: the Bernoulli, and its relaxation that normalises."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.distributions.likelihoods.likelihood import Likelihood, over_pixels


def _check_logits(parameters):
    """Refuses probabilities, and whatever else is not a logit."""
    if isinstance(parameters, Mapping):
        raise ValueError(
            "`decoder` must return logits, one array in the shape of the images. "
            f"Received: a dict with {sorted(parameters)}"
        )
    # A layer that starts at zeros returns the same everywhere.
    varies = np.ptp(parameters, axis=0).max() > 0
    # A few logits, as of a table's column, may be of one sign by chance.
    is_few = parameters[0].size < 8
    low, high = parameters.min(), parameters.max()
    is_tanh = -1 <= low < -0.99 and 0.99 < high <= 1
    if varies and not is_few and (low >= 0 or is_tanh):
        raise ValueError(
            "`decoder` must return logits, any real numbers, to which the likelihood applies the "
            f"sigmoid itself. Received: values from {low:.3g} to {high:.3g} for codes far out, as "
            "of a sigmoid, tanh or relu in the last layer. Remove that activation; with one, every "
            "pixel would be limited to a part of [0, 1]."
        )


class _BernoulliFromLogits(tfd.Bernoulli):
    """Bernoulli whose `log_prob` is one softplus: x * l - log(1 + e^l).

    TFP's own evaluates two softplus and two guarded products for the same value. This form stays
    finite for every finite logit, and for grey pixels in [0, 1] it is the negative cross-entropy.
    """

    def _log_prob(self, event):
        return event * self.logits - tf.nn.softplus(self.logits)


@keras.saving.register_keras_serializable(package="keras_vae")
class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logit_i)), for pixels in [0, 1].

    The decoder returns logits `[batch, *event]`. On binary pixels this is a likelihood; on grey
    pixels its `log_prob` is the customary negative cross-entropy, which does not normalise over
    [0, 1] (see `ContinuousBernoulli`), so the two kinds of nats do not compare.
    """

    lower, upper = 0.0, 1.0

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logits `[batch, *event]`."""
        logits = tf.cast(parameters, tf.float32)
        return over_pixels(_BernoulliFromLogits(logits=logits, dtype=tf.float32))

    def check_parameters(self, parameters):
        """Refuses probabilities given as logits."""
        _check_logits(parameters)


@keras.saving.register_keras_serializable(package="keras_vae")
class ContinuousBernoulli(Likelihood):
    """The normalised Bernoulli relaxation for grey pixels in [0, 1].

    The decoder returns logits `[batch, *event]`.

    Reference: Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders" (2019), equation 5.
    """

    lower, upper = 0.0, 1.0

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logits `[batch, *event]`."""
        # Beyond these, where a pixel is 0 or 1 to the last digit, TFP's own terms overflow.
        logits = tf.clip_by_value(tf.cast(parameters, tf.float32), -1e6, 1e6)
        return over_pixels(tfd.ContinuousBernoulli(logits=logits))

    def check_parameters(self, parameters):
        """Refuses probabilities given as logits."""
        _check_logits(parameters)
