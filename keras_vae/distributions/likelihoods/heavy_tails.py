"""Values of any size, some of them far out: Laplace's distribution and Student's t."""

import keras
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


class LocationScale(Likelihood):
    """What is decoded to a location and a scale of every value."""

    minimum_scale = 1e-3

    def parameters_shape(self, event_shape):
        """Location and scale of every value."""
        return times_last_axis(event_shape, 2)

    def location_and_scale(self, parameters) -> tuple:
        """Both, float32 `[batch, *event]`."""
        loc, raw_scale = split_parameters(parameters, 2)
        return loc, positive(raw_scale, self.minimum_scale)

    def check_parameters(self, parameters):
        """Refuses a dict."""
        check_one_array(parameters)


@keras.saving.register_keras_serializable(package="keras_vae")
class Laplace(LocationScale):
    """p(x|z) = prod_i exp(-|x_i - loc_i| / scale_i) / (2 scale_i), for any finite values.

    The decoder returns `[batch, *event[:-1], 2 * event[-1]]`: all locations, then numbers whose
    softplus are the scales, at least 0.001. An error counts by its size and not by its square.
    """

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from locations, and what scales are the softplus of."""
        return over_pixels(tfd.Laplace(*self.location_and_scale(parameters)))


@keras.saving.register_keras_serializable(package="keras_vae")
class StudentT(LocationScale):
    """p(x|z) = prod_i t(x_i; df, loc_i, scale_i), for finite values of which some are far out.

    The decoder returns as for `Laplace`. An error counts by the logarithm of its size where it is
    large, so that single outliers hardly move the fit (Lange, Little & Taylor, "Robust statistical
    modeling using the t distribution", 1989, where 4 degrees of freedom serve well).

    Args:
        df: Float above 2, where the variance is finite. Degrees of freedom of all values: the
            fewer, the heavier the tails. Defaults to `4.0`.

    Raises:
        ValueError: If `df` is no finite number above 2.
    """

    def __init__(self, df: float = 4.0, **kwargs):
        super().__init__(**kwargs)
        self.df = arguments.number("df", df)
        if self.df <= 2:
            raise arguments.invalid("df", "a number above 2", df)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from locations, and what scales are the softplus of."""
        return over_pixels(tfd.StudentT(self.df, *self.location_and_scale(parameters)))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "df": self.df}
