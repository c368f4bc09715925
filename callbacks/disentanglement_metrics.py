"""How well the latents are the factors of the images, while a model trains."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_vae import arguments
from keras_vae.callbacks.helpers.picture_callback import check_order
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_table import StepTable
from keras_vae.disentanglement.evaluate import draw_batches
from keras_vae.disentanglement.measurements import Points, chosen, measure, varying
from keras_vae.model_functions import ModelFunctions


class DisentanglementMetrics(RunCallback):
    """Scores the model's posterior means against the known factors of fixed images.

    At the end of an epoch it adds the headline number of each metric to `logs`, by the metric's
    name, such as `mutual_information_gap`, so that callbacks placed after it in the list, such as
    `EarlyStopping`, `ModelCheckpoint` or `CSVLogger`, can use them, and Keras's history and
    progress bar show them. `keras_vae.disentanglement` says what each means and what it misses;
    `keras_vae.disentanglement.evaluate` has all numbers of a trained model.

    The images are drawn once and stay in memory. Scores depend on how many they are: those of
    2,000 points are for the comparison of epochs, not with published ones.

    With a folder it writes `FOLDER/disentanglement.csv`, one row a measurement. A run that resumes
    goes on with it.

    Args:
        data: A factor data set, such as those of `keras_vae.datasets.factors`, or a pair
            `(images, factors)` of arrays. Factors of one value are left out.
        folder: Where the CSV is written. Defaults to `None`: it is not.
        metrics: Names of metrics, or a dict of names and arguments. `dci` and `sap_score` take
            longest. Defaults to `("mutual_information_gap", "factor_vae_score")`.
        every: Int. Measures after every so many epochs, and after the first of a run. In between
            `logs` hold the last measurement. Defaults to `1`.
        num_points: Int. Images, of which metrics that train a classifier test on a third. Defaults
            to `2000`.
        seed: Int. Of the images and the metrics, the same in every epoch. Nothing is drawn from the
            model's random generators. Defaults to `0`.
        tensorboard: Bool. Whether the numbers also go to TensorBoard, below `FOLDER/tensorboard`;
            needs the package `tensorboard`. Defaults to `False`.
        encode: Function from images to codes, for a model that does not tell how. Defaults to
            `None`: see `keras_vae.model_functions`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if no encoder is found or
            a metric cannot be had of these data: all are measured once before the first step.
        ImportError: If `tensorboard` is asked for and not installed, or at the start of training if
            a metric needs scikit-learn and it is not.
        OSError: At the start of training, if the folder cannot be written. A failure later is one
            warning.

    Example:
    >>> data = keras_vae.datasets.factors.load("sprites")
    >>> metrics = keras_vae.callbacks.DisentanglementMetrics(data, "runs/sprites", every=5)
    >>> model.fit(images, epochs=100, callbacks=[metrics])
    """

    def __init__(
        self,
        data,
        folder: str | os.PathLike | None = None,
        metrics: Sequence[str] | Mapping[str, Mapping] = (
            "mutual_information_gap",
            "factor_vae_score",
        ),
        every: int = 1,
        num_points: int = 2000,
        seed: int = 0,
        tensorboard: bool = False,
        encode=None,
    ):
        check_order(data, folder)
        super().__init__(folder, tensorboard, encode=encode)
        self.metrics = chosen(metrics)
        self.every = arguments.count("every", every)
        self.num_points = arguments.count("num_points", num_points, least=4)
        self.seed = arguments.seed("seed", seed)
        self._data = data
        self._images = None

    @property
    def written_files(self) -> tuple[Path, ...]:
        """The table."""
        return () if self.folder is None else (self.folder / "disentanglement.csv",)

    def begin_run(self):
        """Draws the images, and forgets the measurements of the run before."""
        self._table = None
        self._last = {}
        if self._images is None:
            drawn = draw_batches(self._data, self.num_points, self.seed)
            factors, images = zip(*drawn, strict=True)
            self._factors, _ = varying(np.concatenate(factors), None)
            self._images = np.concatenate(images)

    def prepare(self, functions: ModelFunctions):
        """Measures once, to see that images and metrics fit."""
        self._measure(functions)
        if self.folder is not None:
            path = self.folder / "disentanglement.csv"
            self._table = StepTable(path, ("epoch", *self.metrics))

    def take_up(self, step: int):
        """Goes on with the rows of the run before."""
        if self._table is not None:
            with self.guard(f"take up {self._table.path}"):
                self._table.begin(step)

    def after_epoch(self, epoch: int, logs: dict):
        """Measures, and adds the scores to `logs`."""
        if (epoch + 1) % self.every == 0 or not self._last:
            with self.guard("measure the codes"):
                self._last = self._measure(self.functions)
                if self._table is not None:
                    with self.guard(f"write {self._table.path}"):
                        self._table.add({"step": self.step, "epoch": epoch + 1, **self._last})
                if self.summaries:
                    self.summaries.scalars(self._last, self.step)
        logs.update(self._last)

    def _measure(self, functions):
        """`{name: score}`."""
        posterior = functions.encode(self._images)
        points = Points(*posterior, self._factors, 1 / 3, self.num_points)
        return {
            name: float(measure(name, given, points, self.seed)["score"])
            for name, given in self.metrics.items()
        }
