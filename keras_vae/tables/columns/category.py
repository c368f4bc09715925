"""One of several strings or numbers."""

from collections.abc import Sequence

import numpy as np

from keras_vae import distributions
from keras_vae.tables import frames
from keras_vae.tables.columns.column import Column


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
