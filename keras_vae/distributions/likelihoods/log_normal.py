"""Positive values: the log-normal."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.distributions.likelihoods.likelihood import (
    Likelihood,
    check_one_array,
    over_pixels,
    positive,
    split_parameters,
    times_last_axis,
)
from keras_vae.requirements import Requirement, is_positive


@keras.saving.register_keras_serializable(package="keras_vae")
class LogNormal(Likelihood):
    """p(x|z) = prod_i N(log x_i; loc_i, scale_i^2) / x_i, for values above 0.

    The likelihood for what is positive and varies by factors: incomes, prices, durations, sizes. A
    value of 0 has no logarithm and is refused, not moved: where 0 is a kind of its own, give it a
    column of the likelihood `"bernoulli"` and let the value be missing there; where it is a small
    value that was rounded, add half of what it was rounded to.

    The decoder returns `[batch, *event[:-1], 2 * event[-1]]`: loc of all values, the means of their
    logarithms, which count within [-30, 30], then numbers whose softplus are their standard
    deviations, within [0.001, 5]: so the mean, exp(loc + scale^2 / 2), stays finite.
    """

    lower = 0.0

    def parameters_shape(self, event_shape):
        """Mean and standard deviation of every value's logarithm."""
        return times_last_axis(event_shape, 2)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from loc, and what scales are the softplus of."""
        loc, raw_scale = split_parameters(parameters, 2)
        loc = tf.clip_by_value(loc, -30.0, 30.0)
        return over_pixels(tfd.LogNormal(loc, positive(raw_scale, 1e-3, 5.0)))

    def requirements(self):
        """No zeros."""
        advice = "Where 0 is a small value, add half of what it was rounded to."
        return [Requirement("above 0", is_positive, advice)]

    def check_parameters(self, parameters):
        """Refuses a dict."""
        check_one_array(parameters)
