"""Any finite number."""

import math

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.column import Column, softplus_inverse

# In standard deviations: further out, squares leave float32.
_FURTHEST = 1e6
_MOST_DECIMALS = 8


class Number(Column):
    """Any finite number, standardised by mean and standard deviation of those seen."""

    kind = "number"

    def __init__(self, *args, mean: float, scale: float, decimals: int | None, **kwargs):
        super().__init__(*args, **kwargs)
        self.mean = mean
        self.scale = scale
        self.decimals = decimals

    @classmethod
    def default_likelihood(cls):
        """With a scale that is decoded: heavy tails forgive one that is too small."""
        return distributions.StudentT()

    @classmethod
    def takes(cls, likelihood):
        """Those of any real number."""
        return math.isinf(likelihood.lower) and math.isinf(likelihood.upper)

    @classmethod
    def learned(cls, name, series, **kwargs):
        """See the base class."""
        given = frames.numbers_of(name, series)
        values = cls._transformed(name, given)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            mean, scale = float(np.nanmean(values)), float(np.nanstd(values))
        if not (math.isfinite(mean) and 0 < scale < math.inf):
            raise ValueError(
                f"Column {name!r} has values of which double precision gives no standard "
                f"deviation. Received: from {np.nanmin(given):g} to {np.nanmax(given):g}. Choose "
                f"another unit, such as `frame[{name!r}] / {abs(np.nanmax(given)):.0e}`."
            )
        return cls(name, mean=mean, scale=scale, decimals=_decimals(series, given), **kwargs)

    @staticmethod
    def _transformed(name, values):
        return values

    def encode(self, series):
        """See the base class; further than a million standard deviations counts as so many."""
        values = self._transformed(self.name, frames.numbers_of(self.name, series))
        return np.clip((values - self.mean) / self.scale, -_FURTHEST, _FURTHEST)[:, None]

    def decode(self, numbers, index=None):
        """See the base class; with as many decimals as the values seen."""
        values = np.asarray(numbers, np.float64)[:, 0] * self.scale + self.mean
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        return frames.series_of(values, self.dtype, index)

    def log_scale(self, series):
        """See the base class."""
        is_there = series.notna().to_numpy()
        return np.where(is_there, -math.log(self.scale), 0.0)

    def first_parameters(self):
        """Mean 0, variance 1."""
        likelihood = self.likelihood
        if isinstance(likelihood, distributions.StudentT):
            scale = math.sqrt((likelihood.df - 2) / likelihood.df)
        elif isinstance(likelihood, distributions.Laplace):
            scale = math.sqrt(0.5)
        elif isinstance(likelihood, distributions.Gaussian) and likelihood.scale == "decoded":
            scale = 1.0
        else:
            return super().first_parameters()
        return np.array([0.0, softplus_inverse(scale)])

    def get_config(self):
        """See the base class."""
        own = {"mean": self.mean, "scale": self.scale, "decimals": self.decimals}
        return {**super().get_config(), **own}


def _decimals(series, values):
    """To how many decimals values are rounded, or `None` where they are not."""
    values = values[~np.isnan(values)]
    # Of large numbers that differ little, rounding must not take the differences.
    with np.errstate(over="ignore", under="ignore"):
        most = 1e-3 * values.std()
    is_single = "32" in str(series.dtype).lower() and "float" in str(series.dtype).lower()
    tolerance = 1e-6 if is_single else 1e-12
    for decimals in range(_MOST_DECIMALS + 1):
        # Most columns show on a few values that they have more.
        for some in (values[:1000], values):
            off = np.abs(np.round(some, decimals) - some)
            if (off > np.minimum(tolerance * np.abs(some), most)).any():
                break
        else:
            return decimals
    return None
