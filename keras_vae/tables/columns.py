"""The kinds of columns: how values become numbers of a row, what explains those, and back."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_vae import distributions
from keras_vae.distributions import Likelihood
from keras_vae.tables import frames

# In standard deviations: further out, squares leave float32.
_FURTHEST = 1e6
_MOST_DECIMALS = 8


class Column:
    """One column of a table: its name, its type, and what it learned of the values it has seen.

    A subclass is a kind. `encode` and `decode` translate between values and `width` numbers of a
    row, which are what `likelihood` explains.

    Attributes:
        name: A string or an integer.
        dtype: The name of its type in pandas.
        likelihood: A `keras_vae.distributions.Likelihood` of its numbers, as a model begins with.
        has_holes: Bool. Whether values were missing.
        reason: Why it is taken for what it is, in words.
    """

    kind = ""
    width = 1

    def __init__(self, name, dtype, likelihood=None, has_holes=False, reason=""):
        self.name = name
        self.dtype = dtype
        self.likelihood = likelihood or self.default_likelihood()
        self.has_holes = has_holes
        self.reason = reason

    @classmethod
    def default_likelihood(cls) -> Likelihood:
        """What explains such values unless another is asked for."""
        raise NotImplementedError

    @classmethod
    def takes(cls, likelihood: Likelihood) -> bool:
        """Whether a likelihood is one of such values."""
        return isinstance(likelihood, type(cls.default_likelihood()))

    @classmethod
    def learned(cls, name, series, **kwargs) -> "Column":
        """The column that has seen a series of pandas, of which not all values are missing.

        Raises:
            ValueError: If a value is none of this kind.
        """
        raise NotImplementedError

    def encode(self, series) -> np.ndarray:
        """Numbers of rows, float64 `[n, width]`, NaN where a value is missing.

        Raises:
            ValueError: If a value is none of this column's.
        """
        raise NotImplementedError

    def decode(self, numbers: np.ndarray, index=None):
        """A series of values, of means or samples of the numbers, `[n, width]`."""
        raise NotImplementedError

    def log_scale(self, series) -> np.ndarray:
        """Log |d number / d value|, `[n]`: what turns a density of numbers into one of values."""
        return np.zeros(len(series))

    def first_parameters(self) -> np.ndarray:
        """What a decoder returns of this column alone, before it has learned of any other.

        The likelihood is then about that of the values seen, whatever the code.
        """
        return np.zeros(self.likelihood.parameters_shape((self.width,)))

    def encoder_moments(self) -> tuple[float, float]:
        """Mean and variance by which an encoder's inputs are standardised."""
        return 0.0, 1.0

    def get_config(self) -> dict:
        """The constructor's arguments, and the kind."""
        return {
            "kind": self.kind,
            "name": self.name,
            "dtype": self.dtype,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "has_holes": self.has_holes,
            "reason": self.reason,
        }


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
        values = cls._transformed(name, frames.numbers_of(name, series))
        mean, scale = float(np.nanmean(values)), float(np.nanstd(values))
        return cls(name, mean=mean, scale=scale, decimals=_decimals(series), **kwargs)

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
        return np.array([0.0, _softplus_inverse(scale)])

    def get_config(self):
        """See the base class."""
        own = {"mean": self.mean, "scale": self.scale, "decimals": self.decimals}
        return {**super().get_config(), **own}


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
        return np.array([log_mean, _softplus_inverse(dispersion)])

    def encoder_moments(self):
        """Of log(1 + count)."""
        return self.log_mean, self.log_variance

    def get_config(self):
        """See the base class."""
        own = ("mean", "variance", "log_mean", "log_variance")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


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


class Category(Column):
    """One of several strings or numbers, one-hot.

    Attributes:
        categories: All of them, in order.
        frequencies: How often each was seen, as shares that sum to 1.
        ordered: Bool. Whether pandas has them ordered.
    """

    kind = "category"

    def __init__(
        self,
        *args,
        categories: Sequence,
        frequencies: Sequence[float],
        ordered: bool = False,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.categories = list(categories)
        self.frequencies = list(frequencies)
        self.ordered = ordered
        self.width = len(self.categories)

    @classmethod
    def default_likelihood(cls):
        """The only one."""
        return distributions.Categorical()

    @classmethod
    def learned(cls, name, series, **kwargs):
        """See the base class."""
        known, ordered = categories_of(name, series)
        codes = _codes(series, known)
        counts = np.bincount(codes[codes >= 0], minlength=len(known))
        # What pandas knows as a category and nobody has seen is seldom, not impossible.
        shares = (counts + 0.5) / (counts + 0.5).sum()
        return cls(name, categories=known, frequencies=shares.tolist(), ordered=ordered, **kwargs)

    def encode(self, series):
        """See the base class."""
        pd = frames.pandas()
        is_missing = series.isna().to_numpy()
        codes = _codes(series, self.categories)
        is_unknown = (codes < 0) & ~is_missing
        if is_unknown.any():
            unknown = [plain(value) for value in pd.unique(series[is_unknown])]
            raise ValueError(
                f"Column {self.name!r} has categories that the table has not seen. Expected one "
                f"of {_few(self.categories)}. Received: {_few(unknown)}, in {is_unknown.sum()} "
                "rows. Leave those rows out, give them a category that is known, or infer the "
                "table from rows that have them."
            )
        one_hot = np.zeros((len(series), self.width))
        one_hot[np.arange(len(series)), codes] = 1.0
        one_hot[is_missing] = np.nan
        return one_hot

    def decode(self, numbers, index=None):
        """See the base class; of probabilities the likeliest."""
        pd = frames.pandas()
        codes = np.asarray(numbers).argmax(axis=-1)
        if self.dtype == "category":
            dtype = pd.CategoricalDtype(self.categories, self.ordered)
            return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=index)
        kind = object if isinstance(self.categories[0], str) else None
        return frames.series_of(np.array(self.categories, kind)[codes], self.dtype, index)

    def first_parameters(self):
        """The shares of the categories seen."""
        return np.log(self.frequencies)

    def get_config(self):
        """See the base class."""
        own = {
            "categories": self.categories,
            "frequencies": self.frequencies,
            "ordered": self.ordered,
        }
        return {**super().get_config(), **own}


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
        return np.array([_softplus_inverse(value) for value in both])

    def encoder_moments(self):
        """Those seen."""
        return self.mean, self.variance

    def get_config(self):
        """See the base class."""
        return {**super().get_config(), "mean": self.mean, "variance": self.variance}


#: Classes of columns by the names that `Table.infer(kinds=...)` takes.
KINDS = {cls.kind: cls for cls in (Number, Positive, Count, Category, Boolean, Proportion)}


def from_config(config: Mapping) -> Column:
    """The column that `get_config` describes.

    Raises:
        ValueError: If there is no such kind.
    """
    config = dict(config)
    kind = config.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"There is no kind of column {kind!r}. Expected one of {list(KINDS)}")
    likelihood = keras.saving.deserialize_keras_object(config.pop("likelihood"))
    return KINDS[kind](likelihood=likelihood, **config)


def categories_of(name, series) -> tuple[list, bool]:
    """The categories that a column has, in order, and whether pandas has them ordered.

    Raises:
        ValueError: If one of them is neither a string nor a number.
    """
    pd = frames.pandas()
    is_categorical = isinstance(series.dtype, pd.CategoricalDtype)
    known = series.cat.categories if is_categorical else pd.unique(series.dropna())
    known = [plain(value) for value in known]
    kinds = {type(value) for value in known}
    if not kinds <= {str} and not kinds <= {int, float, bool}:
        other = next(
            value
            for value in known
            if type(value) is not type(known[0]) or not isinstance(value, str | int | float)
        )
        raise ValueError(
            f"Column {name!r} must have categories that are strings, or numbers, alone. "
            f"Received: {other!r} among them. Make strings of them: "
            f"`frame[{name!r}].astype(str)`, where missing ones must stay missing."
        )
    if is_categorical:
        return known, bool(series.cat.ordered)
    return sorted(known), False


def _codes(series, categories):
    """The number of each value's category, -1 where it has none."""
    # As objects strings are found whatever type pandas has for them, and 1 where 1.0 is asked for.
    known = frames.pandas().Index(categories, dtype=object)
    return known.get_indexer(series.astype(object))


def plain(value):
    """A scalar of NumPy as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _few(values):
    """At most ten of them, in brackets."""
    shown = ", ".join(repr(value) for value in values[:10])
    return f"[{shown}]" if len(values) <= 10 else f"[{shown}, ... ({len(values)} in all)]"


def _whole(name, values):
    is_count = np.isnan(values) | ((values >= 0) & (values == np.round(values)))
    if not is_count.all():
        raise ValueError(
            f"Column {name!r} holds counts, which are whole numbers from 0. "
            f"Received: {values[~is_count][0]:g}. For other numbers take it for a number: "
            f"`Table.infer(frame, kinds={{{name!r}: 'number'}})`."
        )
    return values


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


def _shares(name, series):
    values = frames.numbers_of(name, series)
    fits = np.isnan(values) | ((values >= 0) & (values <= 1))
    if not fits.all():
        raise ValueError(
            f"Column {name!r} holds proportions, from 0 to 1. "
            f"Received: {values[~fits][0]:g}. Divide percentages by 100."
        )
    return values


def _decimals(series):
    """To how many decimals values are rounded, or `None` where they are not."""
    values = frames.numbers_of(series.name, series)
    values = values[~np.isnan(values)]
    is_single = "32" in str(series.dtype).lower() and "float" in str(series.dtype).lower()
    tolerance = 1e-6 if is_single else 1e-12
    for decimals in range(_MOST_DECIMALS + 1):
        # Most columns show on a few values that they have more.
        for some in (values[:1000], values):
            if not np.isclose(np.round(some, decimals), some, rtol=tolerance, atol=0).all():
                break
        else:
            return decimals
    return None


def _softplus_inverse(value):
    # Where softplus is the identity to the last digit, its inverse would overflow.
    return float(value if value > 30 else np.log(np.expm1(max(value, 1e-3))))
