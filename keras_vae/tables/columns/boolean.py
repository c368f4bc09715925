"""True or False."""

import math

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.column import Column


class Boolean(Column):
    """True or False, or 0 or 1."""

    kind = "boolean"

    def __init__(self, *args, mean: float, **kwargs):
        super().__init__(*args, **kwargs)
        self.mean = mean

    @classmethod
    def default_likelihood(cls):
        """The only one."""
        return distributions.Bernoulli()

    @classmethod
    def learned(cls, name, series, **kwargs):
        """See the base class."""
        return cls(name, mean=float(np.nanmean(_zeros_and_ones(name, series))), **kwargs)

    def encode(self, series):
        """See the base class."""
        return _zeros_and_ones(self.name, series)[:, None]

    def decode(self, numbers, index=None):
        """See the base class; of probabilities what is likelier."""
        values = np.asarray(numbers)[:, 0] > 0.5
        if self.dtype != "object":
            values = values.astype(np.float64)
        return frames.series_of(values, self.dtype, index)

    def first_parameters(self):
        """The share of what is true."""
        return np.array([math.log(self.mean / (1 - self.mean))])

    def get_config(self):
        """See the base class."""
        return {**super().get_config(), "mean": self.mean}


def _zeros_and_ones(name, series):
    values = frames.numbers_of(name, series)
    fits = np.isnan(values) | (values == 0) | (values == 1)
    if not fits.all():
        raise ValueError(
            f"Column {name!r} holds True and False, or 1 and 0. "
            f"Received: {values[~fits][0]:g}. For other pairs take it for a category: "
            f"`Table.infer(frame, kinds={{{name!r}: 'category'}})`."
        )
    return values
