"""What a column is taken for where nobody says so: the rules, and the words that tell of them."""

import warnings

import numpy as np

from keras_vae.distributions import Likelihood, get_likelihood
from keras_vae.distributions.likelihoods import LIKELIHOODS
from keras_vae.tables import frames
from keras_vae.tables.columns import KINDS, Category, Column
from keras_vae.tables.columns.category import categories_of, plain

# Of whole numbers: as many different ones at most are categories.
FEW = 10
# Of counts: with larger ones a continuous density is as good, and cheaper.
LARGEST_COUNT = 10_000
# Of the variance to the mean: 1 for a Poisson, less in a sample of one. Where it is a half, the
# negative binomial, whose variance is never less than its mean, is off by 0.1 nats a row.
LEAST_DISPERSION = 0.5
# Nats a row by which the log-normal must fit better than the Gaussian.
CLEARLY = 0.1
MANY_CATEGORIES = 1_000
# Up to this every integer is a double.
_EXACT = 2**53


def infer_column(name, series, asked=None) -> Column:
    """The column that a series of pandas is taken for.

    Args:
        name: Its name.
        series: Its values.
        asked: A kind, the name of a likelihood, a likelihood, or `(kind, likelihood)`. Defaults to
            `None`: it is inferred.

    Raises:
        ValueError: If the values cannot be modelled, or not as what was asked for.
    """
    pd = frames.pandas()
    is_there = series.notna()
    if not is_there.any():
        raise ValueError(
            f"Column {name!r} has no value: all {len(series)} are missing. Leave it out: "
            f"`frame.drop(columns=[{name!r}])`."
        )
    _check_type(name, series)
    kind, likelihood = (None, None) if asked is None else _asked(name, asked)
    seen = series[is_there]
    if pd.Series(seen.array).nunique() == 1:
        raise ValueError(
            f"Column {name!r} is constant: every value is {plain(seen.iloc[0])!r}, which tells "
            f"nothing of a row. Leave it out: `frame.drop(columns=[{name!r}])`."
        )
    if kind != "category":
        _check_digits(name, seen)
    reason = "as you said"
    if kind is None:
        kind, reason = _inferred(name, seen)
    arguments = {
        "dtype": frames.dtype_name(name, series),
        "likelihood": likelihood,
        "has_holes": not bool(is_there.all()),
        "reason": reason,
    }
    column = KINDS[kind].learned(name, series, **arguments)
    if isinstance(column, Category):
        _warn_of_single_ones(column, seen)
    return column


def _asked(name, asked):
    """A kind, and a likelihood or `None`."""
    likelihood = None
    if isinstance(asked, list | tuple) and len(asked) == 2:
        kind, likelihood = asked
    elif isinstance(asked, str) and asked in KINDS:
        kind = asked
    elif isinstance(asked, Likelihood) or asked in LIKELIHOODS:
        likelihood = get_likelihood(asked)
        if type(likelihood) is LIKELIHOODS["log_normal"]:
            # What the kind is by itself, of logarithms that are standardised.
            return "positive", None
        fitting = [kind for kind, cls in KINDS.items() if cls.takes(likelihood)]
        kind = fitting[0] if fitting else None
    else:
        kind = None
    if kind not in KINDS:
        raise ValueError(
            f"Invalid value for argument `kinds[{name!r}]`. Expected one of {list(KINDS)}, the "
            "name of a likelihood, a `keras_vae.distributions.Likelihood`, or (kind, likelihood). "
            f"Received: {asked!r}"
        )
    if likelihood is None:
        return kind, None
    likelihood = get_likelihood(likelihood)
    if not KINDS[kind].takes(likelihood):
        raise ValueError(
            f"A column of the kind {kind!r} is not explained by a {type(likelihood).__name__}. "
            f"Received: kinds[{name!r}]={asked!r}. Leave the likelihood out, or choose another "
            "kind."
        )
    if getattr(likelihood, "size_factor", None) or getattr(likelihood, "scale", "") == "optimal":
        raise ValueError(
            f"The likelihood of column {name!r} must be one of the column alone. Received: a "
            f"{type(likelihood).__name__} whose scale follows from all that is scored. Leave its "
            "`size_factor` out, or give `scale` a number or 'decoded'."
        )
    return kind, likelihood


def _check_type(name, series):
    """Refuses what is neither numbers, nor strings, nor booleans."""
    pd = frames.pandas()
    types, dtype = pd.api.types, series.dtype
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        raise ValueError(_of_dates(name, _without_unit(dtype)))
    if types.is_timedelta64_dtype(dtype):
        raise ValueError(
            f"Column {name!r} holds durations, which a table does not take. "
            f"Received: {_without_unit(dtype)}. Make numbers of them: "
            f"`frame[{name!r}].dt.total_seconds()`."
        )
    if types.is_complex_dtype(dtype):
        raise ValueError(
            f"Column {name!r} holds complex numbers. Received: {dtype}. Give real and imaginary "
            "part columns of their own."
        )
    if not types.is_object_dtype(dtype):
        return
    held = types.infer_dtype(series, skipna=True)
    if held in ("string", "boolean"):
        return
    if held in ("integer", "floating", "mixed-integer-float", "decimal"):
        raise ValueError(
            f"Column {name!r} holds numbers as Python objects. Received: dtype object. Convert "
            f"them: `frame[{name!r}] = pd.to_numeric(frame[{name!r}])`."
        )
    if held in ("datetime", "date", "datetime64", "time"):
        raise ValueError(_of_dates(name, f"{held}s as objects"))
    some = [type(value).__name__ for value in series.dropna()]
    raise ValueError(
        f"Column {name!r} must hold numbers, strings or booleans, all of one kind. "
        f"Received: {', '.join(sorted(set(some)))}. Convert them, for example by "
        "`pd.to_numeric(..., errors='coerce')` or `astype(str)`."
    )


def _check_digits(name, seen):
    """Refuses integers whose last digits double precision does not keep, as identifiers have."""
    if not frames.pandas().api.types.is_integer_dtype(seen.dtype):
        return
    furthest = max(abs(int(seen.min())), abs(int(seen.max())))
    if furthest > _EXACT:
        raise ValueError(
            f"Column {name!r} has whole numbers that double precision does not keep, as "
            f"identifiers are. Received: {furthest}. Leave it out: "
            f"`frame.drop(columns=[{name!r}])`; where the last digits do not matter, "
            f"`frame[{name!r}].astype(float)`; of categories say kinds={{{name!r}: 'category'}}."
        )


def _without_unit(dtype):
    return str(dtype).partition("[")[0]


def _of_dates(name, received):
    return (
        f"Column {name!r} holds dates, which a table does not take. Received: {received}. Make "
        f"numbers and categories of them, whichever matter: `(frame[{name!r}] - start).dt.days`, "
        "`.dt.month`, `.dt.day_name()`."
    )


def _inferred(name, seen):
    """The kind, and why."""
    types = frames.pandas().api.types
    is_categorical = isinstance(seen.dtype, frames.pandas().CategoricalDtype)
    is_boolean = types.is_bool_dtype(seen.dtype) or types.infer_dtype(seen) == "boolean"
    if is_boolean and not is_categorical:
        return "boolean", "true or false"
    if not types.is_numeric_dtype(seen.dtype) or is_categorical:
        known, _ = categories_of(name, seen)
        _check_number_of_categories(name, known, seen)
        return "category", f"{len(known)} categories"
    values = frames.numbers_of(name, seen)
    reason = "numbers"
    if (values == np.round(values)).all():
        kind, reason = _of_whole_numbers(name, values)
        if kind:
            return kind, reason
    if values.min() > 0:
        logs = np.log(values)
        # A spread that leaves double precision is refused, or one of logarithms.
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            gain = np.log(values.std()) - np.log(logs.std()) - logs.mean()
        if gain > CLEARLY:
            better = f"above 0; log-normal fits better than Gaussian by {gain:.2f} nats a row"
            return "positive", better
    return "number", reason


def _of_whole_numbers(name, values):
    distinct = np.unique(values)
    if set(distinct) == {0, 1}:
        return "boolean", "0 or 1"
    if len(distinct) <= FEW and 2 * len(distinct) <= len(values):
        said = f"{len(distinct)} whole numbers, {FEW} or fewer; for a count say "
        return "category", said + f"kinds={{{name!r}: 'count'}}"
    spread = f"whole numbers from {distinct[0]:g} to {distinct[-1]:g}"
    if len(distinct) == len(values):
        spread += ", no two alike (an identifier should be left out)"
    dispersion = values.var() / values.mean() if distinct[0] >= 0 else 0.0
    if distinct[-1] <= LARGEST_COUNT and dispersion >= LEAST_DISPERSION:
        return "count", f"{spread}, variance {dispersion:.3g} times the mean"
    return None, spread


def _check_number_of_categories(name, known, seen):
    """Refuses what looks like text or a key, or like numbers."""
    if len(known) <= 2 * FEW or (len(known) <= MANY_CATEGORIES and 2 * len(known) <= len(seen)):
        return
    if frames.pandas().to_numeric(seen, errors="coerce").notna().all():
        raise ValueError(
            f"Column {name!r} holds numbers as strings, such as {known[0]!r}. Convert them: "
            f"`frame[{name!r}] = pd.to_numeric(frame[{name!r}])`; or, if they are names of "
            f"categories, say kinds={{{name!r}: 'category'}}."
        )
    raise ValueError(
        f"Column {name!r} has {len(known)} different strings in {len(seen)} rows, as names and "
        "free text have, of which nothing can be learned. Leave it out: "
        f"`frame.drop(columns=[{name!r}])`; or, if they are categories, say "
        f"kinds={{{name!r}: 'category'}}."
    )


def _warn_of_single_ones(column, seen):
    counts = seen.value_counts()
    single = [value for value in column.categories if counts.get(value) == 1]
    if single:
        shown = ", ".join(map(repr, single[:5])) + (", ..." if len(single) > 5 else "")
        warnings.warn(
            f"Column {column.name!r} has categories that were seen once, of which little can be "
            f"learned: {shown}. They are kept; to join rare ones, replace them before.",
            UserWarning,
            stacklevel=4,
        )
