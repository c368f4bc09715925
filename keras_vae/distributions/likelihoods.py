"""p(x|z): from what the decoder returns to a distribution over images."""

import abc
import math
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments

_package = "keras_vae"


class Likelihood(keras.layers.Layer, abc.ABC):
    """Base class of p(x|z): turns what the decoder returns into a distribution over images.

    A subclass gives `distribution`, and `lower` and `upper` where its support is bounded. It is a
    layer, so it may own trainable weights. Register it with
    `keras.saving.register_keras_serializable` and pass an instance as `VAE(likelihood=...)`.
    """

    lower = -math.inf
    upper = math.inf

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of an image, which `summary` shows."""
        return tuple(input_shape)

    @abc.abstractmethod
    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) for the decoder's output.

        Args:
            parameters: What the decoder returns for `[batch, latent]` codes.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """

    def check_parameters(self, parameters):
        """Refuses parameters that can only be meant for something else; called before training.

        Args:
            parameters: What the decoder returns for 16 codes far from the prior, as NumPy arrays.

        Raises:
            ValueError: If they are none of this likelihood's.
        """


def _check_logits(parameters):
    """Refuses probabilities, and whatever else is not a logit."""
    if isinstance(parameters, Mapping):
        raise ValueError(
            "`decoder` must return logits, one array in the shape of the images. "
            f"Received: a dict with {sorted(parameters)}"
        )
    # A layer that starts at zeros returns the same everywhere.
    varies = np.ptp(parameters, axis=0).max() > 0
    low, high = parameters.min(), parameters.max()
    is_tanh = -1 <= low < -0.99 and 0.99 < high <= 1
    if varies and (low >= 0 or is_tanh):
        raise ValueError(
            "`decoder` must return logits, any real numbers, to which the likelihood applies the "
            f"sigmoid itself. Received: values from {low:.3g} to {high:.3g} for codes far out, as "
            "of a sigmoid, tanh or relu in the last layer. Remove that activation; with one, every "
            "pixel would be limited to a part of [0, 1]."
        )


def _over_pixels(distribution):
    """Makes all axes but the first one event, so that `log_prob` sums over an image's pixels."""
    return tfd.Independent(
        distribution, reinterpreted_batch_ndims=distribution.batch_shape.rank - 1
    )


class _BernoulliFromLogits(tfd.Bernoulli):
    """Bernoulli whose `log_prob` is one softplus: x * l - log(1 + e^l).

    TFP's own evaluates two softplus and two guarded products for the same value. This form stays
    finite for every finite logit, and for grey pixels in [0, 1] it is the negative cross-entropy.
    """

    def _log_prob(self, event):
        return event * self.logits - tf.nn.softplus(self.logits)


@keras.saving.register_keras_serializable(package=_package)
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
        return _over_pixels(_BernoulliFromLogits(logits=logits, dtype=tf.float32))

    def check_parameters(self, parameters):
        """Refuses probabilities given as logits."""
        _check_logits(parameters)


@keras.saving.register_keras_serializable(package=_package)
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
        return _over_pixels(tfd.ContinuousBernoulli(logits=logits))

    def check_parameters(self, parameters):
        """Refuses probabilities given as logits."""
        _check_logits(parameters)


class _CalibratedNormal(tfd.Normal):
    """N(x; loc, s^2) with the s that makes all the images that it is asked about most likely."""

    def _log_prob(self, event):
        # Bounded before the root, whose gradient at 0 is infinite.
        variance = tf.maximum(
            tf.reduce_mean(tf.math.squared_difference(event, self.loc)), Gaussian.minimum_scale**2
        )
        return tfd.Normal(self.loc, tf.sqrt(variance)).log_prob(event)


@keras.saving.register_keras_serializable(package=_package)
class Gaussian(Likelihood):
    """p(x|z) = prod_i N(x_i; loc_i, scale^2), for pixels of any finite value.

    The decoder returns loc `[batch, *event]`; or `{"loc": ..., "scale": ...}`, both of that shape,
    where it learns a standard deviation for every pixel, and `scale` here goes unused.

    Args:
        scale: Float. Standard deviation shared by all pixels, in pixel units. Or `"optimal"`: the
            root of the mean squared error over the batch and its pixels, at least 0.001, the
            closed-form optimum (Rybkin et al., the optimal sigma-VAE). It is fitted to whatever
            batch is scored, so evaluation with it is too favourable, the more so the smaller the
            batch; `learn_scale=True` is what gives a density. Its `stddev()` is not defined
            (NaN). Defaults to `1.0`.
        learn_scale: Bool. Whether that shared standard deviation is a trainable weight, with
            `scale` its start (the sigma-VAE of Rybkin et al., "Simple and effective VAE training
            with calibrated decoders", 2021, section 3). Defaults to `False`.

    Raises:
        ValueError: If `scale` is neither a positive finite number nor `"optimal"`, or is to be both
            learned and optimal.
    """

    # A scale below a 255th of a grey level only chases quantisation, until the loss diverges.
    minimum_scale = 1e-3

    def __init__(self, scale: float | str = 1.0, learn_scale: bool = False, **kwargs):
        super().__init__(**kwargs)
        optimal = isinstance(scale, str) and scale == "optimal"
        if isinstance(scale, str) and not optimal:
            raise arguments.invalid("scale", "a positive number or 'optimal'", scale)
        if not optimal:
            scale = arguments.positive("scale", scale)
        if learn_scale and (optimal or scale < self.minimum_scale):
            raise ValueError(
                f"A learned `scale` must start at a number of {self.minimum_scale} or above, where "
                f"it is bounded. Received: scale={scale}"
            )
        self.scale = scale
        self.learn_scale = bool(learn_scale)

    def build(self, input_shape):
        """Creates the log of the shared scale where it is learned."""
        if self.learn_scale:
            self.log_scale = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(math.log(self.scale)),
                dtype="float32",
                autocast=False,
                name="log_scale",
            )
        self.built = True

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from loc `[batch, *event]` or a dict of loc and scale."""
        if isinstance(parameters, Mapping):
            loc, scale = parameters["loc"], tf.cast(parameters["scale"], tf.float32)
        elif self.scale == "optimal":
            return _over_pixels(_CalibratedNormal(tf.cast(parameters, tf.float32), math.nan))
        elif self.learn_scale:
            loc, scale = parameters, tf.exp(tf.convert_to_tensor(self.log_scale))
        else:
            loc, scale = parameters, tf.constant(self.scale)
        if isinstance(parameters, Mapping) or self.learn_scale:
            scale = tf.maximum(scale, self.minimum_scale)
        return _over_pixels(tfd.Normal(tf.cast(loc, tf.float32), scale))

    def check_parameters(self, parameters):
        """Refuses a dict without loc and scale, and standard deviations that are not positive."""
        if not isinstance(parameters, Mapping):
            return
        if parameters.keys() != {"loc", "scale"}:
            raise ValueError(
                "`decoder` must return means, or a dict of `loc` and `scale`. "
                f"Received: a dict with {sorted(parameters)}"
            )
        low = parameters["scale"].min()
        if not low > 0:
            raise ValueError(
                "`decoder` must return standard deviations above 0 as `scale`. Received: values "
                f"from {low:.3g}. Put `keras_vae.networks.PositiveScale()` behind that layer, and "
                "look whether `loc` and `scale` are swapped."
            )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "scale": self.scale, "learn_scale": self.learn_scale}


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}
