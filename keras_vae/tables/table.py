"""What the columns of a table are, and how its rows become numbers and come back."""

import json
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_vae import arguments
from keras_vae.distributions import Likelihood
from keras_vae.tables import columns as kinds_of_columns
from keras_vae.tables import frames
from keras_vae.tables.columns import Column
from keras_vae.tables.inference import infer_column
from keras_vae.tables.likelihood import ColumnProduct


@keras.saving.register_keras_serializable(package="keras_vae")
class Table:
    """Columns in order, each of a kind: what a model of rows has to know of them.

    Rows become numbers, float32 `[n, width]`, by `encode`, and numbers become rows by `decode`.
    What was learned of the columns (means, scales, categories) is part of a model's config, in
    double precision, and not of layers: strings do not pass XLA, standardising in single precision
    loses large numbers' last digits, and the likelihood is of the standardised values, which no
    layer of the encoder hands to it.

    Use `Table.infer(frame)`; the constructor takes what `get_config` gives.

    Args:
        columns: `keras_vae.tables.Column`s.

    Attributes:
        columns: A list of them.
        names: Their names, a list.
        width: Int. How many numbers a row is: one a column, but for categories, one each.
        has_holes: Bool. Whether values were missing in the rows that it was inferred from.
    """

    def __init__(self, columns: Sequence[Column]):
        if not columns or not all(isinstance(column, Column) for column in columns):
            raise ValueError(
                "Invalid value for argument `columns`. Expected columns of a table. Make one of a "
                f"frame: `Table.infer(frame)`. Received: a {type(columns).__name__}"
            )
        self.columns = list(columns)
        self.names = [column.name for column in self.columns]
        self.width = sum(column.width for column in self.columns)
        self.has_holes = any(column.has_holes for column in self.columns)
        self._alike = _alike(self.columns)
        places, start = {}, 0
        for own in self._alike:
            for index in own:
                places[index] = range(start, start + self.columns[index].width)
                start = places[index].stop
        self._ranges = [places[index] for index in range(len(self.columns))]

    @classmethod
    def infer(cls, frame, kinds: Mapping | None = None, verbose: bool = True) -> "Table":
        """Learns from rows what their columns are.

        The rules, in `docs/tables.md`, look at types and values. What they say is printed.

        Args:
            frame: A `pandas.DataFrame`, or a dict of arrays `[n]`. NaN, None and `pd.NA` are
                missing values.
            kinds: `{name: kind}`, for columns that the rules would take for something else:
                `"number"`, `"positive"`, `"count"`, `"category"`, `"boolean"`, `"proportion"`; a
                `keras_vae.distributions.Likelihood` or the name of one, from which the kind
                follows; or `(kind, likelihood)`. Defaults to `None`: the rules decide.
            verbose: Bool. Whether to print `summary`. Defaults to `True`.

        Raises:
            ValueError: If a column cannot be modelled: it has no values or one value alone, values
                that are infinite, of several types, dates, or strings that differ from row to row;
                or if `kinds` has what is no kind, or a column that is not there.
        """
        frame = frames.as_frame(frame)
        kinds = {} if kinds is None else kinds
        if not isinstance(kinds, Mapping):
            raise arguments.invalid("kinds", "a dict of kinds by the columns' names", kinds)
        unknown = [name for name in kinds if name not in frame.columns]
        if unknown:
            raise ValueError(
                f"`kinds` has columns that the frame does not have. Received: {unknown}. Expected "
                f"some of {list(frame.columns)}"
            )
        if len(frame) < 2:
            raise ValueError(
                "What columns are cannot be told from a single row. Received: 1 row. Infer the "
                "table from the rows to train on."
            )
        columns = []
        for name in frame.columns:
            columns.append(infer_column(name, frame[name], kinds.get(name)))
        table = cls(columns)
        if arguments.flag("verbose", verbose):
            table.summary()
        return table

    def summary(self, print_fn=print):
        """Prints what each column is taken for, and why.

        Args:
            print_fn: Function that is called with each line. Defaults to `print`.
        """
        names = [str(name) for name in self.names]
        longest = max(map(len, names))
        print_fn(f"A table of {len(names)} columns, {self.width} numbers a row:")
        for name, column in zip(names, self.columns, strict=True):
            holes = "; some are missing" if column.has_holes else ""
            print_fn(f"  {name:{longest}}  {column.kind:10}  {column.reason}{holes}")

    # Rows to numbers, and back ---------------------------------------------------------------

    def encode(self, frame) -> np.ndarray:
        """The numbers of rows; see `Column` of each kind.

        Args:
            frame: A frame or dict with these columns, in any order.

        Returns:
            Float32 `[n, width]`, NaN where a value is missing.

        Raises:
            ValueError: If columns are missing or are new, or a value is none of its column's.
        """
        frame = self._own_columns(frame)
        rows = np.empty((len(frame), self.width), np.float32)
        for column, place in zip(self.columns, self._ranges, strict=True):
            rows[:, place.start : place.stop] = column.encode(frame[column.name])
        return rows

    def decode(self, rows, index=None):
        """The frame of numbers: its columns have the names, order and types of those inferred from.

        Args:
            rows: `[n, width]`, without NaN: what `encode` gives, samples of p(x|z), or means of it.
                Of means whole numbers are rounded and of categories the likeliest is taken.
            index: Of the frame. Defaults to `None`: 0, 1, 2 and so on.
        """
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(
                f"Rows of this table are {self.width} numbers. Expected: [n, {self.width}]. "
                f"Received: {list(rows.shape)}"
            )
        decoded = [
            column.decode(rows[:, place.start : place.stop], index)
            for column, place in zip(self.columns, self._ranges, strict=True)
        ]
        return frames.pandas().concat(decoded, axis=1, keys=self.names)

    def fill(self, frame, rows):
        """A frame whose missing values are those of numbers; everything else is as it was.

        Args:
            frame: A frame or dict with these columns, in any order.
            rows: `[n, width]`, as `decode` takes them.
        """
        given = frames.as_frame(frame)
        decoded = self.decode(rows, index=given.index)
        filled = given.copy()
        for name in self.names:
            if given[name].isna().any():
                filled[name] = frames.filled(given[name], decoded[name])
        return filled

    def log_scale(self, frame) -> np.ndarray:
        """Log |d numbers / d values| by row, `[n]`: log p(values) is log p(numbers) plus this.

        -log of the standard deviation for a number, that of the logarithm and -log of the value
        itself for a positive one, 0 for what is not standardised and for what is missing.
        """
        frame = self._own_columns(frame)
        scales = (column.log_scale(frame[column.name]) for column in self.columns)
        return sum(scales, start=np.zeros(len(frame)))

    def _own_columns(self, frame):
        frame = frames.as_frame(frame)
        given = list(frame.columns)
        missing = [name for name in self.names if name not in given]
        new = [name for name in given if name not in self.names]
        if missing:
            raise ValueError(
                f"Columns of the table are not there. Expected: {self.names}. Missing: {missing}"
                + (f". Not known: {new}" if new else "")
                + ". Where nothing is known of a column, give it NaN, to a model with "
                "`missing=True`."
            )
        if new:
            raise ValueError(
                f"The table does not have these columns: {new}. Leave them out: "
                "`frame[table.names]`."
            )
        return frame

    # What a model is made of -----------------------------------------------------------------

    @property
    def groups(self) -> dict[str, range]:
        """The numbers of each column, by the name that its term is logged under.

        That is the column's own, with `_` in place of `/`, which logs do not take; where two would
        be alike, the later one is numbered.
        """
        groups = {}
        for name, place in zip(self.names, self._ranges, strict=True):
            group = wanted = str(name).replace("/", "_") or "_"
            number = 1
            while group in groups:
                number += 1
                group = f"{wanted}_{number}"
            groups[group] = place
        return groups

    def likelihood(self) -> Likelihood:
        """A new product of the columns' likelihoods, of which those alike are one group."""
        names, groups, named = list(self.groups), {}, {}
        for own in self._alike:
            part = self.columns[own[0]].likelihood
            part = type(part).from_config(part.get_config())
            group = names[own[0]] + (f" and {len(own) - 1} more" if len(own) > 1 else "")
            groups[group] = (part, range(self._ranges[own[0]].start, self._ranges[own[-1]].stop))
            named[group] = [names[index] for index in own]
        return ColumnProduct(groups, named)

    def first_parameters(self) -> np.ndarray:
        """The decoder's output at which each column alone is explained best, whatever the code."""
        # All first parameters of a group come before all second ones.
        of_groups = [
            np.stack([self.columns[index].first_parameters() for index in own], axis=1).ravel()
            for own in self._alike
        ]
        return np.concatenate(of_groups)

    def encoder_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of every number as an encoder sees it, float32 `[width]` each."""
        means, variances = np.empty((2, self.width), np.float32)
        for column, place in zip(self.columns, self._ranges, strict=True):
            means[place.start : place.stop], variances[place.start : place.stop] = (
                column.encoder_moments()
            )
        return means, variances

    def count_columns(self) -> list[int]:
        """Which of the numbers are counts."""
        is_count = [isinstance(column, kinds_of_columns.Count) for column in self.columns]
        return sorted(p.start for p, count in zip(self._ranges, is_count, strict=True) if count)

    def get_config(self) -> dict:
        """The columns."""
        return {"columns": [column.get_config() for column in self.columns]}

    @classmethod
    def from_config(cls, config: dict) -> "Table":
        """The table that `get_config` describes."""
        return cls([kinds_of_columns.from_config(column) for column in config["columns"]])


def _alike(columns):
    """Indices of columns that one likelihood explains together, in the order of their numbers."""
    alike = {}
    for index, column in enumerate(columns):
        likelihood = column.likelihood
        config = {**likelihood.get_config(), "name": None}
        key = json.dumps([column.kind, type(likelihood).__name__, config], sort_keys=True)
        # A class is several numbers, and a scale that is learned is a column's own.
        is_alone = column.width > 1 or getattr(likelihood, "learn_scale", False)
        alike.setdefault(f"{index}" if is_alone else key, []).append(index)
    return list(alike.values())
