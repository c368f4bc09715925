"""Whole numbers from 0."""

import math

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.column import Column, softplus_inverse

# Likelihoods of counts have means up to e^20.
_LARGEST = math.floor(math.exp(20))


class Count(Column):
    """Whole numbers from 0, as they are; an encoder sees their logarithms."""

    kind = "count"

    def __init__(
        self, *args, mean: float, variance: float, log_mean: float, log_variance: float, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.mean = mean
        self.variance = variance
        self.log_mean = log_mean
        self.log_variance = log_variance

    @classmethod
    def default_likelihood(cls):
        """Counts that vary more than Poisson's, or as much."""
        return distributions.NegativeBinomial()

    @classmethod
    def takes(cls, likelihood):
        """Both likelihoods of counts."""
        return isinstance(likelihood, distributions.Poisson | distributions.NegativeBinomial)

    @classmethod
    def learned(cls, name, series, **kwargs):
        """See the base class."""
        values = _whole(name, frames.numbers_of(name, series))
        if np.nanmax(values) > _LARGEST:
            raise ValueError(
                f"Column {name!r} has counts that are larger than likelihoods of counts take. "
                f"Expected: up to {_LARGEST}. Received: {np.nanmax(values):g}. Take it for a "
                f"number: `Table.infer(frame, kinds={{{name!r}: 'number'}})`, or 'positive'."
            )
        logs = np.log1p(values)
        return cls(
            name,
            mean=float(np.nanmean(values)),
            variance=float(np.nanvar(values)),
            log_mean=float(np.nanmean(logs)),
            log_variance=float(np.nanvar(logs)),
            **kwargs,
        )

    def encode(self, series):
        """See the base class."""
        return _whole(self.name, frames.numbers_of(self.name, series))[:, None]

    def decode(self, numbers, index=None):
        """See the base class; means are rounded."""
        return frames.series_of(np.round(np.asarray(numbers, np.float64)[:, 0]), self.dtype, index)

    def first_parameters(self):
        """Mean and variance of the counts seen."""
        log_mean = math.log(self.mean)
        if isinstance(self.likelihood, distributions.Poisson):
            return np.array([log_mean])
        dispersion = self.mean**2 / max(self.variance - self.mean, 1e-3 * self.mean**2)
        return np.array([log_mean, softplus_inverse(dispersion)])

    def encoder_moments(self):
        """Of log(1 + count)."""
        return self.log_mean, self.log_variance

    def get_config(self):
        """See the base class."""
        own = ("mean", "variance", "log_mean", "log_variance")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _whole(name, values):
    is_count = np.isnan(values) | ((values >= 0) & (values == np.round(values)))
    if not is_count.all():
        raise ValueError(
            f"Column {name!r} holds counts, which are whole numbers from 0. "
            f"Received: {values[~is_count][0]:g}. For other numbers take it for a number: "
            f"`Table.infer(frame, kinds={{{name!r}: 'number'}})`."
        )
    return values
