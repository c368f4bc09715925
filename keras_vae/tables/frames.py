"""What is taken as a table: a frame of pandas, or a dict of arrays. The only place for pandas."""

from collections.abc import Mapping

import numpy as np


def pandas():
    """The module, which is an extra.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError(
            "`keras_vae.tables` needs the package `pandas`. Install it with "
            "`pip install 'keras-vae[tables]'`."
        ) from None
    return pandas


def is_frame(data) -> bool:
    """Whether data are meant as a table, instead of as rows that are encoded already."""
    return isinstance(data, Mapping) or hasattr(data, "columns")


def as_frame(data):
    """A frame of pandas, of data that are one or a dict of arrays.

    Raises:
        ValueError: If they are neither, have no rows or no columns, or names that are no strings or
            integers, or not unique.
    """
    pd = pandas()
    if isinstance(data, Mapping):
        data = _of_arrays(data)
    if not isinstance(data, pd.DataFrame):
        kind = type(data)
        advice = "Pass `frame.to_pandas()`." if hasattr(data, "to_pandas") else _frame_of(data)
        origin = kind.__module__.partition(".")[0]
        origin = "" if origin == "builtins" else f"{origin} "
        raise ValueError(
            "A table must be a `pandas.DataFrame`, or a dict of arrays [n]. "
            f"Received: a {origin}{kind.__name__}. {advice}"
        )
    names = list(data.columns)
    for name in names:
        if not isinstance(name, str | int | np.integer) or isinstance(name, bool):
            raise ValueError(
                "Names of columns must be strings or integers. "
                f"Received: {name!r}. Rename them: `frame.columns = [str(c) for c in "
                "frame.columns]`."
            )
    twice = sorted({str(name) for name in names if names.count(name) > 1}) if _repeats(data) else []
    if twice:
        raise ValueError(
            f"Every column needs a name of its own. Received: {twice} more than once. Rename them, "
            "or take one of each: `frame.loc[:, ~frame.columns.duplicated()]`."
        )
    if not names:
        raise ValueError("A table needs columns. Received: a frame without any")
    if not len(data):
        raise ValueError(
            "A table needs rows. Received: an empty frame. Look at what selected its rows."
        )
    return data


def _repeats(frame):
    return not frame.columns.is_unique


def _frame_of(data):
    if hasattr(data, "shape"):
        return "Give its columns names: `pd.DataFrame(array, columns=names)`."
    return "Make one: `pd.DataFrame(data)`."


def _of_arrays(data):
    arrays = {
        name: values if _has_rows(values) else np.asarray(values) for name, values in data.items()
    }
    shapes = {name: np.shape(values) for name, values in arrays.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise ValueError(
            "A dict of columns must hold arrays [n], all of the same length. "
            f"Received: shapes { {name: list(shape) for name, shape in shapes.items()} }"
        )
    # Without the indices of series, by which rows would be put in another order.
    return pandas().DataFrame({name: getattr(v, "array", v) for name, v in arrays.items()})


def _has_rows(values):
    """Lists stay lists, of which pandas knows what they hold; None among numbers is missing."""
    return isinstance(values, list) or hasattr(values, "dtype")


def numbers_of(name, series) -> np.ndarray:
    """A column's values as float64, NaN where they are missing.

    Raises:
        ValueError: If they are no numbers, or one is infinite.
    """
    types = pandas().api.types
    dtype = series.dtype
    if (types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype)) and not (
        types.is_complex_dtype(dtype) or isinstance(dtype, pandas().CategoricalDtype)
    ):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        held = types.infer_dtype(series, skipna=True)
        if held not in ("integer", "floating", "mixed-integer-float", "boolean", "empty"):
            example = series.dropna().iloc[0]
            is_text = isinstance(example, str)
            raise ValueError(
                f"Column {name!r} must hold numbers. Received: "
                + (f"strings, such as {example!r}. " if is_text else f"{series.dtype}. ")
                + ("`pd.to_numeric` makes numbers of them." if is_text else "Make numbers of them.")
            )
        is_there = series.notna().to_numpy()
        values = np.full(len(series), np.nan)
        values[is_there] = series[is_there].astype(np.float64)
    if np.isinf(values).any():
        raise ValueError(
            f"Column {name!r} must be finite. Received: {int(np.isinf(values).sum())} infinite "
            "values. Where they stand for a value that is not known, replace them by NaN: "
            "`frame.replace([np.inf, -np.inf], np.nan)`."
        )
    return values


def dtype_name(name, series) -> str:
    """The name of a column's type, by which it is found again.

    Raises:
        ValueError: If it has none that would do.
    """
    pd = pandas()
    if isinstance(series.dtype, pd.CategoricalDtype):
        return "category"
    text = str(series.dtype)
    try:
        if pd.api.types.pandas_dtype(text) == series.dtype:
            return text
    except TypeError:
        pass
    raise ValueError(
        f"Column {name!r} has a type that a table does not keep. Received: {text}. Convert it, for "
        "example by `astype(float)` or `astype(str)`."
    )


def series_of(values, dtype: str, index=None):
    """Values as a column of a type; numbers beyond what an integer type holds are its bounds."""
    pd = pandas()
    dtype = pd.api.types.pandas_dtype(dtype)
    kept = getattr(dtype, "numpy_dtype", dtype)
    # Integers, as categories may be, would lose digits among floating point bounds.
    if isinstance(kept, np.dtype) and kept.kind in "iu" and np.asarray(values).dtype.kind == "f":
        bounds = np.iinfo(kept)
        # The greatest float64 that is not beyond, where the type has more digits.
        most = np.nextafter(float(bounds.max), 0) if bounds.bits > 53 else bounds.max
        values = np.clip(values, bounds.min, most).astype(kept)
    return pd.Series(values, index=index).astype(dtype)


def filled(series, values):
    """A series whose missing values are those of another, rounded where it holds integers.

    A categorical series gets the categories that it lacks, without which values would be lost.
    """
    types, is_missing = pandas().api.types, series.isna()
    if isinstance(series.dtype, pandas().CategoricalDtype):
        needed = pandas().unique(values[is_missing.to_numpy()])
        known = series.cat.categories
        series = series.cat.add_categories([value for value in needed if value not in known])
    if types.is_integer_dtype(series.dtype) and types.is_float_dtype(values.dtype):
        values = series_of(np.round(values.to_numpy()), str(series.dtype), values.index)
    return series.where(~is_missing, values.astype(series.dtype))
