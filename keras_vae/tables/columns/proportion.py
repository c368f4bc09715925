"""Numbers in [0, 1]."""

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.column import Column, softplus_inverse


class Proportion(Column):
    """Numbers in [0, 1], as they are."""

    kind = "proportion"

    def __init__(self, *args, mean: float, variance: float, **kwargs):
        super().__init__(*args, **kwargs)
        self.mean = mean
        self.variance = variance

    @classmethod
    def default_likelihood(cls):
        """The beta distribution."""
        return distributions.Beta()

    @classmethod
    def takes(cls, likelihood):
        """Both likelihoods of [0, 1]."""
        return isinstance(likelihood, distributions.Beta | distributions.ContinuousBernoulli)

    @classmethod
    def learned(cls, name, series, **kwargs):
        """See the base class."""
        values = _shares(name, series)
        return cls(
            name, mean=float(np.nanmean(values)), variance=float(np.nanvar(values)), **kwargs
        )

    def encode(self, series):
        """See the base class."""
        return _shares(self.name, series)[:, None]

    def decode(self, numbers, index=None):
        """See the base class."""
        values = np.clip(np.asarray(numbers, np.float64)[:, 0], 0.0, 1.0)
        return frames.series_of(values, self.dtype, index)

    def first_parameters(self):
        """Mean and variance of the proportions seen."""
        if not isinstance(self.likelihood, distributions.Beta):
            return super().first_parameters()
        total = max(self.mean * (1 - self.mean) / self.variance - 1, 0.1)
        both = np.array([self.mean * total, (1 - self.mean) * total])
        return np.array([softplus_inverse(value) for value in both])

    def encoder_moments(self):
        """Those seen."""
        return self.mean, self.variance

    def get_config(self):
        """See the base class."""
        return {**super().get_config(), "mean": self.mean, "variance": self.variance}


def _shares(name, series):
    values = frames.numbers_of(name, series)
    fits = np.isnan(values) | ((values >= 0) & (values <= 1))
    if not fits.all():
        raise ValueError(
            f"Column {name!r} holds proportions, from 0 to 1. "
            f"Received: {values[~fits][0]:g}. Divide percentages by 100."
        )
    return values
