"""Counts: the Poisson, and the negative binomial where they vary more."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.likelihoods.likelihood import (
    Likelihood,
    check_one_array,
    over_pixels,
    positive,
    split_parameters,
    times_last_axis,
)
from keras_vae.requirements import Requirement, is_whole

# Of logarithms of means, beyond which the exponential leaves what float32 counts exactly.
_MOST_LOG_MEAN = 20.0
# From this count on Stirling's series is exact in float32.
_LARGE = 16.0
SIZE_FACTORS = ("total",)


class Counts(Likelihood):
    """What likelihoods of counts share: whole numbers from 0, and the size factor."""

    lower = 0.0

    def __init__(self, size_factor: str | None = None, **kwargs):
        super().__init__(**kwargs)
        if size_factor is not None:
            arguments.one_of("size_factor", size_factor, SIZE_FACTORS)
        self.size_factor = size_factor

    def check_missing(self):
        """Refuses the size factor that is a sum over all counts."""
        if self.size_factor is not None:
            raise ValueError(
                f"`{type(self).__name__}(size_factor='total')` needs all counts of an example, and "
                "takes no missing values. Leave `size_factor` out."
            )

    def requirements(self):
        """No fractions."""
        advice = "Pass counts as they are, as float32; for other numbers choose another likelihood."
        return [Requirement("whole numbers", is_whole, advice)]

    def check_parameters(self, parameters):
        """Refuses a dict."""
        check_one_array(parameters)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "size_factor": self.size_factor}


@keras.saving.register_keras_serializable(package="keras_vae")
class Poisson(Counts):
    """p(x|z) = prod_i Poisson(x_i; exp(log_mean_i)), for counts 0, 1, 2 and so on.

    The decoder returns logarithms of means `[batch, *event]`, of which those above 20 count as 20.
    The variance equals the mean; where it is larger, use `NegativeBinomial`.

    Args:
        size_factor: `None`, or `"total"`: an example's means are multiplied by its own mean count,
            which is taken as given; see `NegativeBinomial`. Defaults to `None`.

    Raises:
        ValueError: If `size_factor` is neither.
    """

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logarithms of means `[batch, *event]`."""
        log_mean = _bounded(tf.cast(parameters, tf.float32))
        cls = _Poisson if self.size_factor is None else _PoissonOfItsSize
        return over_pixels(cls(log_rate=log_mean))


@keras.saving.register_keras_serializable(package="keras_vae")
class NegativeBinomial(Counts):
    """p(x|z) = prod_i NB(x_i; mean_i, dispersion_i), for counts that vary more than Poisson's.

    The variance is mean + mean^2 / dispersion. The decoder returns `[batch, *event[:-1],
    2 * event[-1]]`: the logarithms of all means, of which those above 20 count as 20, then numbers
    whose softplus are the dispersions, within [0.001, 10000].

    Args:
        size_factor: `None`, or `"total"`: an example's means are multiplied by its own mean count,
            the sum of its counts over their number, so that codes tell what the counts are made up
            of and not how many there are. That size is taken as given, not modelled: `log_prob` is
            that of the counts given z and their total (the observed library size of scVI, Lopez et
            al., "Deep generative modeling for single-cell transcriptomics", 2018); `mean` and
            `sample` are those of an example whose mean count is 1. An example without a count is
            taken to have one. Defaults to `None`.

    Raises:
        ValueError: If `size_factor` is neither.
    """

    def parameters_shape(self, event_shape):
        """Mean and dispersion of every count."""
        return times_last_axis(event_shape, 2)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logarithms of means, and what dispersions are the softplus of."""
        log_mean, raw = split_parameters(parameters, 2)
        dispersion = positive(raw, 1e-3, 1e4)
        cls = tfd.NegativeBinomial if self.size_factor is None else _NegativeBinomialOfItsSize
        return over_pixels(cls(dispersion, logits=_bounded(log_mean) - tf.math.log(dispersion)))


class _Poisson(tfd.Poisson):
    """Poisson of counts of any size.

    x log(mean) - mean - log(x!) is a small difference of terms as large as x log(x), of which
    float32 leaves nothing from a million on. For large x it is taken by the saddle point (Loader,
    "Fast and accurate computation of binomial probabilities", 2000): with d = log(mean / x) it is
    -x (e^d - 1 - d) - log(2 pi x) / 2 - 1 / (12 x).
    """

    def _log_prob(self, event):
        x = tf.maximum(event, _LARGE)
        d = self.log_rate - tf.math.log(x)
        near = d**2 / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6))))
        excess = tf.where(tf.abs(d) < 0.2, near, tf.math.expm1(d) - d)
        of_large = -x * excess - tf.math.log(2 * math.pi * x) / 2 - 1 / (12 * x)
        return tf.where(event < _LARGE, super()._log_prob(event), of_large)


class _PoissonOfItsSize(tfd.Poisson):
    """Poisson whose means are multiplied by the mean count of what is scored."""

    def _log_prob(self, event):
        return _Poisson(log_rate=self.log_rate + _log_size(self, event)).log_prob(event)


class _NegativeBinomialOfItsSize(tfd.NegativeBinomial):
    """Negative binomial whose means are multiplied by the mean count of what is scored."""

    def _log_prob(self, event):
        logits = self.logits + _log_size(self, event)
        return tfd.NegativeBinomial(self.total_count, logits=logits).log_prob(event)


def _log_size(distribution, event):
    """The logarithm of the mean count, over all axes but those of the batch."""
    axes = list(range(1 - distribution.batch_shape.rank, 0))
    total = tf.reduce_sum(event, axis=axes, keepdims=True)
    num_counts = tf.cast(tf.reduce_prod(tf.shape(event)[axes[0] :]), tf.float32)
    return tf.math.log(tf.maximum(total, 1.0) / num_counts)


def _bounded(log_mean):
    return tf.clip_by_value(log_mean, -_MOST_LOG_MEAN, _MOST_LOG_MEAN)
