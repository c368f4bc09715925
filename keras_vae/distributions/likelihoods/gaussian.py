"""Values of any size around a mean: the Gaussian."""

import math
from collections.abc import Mapping

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.likelihoods.likelihood import (
    Likelihood,
    over_pixels,
    positive,
    split_parameters,
    times_last_axis,
)


class _CalibratedNormal(tfd.Normal):
    """N(x; loc, s^2) with the s that makes all the images that it is asked about most likely."""

    def _log_prob(self, event):
        # Bounded before the root, whose gradient at 0 is infinite.
        variance = tf.maximum(
            tf.reduce_mean(tf.math.squared_difference(event, self.loc)), Gaussian.minimum_scale**2
        )
        return tfd.Normal(self.loc, tf.sqrt(variance)).log_prob(event)


@keras.saving.register_keras_serializable(package="keras_vae")
class Gaussian(Likelihood):
    """p(x|z) = prod_i N(x_i; loc_i, scale^2), for pixels of any finite value.

    The decoder returns loc `[batch, *event]`; or `{"loc": ..., "scale": ...}`, both of that shape,
    where it learns a standard deviation for every pixel, and `scale` here goes unused.

    Args:
        scale: Float. Standard deviation shared by all pixels, in pixel units. Beside 1 errors of
            pixels in [0, 1] are small, and the code of grey images stays nearly empty. Or
            `"optimal"`: the root of the mean squared error over the batch and its pixels, at least
            0.001, the closed-form optimum (Rybkin et al., the optimal sigma-VAE). It is fitted to
            whatever batch is scored, so evaluation with it is too favourable, the more so the
            smaller the batch; a scale that is learned is what gives a density. Its `stddev()` is
            not defined (NaN). Or `"decoded"`: one for every pixel of every image, the softplus of a
            second number a pixel that the decoder returns, `[batch, *event[:-1], 2 * event[-1]]`,
            all means before all scales. Defaults to `None`: it is learned, from 0.3.
        learn_scale: Bool. Whether that shared standard deviation is a trainable weight, with
            `scale` its start (the sigma-VAE of Rybkin et al., "Simple and effective VAE training
            with calibrated decoders", 2021, section 3). Defaults to `None`: if no `scale` is given.

    Raises:
        ValueError: If `scale` is neither a positive finite number nor one of those words, or is to
            be a weight and one of them as well.
    """

    # A scale below a 255th of a grey level only chases quantisation, until the loss diverges.
    minimum_scale = 1e-3
    # Between the errors of pixels in [0, 1] and those of values of unit variance.
    first_scale = 0.3

    def __init__(self, scale: float | str | None = None, learn_scale: bool | None = None, **kwargs):
        super().__init__(**kwargs)
        learn_scale = scale is None if learn_scale is None else learn_scale
        if scale is None:
            if not learn_scale:
                raise ValueError(
                    "A `scale` that is not learned must be given, in pixel units. Received: "
                    "scale=None, learn_scale=False"
                )
            scale = self.first_scale
        if isinstance(scale, str):
            if scale not in ("optimal", "decoded"):
                raise arguments.invalid("scale", "a positive number, 'optimal' or 'decoded'", scale)
        else:
            scale = arguments.positive("scale", scale)
        if learn_scale and (isinstance(scale, str) or scale < self.minimum_scale):
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

    def parameters_shape(self, event_shape):
        """A mean for every pixel, and its standard deviation where that is decoded."""
        return times_last_axis(event_shape, 2 if self.scale == "decoded" else 1)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from loc `[batch, *event]`, from loc and raw scale, or a dict of loc and scale."""
        if self.scale == "decoded" and not isinstance(parameters, Mapping):
            loc, raw_scale = split_parameters(parameters, 2)
            return over_pixels(tfd.Normal(loc, positive(raw_scale, self.minimum_scale)))
        if isinstance(parameters, Mapping):
            loc, scale = parameters["loc"], tf.cast(parameters["scale"], tf.float32)
        elif self.scale == "optimal":
            return over_pixels(_CalibratedNormal(tf.cast(parameters, tf.float32), math.nan))
        elif self.learn_scale:
            loc, scale = parameters, tf.exp(tf.convert_to_tensor(self.log_scale))
        else:
            loc, scale = parameters, tf.constant(self.scale)
        if isinstance(parameters, Mapping) or self.learn_scale:
            scale = tf.maximum(scale, self.minimum_scale)
        return over_pixels(tfd.Normal(tf.cast(loc, tf.float32), scale))

    def check_missing(self):
        """Refuses the scale that is the error of a whole batch."""
        if self.scale == "optimal":
            raise ValueError(
                "`Gaussian('optimal')` is fitted to whole batches, and takes no missing values. "
                "Use `Gaussian(0.1, learn_scale=True)` or `Gaussian('decoded')`."
            )

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
