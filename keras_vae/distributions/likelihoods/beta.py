"""Proportions: the beta distribution."""

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


class _BetaOffTheEdges(tfd.Beta):
    """Beta of which values near 0 and 1 have the density that they have a margin away."""

    # Assigned to, since a constructor's arguments must be tensors of the batch.
    margin = 0.0

    def _log_prob(self, event):
        return super()._log_prob(tf.clip_by_value(event, self.margin, 1 - self.margin))


@keras.saving.register_keras_serializable(package="keras_vae")
class Beta(Likelihood):
    """p(x|z) = prod_i Beta(x_i; a_i, b_i), for proportions in [0, 1].

    The density lives on the open interval: at 0 and 1 it may be 0 or infinite. Proportions nearer
    to an edge than `margin`, the edges included, count as if they were `margin` away from it: the
    density that is fitted is level there. Where 0 and 1 are kinds of their own, give them columns
    of the likelihood `"categorical"`, and let the proportion be missing there.

    The decoder returns `[batch, *event[:-1], 2 * event[-1]]`: numbers whose softplus are a of all
    proportions, then those of b, within [0.001, 10000]. The mean is a / (a + b).

    Args:
        margin: Float between 0 and 0.5. Defaults to `0.001`.

    Raises:
        ValueError: If `margin` is not.
    """

    lower, upper = 0.0, 1.0

    def __init__(self, margin: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.margin = arguments.share("margin", margin)
        if self.margin >= 0.5:
            raise arguments.invalid("margin", "a number between 0 and 0.5", margin)

    def parameters_shape(self, event_shape):
        """Both concentrations of every proportion."""
        return times_last_axis(event_shape, 2)

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from what both concentrations are the softplus of."""
        towards_1, towards_0 = (positive(raw, 1e-3, 1e4) for raw in split_parameters(parameters, 2))
        beta = _BetaOffTheEdges(towards_1, towards_0)
        beta.margin = self.margin
        return over_pixels(beta)

    def check_parameters(self, parameters):
        """Refuses a dict."""
        check_one_array(parameters)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}
