"""Logs the components of the ELBO while a model trains."""

import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_vae.callbacks.helpers.frequency import POWER_OF_TWO, Frequency
from keras_vae.callbacks.helpers.parts_line import parts_line
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_table import StepTable, checked_names
from keras_vae.callbacks.helpers.step_values import StepValues
from keras_vae.keras_internals import learning_rate_of
from keras_vae.workers import scalar_value

NAMES = ("loss", "reconstruction_loss", "kl_loss", "elbo", "beta", "learning_rate")
# What a group of the likelihood's columns adds to the reconstruction is logged as this and a name.
_GROUP = "reconstruction_loss_"

# Wide enough to cover Keras's progress bar in a notebook, which cannot wipe a line.
_NOTEBOOK_WIDTH = 160


class ELBOLogger(RunCallback):
    """Logs loss, reconstruction, KL, ELBO, beta and learning rate at chosen training steps.

    A model with a method `step_logs(step)`, as `keras_vae.VAE` has, is asked for that step's own
    batch values, also for steps in the middle of an execution of several. From any other model the
    row is written at the end of the execution, and each number is the mean over the steps since
    the row before (within the epoch) where a `keras.metrics.Mean` stands behind it; otherwise it is
    as in `logs`, where Keras gives means since the epoch began.

    Rows go to `FOLDER/elbo.csv`, for example

        step,loss,reconstruction_loss,kl_loss,elbo,beta,learning_rate

    without the columns that the model does not offer. What each group of a likelihood adds to the
    reconstruction, each column of a table, say, follows as `reconstruction_loss_<name>`; in print
    that is a line of its own below the row, with the smallest as one sum where there is no room.

    The training step counts batches since the optimizer was made. A run that resumes, whether by
    `keras.callbacks.BackupAndRestore`, from a saved model or by a second `fit`, keeps the rows up
    to its first step and appends. A new run replaces the file.

    Stands next to Keras's `CSVLogger`, which writes epoch means only. Place it after callbacks that
    add to the epoch's `logs`, such as `LatentStatistics`, to log those by `frequency="epoch"` and
    `names`.

    Args:
        folder: Where `elbo.csv` is written.
        frequency: `"power_of_two"` for steps 1, 2, 4, 8, ...; `"logarithmic"` for twenty steps a
            decade; an int N for every N steps; or `"epoch"`, whose rows are the epoch's means with
            the epoch's number and the validation's `val_` numbers. Defaults to `"power_of_two"`.
        names: Which numbers, in order. `"learning_rate"` and `"beta"` are asked of the optimizer
            and of the model where `logs` do not hold them. Defaults to `None`: `("loss",
            "reconstruction_loss", "kl_loss", "elbo", "beta", "learning_rate")`, and the groups'.
        print_table: Bool. Whether each row is also printed. Defaults to `True`.
        tensorboard: Bool. Whether each row is also written as TensorBoard scalars, below
            `FOLDER/tensorboard`; needs the package `tensorboard`. Defaults to `False`.

    Raises:
        ValueError: If `frequency` or `names` is invalid; or, at the start of training, if another
            callback of the same `fit` writes `elbo.csv` too.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: At the start of training, if the folder cannot be written. A failure later is one
            warning, and what could not be written goes with the next row.

    Example:
    >>> model.fit(images, callbacks=[keras_vae.callbacks.ELBOLogger("runs/mnist")])
    """

    folder: Path  # There is always one.

    def __init__(
        self,
        folder: str | os.PathLike,
        frequency: str | int = POWER_OF_TWO,
        names: Sequence[str] | None = None,
        print_table: bool = True,
        tensorboard: bool = False,
    ):
        super().__init__(folder, tensorboard)
        self.path = self.folder / "elbo.csv"
        self.frequency = Frequency(frequency)
        self.names = NAMES if names is None else checked_names(names)
        self._has_groups = names is None
        self.print_table = print_table
        columns = self.names
        if self.frequency.by_epoch:
            columns = ("epoch", *columns, *(f"val_{name}" for name in columns))
        self._table = StepTable(self.path, columns)

    @property
    def rows(self) -> list[dict]:
        """The rows of `elbo.csv`, `{column: number}`; `None` stands for an empty value."""
        return self._table.rows

    @property
    def written_files(self) -> tuple[Path]:
        """The table."""
        return (self.path,)

    def begin_run(self):
        """Begins to read the model's losses."""
        self._values = StepValues(self.model)
        self._header = None

    def before_epoch(self, epoch: int):
        """Follows Keras, which resets the model's metrics and draws a new progress bar."""
        self._values.begin_epoch()
        self._bar_is_drawn = False

    def take_up(self, step: int):
        """Keeps the rows of the run before."""
        with self.guard(f"take up {self.path}"):
            self._table.begin(step)

    def after_steps(self, before: int, now: int, logs: dict):
        """Logs the steps that are due."""
        due = self.frequency.due(before, now)
        if due:
            with self.guard("read the model's losses"):
                for step, values in self._values.read(due, now, logs):
                    self._log(step, values)
        self._bar_is_drawn = True

    def next_look(self, step: int) -> float:
        """Never: every step's losses are remembered."""
        return math.inf

    def after_epoch(self, epoch: int, logs: dict):
        """Logs the epoch, if epochs are what is logged."""
        if self.frequency.by_epoch:
            self._log(self.step, {"epoch": epoch + 1, **logs})

    def _log(self, step, values):
        values = {**self._settings(step), **values, "step": step}
        if self._has_groups:
            self._table.admit(name for name in values if _is_of_group(name))
        row = {name: values[name] for name in self._table.names if name in values}
        with self.guard(f"write {self.path}"):
            self._table.add(row)
        if self.print_table:
            with self.guard("print a row"):
                self._print(row)
        if self.summaries:
            with self.guard("write TensorBoard scalars"):
                scalars = {name: row[name] for name in row if name not in ("step", "epoch")}
                self.summaries.scalars(scalars, step)

    def _settings(self, step):
        """The learning rate and beta that a step used, for models that do not log them."""
        settings = {"learning_rate": _learning_rate(self.model, step)}
        beta = getattr(self.model, "beta", None)
        settings["beta"] = scalar_value(beta) if getattr(beta, "shape", None) == () else None
        return {name: value for name, value in settings.items() if value is not None}

    def _print(self, row):
        columns = [
            name
            for name in self._table.names
            if (name in row or name in self._table.columns) and not self._is_below(name)
        ]
        lines = ["".join(_cell(name, row.get(name)) for name in columns)]
        if columns != self._header:
            self._header = columns
            lines.insert(0, "".join(_cell(name, _title(name)) for name in columns))
        for prefix in ("", "val_"):
            groups = {
                name.removeprefix(prefix + _GROUP): row[name]
                for name in row
                if self._is_below(name) and name.startswith(prefix + _GROUP)
            }
            if groups:
                margin = f"{prefix.rstrip('_'):>9} "
                # Some terminals begin a line when the last column is written.
                room = shutil.get_terminal_size().columns - 1 - len(margin)
                lines.append(margin + parts_line(groups, room))
        print(self._fresh_line(lines), flush=True)

    def _is_below(self, name):
        return self._has_groups and _is_of_group(name)

    def _fresh_line(self, lines):
        """Puts lines where the progress bar stands; Keras draws it again below them."""
        text = "\n".join(lines)
        if sys.stdout.isatty():
            return f"\r\x1b[K{text}"
        if self.params.get("verbose") not in (1, "auto") or not self._bar_is_drawn:
            return text
        if "ipykernel" in sys.modules:
            return "\r" + "\n".join(line.ljust(_NOTEBOOK_WIDTH) for line in lines)
        return f"\n{text}"


def _learning_rate(model, step):
    """The learning rate of a step, counted from 1; `None` without an optimizer."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(optimizer, keras.optimizers.Optimizer):
        schedule = learning_rate_of(optimizer)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            # The optimizer counts on after a step, and would give the next one's.
            return float(schedule(step - 1))
    rate = getattr(optimizer, "learning_rate", None)
    return None if rate is None else scalar_value(rate)


def _is_of_group(name):
    return name.removeprefix("val_").startswith(_GROUP)


def _title(name):
    return name if name == "val_loss" else name.removesuffix("_loss")


def _cell(name, value):
    """A cell of the printed table, right-aligned below the column's title."""
    if value is None or isinstance(value, str):
        text = value or ""
    else:
        text = str(value) if isinstance(value, int) else f"{value:.5g}"
    width = len("step") + 4 if name == "step" else max(len(_title(name)), 8) + 1
    return f" {text:>{width}}"
