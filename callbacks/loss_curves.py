"""Draws the loss and its terms while a model trains."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from keras_vae import drawing
from keras_vae.arguments import path
from keras_vae.callbacks.helpers.frequency import LOGARITHMIC, Frequency
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_table import StepTable, as_stored, checked_names
from keras_vae.callbacks.helpers.step_values import StepValues
from keras_vae.files import write_whole

NAMES = ("loss", "reconstruction_loss", "kl_loss")
_LABELS = {
    "sum": "loss  [nats an image]",
    "mean": "loss  [mean form: nats a pixel, KL in nats a latent]",
}


class LossCurves(RunCallback):
    """Draws loss, reconstruction and KL against the training step, and the rate-distortion path.

    After every epoch two charts are drawn anew:

    - `FOLDER/losses.png`: the losses against the step, both axes logarithmic (the losses' linear if
      one of them is not positive). Curves are the values of single training steps, spaced so that
      they are smooth with few points (see `ELBOLogger` for what a model tells of a step); rings are
      the validation at the epochs' ends. The axis says in what unit, if the model says what its
      losses are, as `keras_vae.VAE` does by `reduction`: nats an image for `"sum"`; for `"mean"`
      the reconstruction is in nats a pixel and the KL in nats a latent.
    - `FOLDER/rate_distortion.png`, where the model logs both: `kl_loss`, the rate, against
      `reconstruction_loss`, the distortion, at the same steps of training and at each epoch's
      validation, with diagonals of equal ELBO (Alemi et al., "Fixing a Broken ELBO", 2018, figure
      1). The start from nothing, a sixteenth of the steps, may lie beyond the axes. Both are in
      nats an image if the losses are. Those of a model that says `reduction="mean"`, `latent_dim`
      and `event_shape`, as `keras_vae.VAE` does, are means over latents and over pixels, and are
      multiplied back.

    The points are kept in `FOLDER/losses.csv`, from which a run that resumes goes on: rows of
    single steps, and rows of whole epochs, which have an epoch's number.

    Args:
        folder: Where the charts are written.
        names: Which losses, in the logs' names. Defaults to `("loss", "reconstruction_loss",
            "kl_loss")`; those that the model does not log are left out.
        frequency: At which steps the curves have points: `"logarithmic"` for twenty a decade,
            `"power_of_two"`, an int N for every N steps, or `"epoch"` for the epochs' means.
            Defaults to `"logarithmic"`.
        tensorboard: Bool. Whether the charts also go to TensorBoard, below `FOLDER/tensorboard`;
            needs the package `tensorboard`. Defaults to `False`.

    Raises:
        ValueError: If `frequency` or `names` is invalid; or, at the start of training, if another
            callback of the same `fit` writes these files too.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: At the start of training, if the folder cannot be written. A failure later is one
            warning.

    Example:
    >>> curves = keras_vae.callbacks.LossCurves("runs/mnist")
    >>> model.fit(images, validation_data=held_out, epochs=10, callbacks=[curves])
    """

    folder: Path  # There is always one.

    def __init__(
        self,
        folder: str | os.PathLike,
        names: Sequence[str] = NAMES,
        frequency: str | int = LOGARITHMIC,
        tensorboard: bool = False,
    ):
        super().__init__(path("folder", folder), tensorboard)
        self.names = checked_names(names)
        self.frequency = Frequency(frequency)
        # The rate and the distortion are kept even where their curves are not drawn.
        kept = tuple(dict.fromkeys((*self.names, *NAMES[1:])))
        columns = ("epoch", *kept, *(f"val_{name}" for name in kept))
        self._table = StepTable(self.folder / "losses.csv", columns)

    @property
    def written_files(self) -> tuple[Path, ...]:
        """The table and the charts."""
        return (self._table.path, self.folder / "losses.png", self.folder / "rate_distortion.png")

    def begin_run(self):
        """Begins to read the model's losses."""
        self._values = StepValues(self.model)
        self._charts = drawing.Chart(), drawing.Chart((520, 480))
        self._rows = []

    def before_epoch(self, epoch: int):
        """Follows Keras, which resets the model's metrics."""
        self._values.begin_epoch()

    def take_up(self, step: int):
        """Goes on with the points of the run before."""
        with self.guard(f"take up {self._table.path}"):
            self._rows = self._table.begin(step)

    def after_steps(self, before: int, now: int, logs: dict):
        """Keeps the losses of the steps that are due."""
        due = self.frequency.due(before, now)
        if due:
            with self.guard("read the model's losses"):
                for step, values in self._values.read(due, now, logs):
                    self._keep({**values, "step": step})

    def next_look(self, step: int) -> float:
        """Never: every step's losses are remembered."""
        return math.inf

    def after_epoch(self, epoch: int, logs: dict):
        """Keeps the epoch's losses and draws."""
        self._keep({**logs, "step": self.step, "epoch": epoch + 1})
        with self.guard("draw or write a chart"):
            for name, picture in self._draw():
                write_whole(self.folder / f"{name}.png", drawing.png(picture))
                if self.summaries:
                    self.summaries.image(name, picture, epoch + 1)

    def _keep(self, row):
        row = {name: row[name] for name in self._table.names if row.get(name) is not None}
        # So that a run that resumes draws the same.
        self._rows.append(as_stored(row))
        with self.guard(f"write {self._table.path}"):
            self._table.add(row)

    def _draw(self):
        """Yields the charts, `(name, picture)`."""
        epochs = [row for row in self._rows if row.get("epoch") is not None]
        steps = [row for row in self._rows if row.get("epoch") is None] or epochs
        validation = {name: _column(epochs, f"val_{name}") for name in self.names}
        yield (
            "losses",
            drawing.loss_curves(
                _column(steps, "step"),
                {name: _column(steps, name) for name in self.names},
                (_column(epochs, "step"), validation),
                chart=self._charts[0],
                ylabel=_LABELS.get(getattr(self.model, "reduction", None), "loss"),
            ),
        )
        pixels, latents = _reduced(self.model)
        paths = {}
        for label, rows, prefix in (("training", steps, ""), ("validation", epochs, "val_")):
            rate = _column(rows, f"{prefix}kl_loss", latents)
            distortion = _column(rows, f"{prefix}reconstruction_loss", pixels)
            if any(not math.isnan(x + y) for x, y in zip(rate, distortion, strict=True)):
                paths[label] = _column(rows, "step"), rate, distortion
        if "training" in paths:
            yield "rate_distortion", drawing.rate_distortion(paths, chart=self._charts[1])


def _column(rows, name, factor=1):
    """A column of the table, NaN where it is empty."""
    return [math.nan if row.get(name) is None else factor * row[name] for row in rows]


def _reduced(model):
    """Over how many pixels and latents the model's losses are means; 1 and 1 for sums."""
    if getattr(model, "reduction", None) != "mean":
        return 1, 1
    event_shape, latents = getattr(model, "event_shape", None), getattr(model, "latent_dim", None)
    return math.prod(event_shape or (1,)), latents or 1
