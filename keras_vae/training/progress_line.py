"""Keras's progress bar, in one line of the terminal, however many losses there are."""

import shutil
import sys

import keras

# Which numbers come first, where there is no room for all.
_FIRST = ("loss", "kl_loss", "elbo", "reconstruction_loss")
_BAR, _SHORT_BAR = 20, 10
# What stands beside bar and count: the time left, and what a step takes.
_TIMES = len(" 59:59 999ms/step")


class ProgressLine(keras.callbacks.ProgbarLogger):
    """Shows what Keras's own bar shows, but no more numbers at a time than fit into the line.

    A line that is longer than the terminal is wide cannot be drawn anew, and Keras leaves one
    behind at every look. While an epoch lasts the first of its numbers are shown; at its end the
    others follow below, none of them broken.
    """

    def on_train_begin(self, logs=None):
        """Validation within `fit` is silent."""
        self._is_training = True

    def on_test_begin(self, logs=None):
        """Begins a bar."""
        if not self._in_fit:
            self._begin()

    def on_epoch_begin(self, epoch, logs=None):
        """Begins a bar."""
        if self.epochs > 1:
            print(f"Epoch {epoch + 1}/{self.epochs}")
        self._begin()

    def on_train_batch_end(self, batch, logs=None):
        """Draws what fits."""
        self._draw(batch + 1, logs or {})

    def on_test_batch_end(self, batch, logs=None):
        """Draws what fits."""
        if not self._in_fit:
            self._draw(batch + 1, logs or {})

    def on_epoch_end(self, epoch, logs=None):
        """Draws what fits, and writes the rest below."""
        self._end(logs or {})

    def on_test_end(self, logs=None):
        """Draws what fits, and writes the rest below."""
        if not self._in_fit:
            self._end(logs or {})

    @property
    def _in_fit(self):
        return getattr(self, "_is_training", False)

    def _begin(self):
        self.seen, self._shown = 0, None
        columns = shutil.get_terminal_size().columns
        self._columns = columns - 1  # Some terminals begin a line when the last column is written.
        self._bar = _BAR if columns > 100 else _SHORT_BAR

    def _draw(self, seen, logs, finalize=False):
        if self._shown is None:
            self._choose(logs)
            self.progbar = keras.utils.Progbar(
                self.target, width=self._bar, stateful_metrics=self._shown
            )
        self.seen = seen
        values = [(name, logs[name]) for name in self._shown if name in logs]
        self.progbar.update(seen, values, finalize=finalize)

    def _choose(self, logs):
        """Chooses what is shown until the end of the epoch, with room for a figure more of each."""
        count = f"{self.target}/{self.target} " if self.target else f"{0:7}/Unknown"
        room = self._columns - len(count) - _TIMES - (self._bar if self.target else 0)
        names = [name for name in _FIRST if name in logs]
        self._shown = []
        for name in (*names, *(name for name in logs if name not in names)):
            room -= len(f" - {_text(name, logs[name])}") + 1
            if room < 0:
                return
            self._shown.append(name)

    def _end(self, logs):
        if self.target is None and self.seen:
            self.target = self.seen
            if self._shown is not None:
                self.progbar.target = self.seen
        self._draw(self.target or self.seen, logs, finalize=True)
        line = " "
        for text in (_text(name, logs[name]) for name in logs if name not in self._shown):
            if len(line) + len(text) + 3 > self._columns and line.strip():
                print(line)
                line = " "
            line += f" - {text}"
        if line.strip():
            print(line, flush=True)


def with_progress_line(callbacks: list, verbose) -> list:
    """Callbacks, and one for the bar that Keras would draw into a terminal.

    Args:
        callbacks: As `fit` takes them, in a list.
        verbose: As `fit` takes it.
    """
    draws = verbose in (1, "auto") and keras.config.is_interactive_logging_enabled()
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    has_one = any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks)
    added = [ProgressLine()] if draws and is_terminal and not has_one else []
    return [*callbacks, *added]


def _text(name, value):
    """A number as Keras's bar writes it."""
    value = float(value)
    return f"{name}: {value:.4f}" if abs(value) > 1e-3 else f"{name}: {value:.4e}"
