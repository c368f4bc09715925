"""Numbers above 0, by their logarithms."""

import math

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.number import Number


class Positive(Number):
    """Numbers above 0, whose logarithms are standardised: with a Gaussian, the log-normal.

    The mean of its numbers is decoded to the geometric mean, the median of a log-normal.
    """

    kind = "positive"

    @classmethod
    def default_likelihood(cls):
        """Of the logarithm."""
        return distributions.Gaussian("decoded")

    @staticmethod
    def _transformed(name, values):
        if (values <= 0).any():
            raise ValueError(
                f"Column {name!r} is positive: its values must be above 0. "
                f"Received: {np.nanmin(values):g}. Where 0 is a small value that was rounded, add "
                "half of what it was rounded to; otherwise take the column for a number: "
                f"`Table.infer(frame, kinds={{{name!r}: 'number'}})`."
            )
        return np.log(values)

    def decode(self, numbers, index=None):
        """See the base class."""
        # Beyond these, the exponential leaves its type.
        least, most = (-80, 80) if self.dtype.lower().startswith("float32") else (-700, 700)
        logs = np.asarray(numbers, np.float64)[:, 0] * self.scale + self.mean
        values = np.exp(np.clip(logs, least, most))
        if self.decimals is not None:
            # No value is rounded to 0, which is none of them.
            values = np.maximum(np.round(values, self.decimals), 10.0**-self.decimals)
        return frames.series_of(values, self.dtype, index)

    def log_scale(self, series):
        """See the base class."""
        values = frames.numbers_of(self.name, series)
        return np.where(np.isnan(values), 0.0, -math.log(self.scale) - np.log(values))
