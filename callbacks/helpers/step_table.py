"""Rows of numbers in a CSV file, one a training step, that outlive a killed run."""

import contextlib
import csv
import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_vae.arguments import invalid
from keras_vae.files import write_whole


class StepTable:
    """Keeps a CSV file of rows by training step.

    The file is the only copy, so that memory does not grow with the run. It opens in any
    spreadsheet while training goes on: lines are added whole. A column stands in the file from the
    first row that has a value for it; a row without one leaves it empty.

    Args:
        path: The file.
        names: Columns that a row may have besides `step`, in the order of the file.
    """

    def __init__(self, path: str | os.PathLike, names: Iterable[str]):
        self.path = Path(path)
        self.names = ("step", *names)
        self.columns: list[str] = []
        self._order = self.names
        self._waiting: list[dict] = []

    @property
    def rows(self) -> list[dict]:
        """The rows of the file, `{column: number}`; `None` stands for an empty value."""
        return self._read()

    def begin(self, last_step: int) -> list[dict]:
        """Begins a run: keeps the rows up to the step where it resumes.

        Args:
            last_step: Steps taken before; 0 for a new run, whose first row replaces the file.

        Returns:
            The rows that are kept.

        Raises:
            OSError: If the file cannot be read or written.
        """
        self.columns, self._order, self._waiting = [], self.names, []
        rows = [row for row in self._read() if row["step"] <= last_step] if last_step else []
        if rows:
            # The run before may have logged other columns: none of them is lost.
            self._order = (*self.names, *(name for name in rows[0] if name not in self.names))
            self.columns = [name for name in self._order if name in rows[0]]
            write_whole(self.path, _csv(rows, self.columns))
        return rows

    def admit(self, names: Iterable[str]):
        """Lets rows have further columns, behind all others."""
        self.names = tuple(dict.fromkeys((*self.names, *names)))
        self._order = tuple(dict.fromkeys((*self._order, *self.names)))

    def add(self, row: Mapping):
        """Adds a row.

        Args:
            row: `{column: number}`; what is not a column of the table is left out.

        Raises:
            OSError: If it cannot be written. It is then written together with the next.
        """
        row = {name: row[name] for name in self.names if row.get(name) is not None}
        self._waiting.append(row)
        columns = [name for name in self._order if name in self.columns or name in row]
        if columns == self.columns and self.path.exists():
            self._append(_csv(self._waiting, columns, header=False))
        else:
            # No columns are known yet where the file, if there is one, is an older run's.
            older = self._read() if self.columns else []
            names = {name for waiting in self._waiting for name in waiting}
            columns = [name for name in self._order if name in columns or name in names]
            write_whole(self.path, _csv([*older, *self._waiting], columns))
            self.columns = columns
        self._waiting = []

    def _append(self, text):
        size = self.path.stat().st_size
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self.path, size)
            raise

    def _read(self):
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8")
        # A process that was killed may have left part of a line, even one that reads as a row.
        lines = io.StringIO(text[: text.rfind("\n") + 1], newline="")
        rows = (_numbers(row) for row in csv.DictReader(lines))
        return [row for row in rows if row is not None]


def _numbers(row):
    """`{column: number}` of a row of text, `None` where it is no row of such a table."""
    try:
        row = {name: _number(text) for name, text in row.items()}
    except (TypeError, ValueError, AttributeError):
        return None
    return row if isinstance(row.get("step"), int) else None


def _number(text):
    if text == "":
        return None
    return int(text) if text.isdigit() else float(text)


def _csv(rows, columns, header=True):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _text(value):
    """The shortest text that reads as the same number, of a single precision one if it is that."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    single = np.float32(value)
    return str(single if float(single) == value else float(value))


def as_stored(row: Mapping) -> dict:
    """A row as the file gives it back: the shortest text of a float32 reads as another double."""
    return {name: _number(_text(value)) for name, value in row.items()}


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of what is logged, each once.

    Raises:
        ValueError: If they are no sequence of names, or there are none.
    """
    several = isinstance(names, Collection) and not isinstance(names, str)
    if not several or not names or not all(isinstance(name, str) for name in names):
        raise invalid(
            "names",
            "a sequence of names in the logs, such as ('loss', 'reconstruction_loss', 'kl_loss')",
            names,
        )
    return tuple(dict.fromkeys(names))
