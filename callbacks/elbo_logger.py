"""Logs the components of the ELBO while a model trains."""

import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_vae.callbacks.frequency import POWER_OF_TWO, Frequency
from keras_vae.callbacks.output import Guard, check_writable, write_whole
from keras_vae.callbacks.step_counter import StepCounter
from keras_vae.callbacks.tensorboard import SummaryWriter, require_tensorboard

NAMES = ("loss", "reconstruction_loss", "kl_loss", "elbo", "beta", "learning_rate")


class ELBOLogger(keras.callbacks.Callback):
    """Logs loss, reconstruction, KL, ELBO, beta and learning rate at chosen training steps.

    A model with a method `step_logs(step)`, as `keras_vae.VAE` has, is asked for that step's own
    batch values, also for steps in the middle of an execution of several. From any other model the
    row takes `logs`, which in Keras are means since the epoch began, at the end of the execution.

    Rows go to `FOLDER/elbo.csv`; a run that resumes keeps the rows before its first step and
    appends. Values that the model does not offer are empty.

    Args:
        folder: Where `elbo.csv` is written.
        frequency: `"power_of_two"` for steps 1, 2, 4, 8, ...; an int N for every N steps; or
            `"epoch"`, whose rows are the epoch's means with the validation's `val_` numbers.
            Defaults to `"power_of_two"`.
        names: Which numbers, in order. Defaults to `("loss", "reconstruction_loss", "kl_loss",
            "elbo", "beta", "learning_rate")`.
        print_table: Bool. Whether each row is also printed. Defaults to `True`.
        tensorboard: Bool. Whether each row is also written as TensorBoard scalars, below
            `FOLDER/tensorboard`; needs the package `tensorboard`. Defaults to `False`.

    Raises:
        ValueError: If `frequency` is invalid.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> model.fit(images, callbacks=[keras_vae.callbacks.ELBOLogger("runs/mnist")])
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        frequency: str | int = POWER_OF_TWO,
        names: Sequence[str] = NAMES,
        print_table: bool = True,
        tensorboard: bool = False,
    ):
        super().__init__()
        self.path = Path(folder) / "elbo.csv"
        self.frequency = Frequency(frequency)
        self.names = tuple(names)
        self.print_table = print_table
        self.tensorboard = tensorboard
        self.rows: list[dict] = []
        self._printed = False
        if tensorboard:
            require_tensorboard()

    def on_train_begin(self, logs=None):
        """Checks the folder."""
        check_writable(self.path.parent)
        self._guard = Guard(type(self).__name__)
        self._steps = StepCounter()
        self._summaries = SummaryWriter(self.path.parent) if self.tensorboard else None
        self._started = False

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up the rows of a run that resumes, once whatever restores it has done so."""
        self._steps.begin_epoch(self.model)
        if not self._started:
            self._started = True
            self.rows = []
            self._columns = None
            if self._steps.step > 0:
                with self._guard(f"read {self.path}"):
                    self._take_up(self._steps.step)

    def on_train_batch_end(self, batch, logs=None):
        """Logs the steps that are due."""
        before, now = self._steps.end_batch(self.model, batch)
        due = self.frequency.due(before, now)
        if not due:
            return
        step_logs = getattr(self.model, "step_logs", None)
        if step_logs is None:
            self._log({"step": now, **(logs or {})})
            return
        for step in due:
            values = step_logs(step)
            if values is not None:
                self._log({"step": step, **values})

    def on_epoch_end(self, epoch, logs=None):
        """Logs the epoch, if epochs are what is logged."""
        if self.frequency.by_epoch:
            self._log({"step": self._steps.step, "epoch": epoch + 1, **(logs or {})})

    def on_train_end(self, logs=None):
        """Closes what is open."""
        if self._summaries:
            self._summaries.close()

    def _log(self, values):
        with self._guard("log a step"):
            values = {"learning_rate": _learning_rate(self.model), **values}
            if self._columns is None:
                self._columns = ["step", *self._names_in(values)]
            row = {name: _number(values.get(name)) for name in self._columns}
            self.rows.append(row)
            if self.print_table:
                self._print(row)
            self._append(row)
            if self._summaries:
                self._summaries.scalars(
                    {name: row[name] for name in row if name != "step"}, row["step"]
                )

    def _names_in(self, values):
        validation = [f"val_{name}" for name in self.names if f"val_{name}" in values]
        return [*(("epoch",) if self.frequency.by_epoch else ()), *self.names, *validation]

    def _append(self, row):
        if len(self.rows) > 1 and self.path.exists():
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(_csv([row], self._columns, header=False))
        else:
            write_whole(self.path, _csv(self.rows, self._columns))

    def _take_up(self, last_step):
        """Keeps the rows of an earlier run up to the step at which this one begins."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            # A run that was killed may have left half a line behind.
            whole = [row for row in reader if None not in row.values() and row["step"].isdigit()]
        rows = [{name: _number(text) for name, text in row.items()} for row in whole]
        self.rows = [row for row in rows if row["step"] <= last_step]
        if self.rows:
            self._columns = list(self.rows[0])
            write_whole(self.path, _csv(self.rows, self._columns))

    def _print(self, row):
        cells = [_cell(name, row[name]) for name in self._columns]
        lines = ["".join(cells)]
        if len(self.rows) == 1 or not self._printed:
            lines.insert(0, "".join(f"{name.removesuffix('_loss'):>15}" for name in self._columns))
        self._printed = True
        # On a terminal the progress bar's line is wiped first; Keras draws it again below.
        start = "\r\x1b[K" if sys.stdout.isatty() else ""
        print(start + "\n".join(lines), flush=True)


def _learning_rate(model):
    return getattr(getattr(model, "optimizer", None), "learning_rate", None)


def _number(value):
    """A float, an int where it is one, or `None` where there is no number."""
    if value is None or value == "":
        return None
    number = float(value)
    return int(number) if isinstance(value, int) or str(value).isdigit() else number


def _cell(name, value):
    if value is None:
        return f"{'':>15}"
    return f"{value:>15}" if isinstance(value, int) else f"{value:>15.6g}"


def _csv(rows, columns, header=True):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(
        {name: "" if value is None else repr(value) for name, value in row.items()} for row in rows
    )
    return buffer.getvalue()
