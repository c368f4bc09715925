"""How much a model's code tells about the images, while it trains."""

import os
import warnings
from pathlib import Path

import numpy as np

from keras_vae import arguments, drawing, latent_measures
from keras_vae.callbacks.helpers.picture_callback import check_order
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_table import StepTable
from keras_vae.files import write_whole
from keras_vae.model_functions import ModelFunctions

_SCALARS = ("active_units", "latent_kl", "mutual_information", "marginal_kl")


class LatentStatistics(RunCallback):
    """Measures active units, KL per latent and mutual information on fixed, held-out images.

    At the end of an epoch it adds to `logs`, so that callbacks placed after it in the list, such as
    `EarlyStopping`, `ModelCheckpoint`, `CSVLogger` or `ELBOLogger(frequency="epoch")`, can use
    them, and Keras's history and progress bar show them:

    - `active_units`: the number of latents with Var_x(E[z|x]) > `threshold` over the images (Burda
      et al., "Importance Weighted Autoencoders", 2016, section 5.2). It depends on the images and,
      a little, on how many they are: state that number with it.
    - `latent_kl`: KL(q(z|x) || p(z)) in nats an image, in closed form for q = N(loc, scale^2) and
      p = N(0, 1), the mean over the images and the sum over latents.
    - `mutual_information`: an estimate of I(x; z) in nats (Hoffman & Johnson, "ELBO surgery", 2016)
      with one sample an image and the aggregate posterior q(z) over the images. Biased low, and
      never above log n for n images, which 10 latents soon reach: the mutual information over all
      the data lies between this and `latent_kl`. The time it takes grows as n^2.
    - `marginal_kl`: `latent_kl - mutual_information`, an estimate of KL(q(z) || p(z)), biased high.

    An encoder that gives no scale, such as a plain autoencoder's, has `active_units` only.

    With a folder it writes `FOLDER/latent_statistics.csv`, one row an epoch, with these numbers and
    each latent's `kl_0`, `kl_1`, ... in nats and `variance_0`, ... of its mean; and
    `FOLDER/latent_kl.png`, the KL of each latent over the epochs. A run that resumes goes on with
    both.

    It warns once if the posterior collapses: at the end of an epoch no latent is active.

    Args:
        images: `[n, *event]`, at least 2, as the encoder takes them. A few hundred to a few
            thousand, not trained on.
        folder: Where the CSV and the heat map are written. Defaults to `None`: neither is.
        every: Int. Measures after every so many epochs, and after the first of a run. In between
            `logs` hold the last measurement. Defaults to `1`.
        threshold: Float. Variance of a latent's mean above which it is active. Defaults to `0.01`.
        seed: Int. Of the sample that `mutual_information` takes, the same in every epoch. Nothing
            is drawn from the model's random generators. Defaults to `0`.
        tensorboard: Bool. Whether the numbers and the heat map also go to TensorBoard, below
            `FOLDER/tensorboard`; needs the package `tensorboard`. Defaults to `False`.
        encode: Function from images to codes, for a model that does not tell how. Defaults to
            `None`: see `keras_vae.model_functions`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if no encoder is found or
            it does not take the images.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: At the start of training, if the folder cannot be written. A failure later is one
            warning.

    Example:
    >>> statistics = keras_vae.callbacks.LatentStatistics(test_images[:1000], "runs/mnist")
    >>> stop = keras.callbacks.EarlyStopping("active_units", mode="max", patience=5)
    >>> model.fit(images, epochs=100, callbacks=[statistics, stop])
    """

    def __init__(
        self,
        images,
        folder: str | os.PathLike | None = None,
        every: int = 1,
        threshold: float = 0.01,
        seed: int = 0,
        tensorboard: bool = False,
        encode=None,
    ):
        check_order(images, folder)
        super().__init__(folder, tensorboard, encode=encode)
        self.images = np.asarray(images)
        if self.images.ndim < 2 or len(self.images) < 2:
            raise ValueError(
                "Invalid value for argument `images`. Expected at least 2 images, [n, *event]. "
                f"Received: shape {self.images.shape}"
            )
        self.every = arguments.count("every", every)
        self.threshold = arguments.number("threshold", threshold, least=0.0)
        self.seed = arguments.seed("seed", seed)

    @property
    def written_files(self) -> tuple[Path, ...]:
        """The table and the heat map."""
        if self.folder is None:
            return ()
        return (self.folder / "latent_statistics.csv", self.folder / "latent_kl.png")

    def begin_run(self):
        """Forgets the measurements of the run before."""
        self._table = None
        self._history = []
        self._last = {}
        self._warned_of_collapse = False

    def prepare(self, functions: ModelFunctions):
        """Encodes once, to see that the images fit and how many latents there are."""
        self._latent_dim = functions.encode(self.images[:2]).loc.shape[-1]
        if self.folder is not None:
            columns = ("epoch", *_SCALARS, *self._names("kl"), *self._names("variance"))
            self._table = StepTable(self.folder / "latent_statistics.csv", columns)

    def take_up(self, step: int):
        """Goes on with the rows of the run before."""
        if self._table is not None:
            with self.guard(f"take up {self._table.path}"):
                self._history = self._table.begin(step)

    def after_epoch(self, epoch: int, logs: dict):
        """Measures, and adds what it measured to `logs`."""
        if (epoch + 1) % self.every == 0 or not self._last:
            with self.guard("measure the codes"):
                scalars, by_latent = self._measure()
                self._last = scalars
                self._warn_of_collapse(scalars, by_latent)
                self._write({"step": self.step, "epoch": epoch + 1, **scalars, **by_latent})
        logs.update(self._last)

    def _names(self, of):
        return [f"{of}_{latent}" for latent in range(self._latent_dim)]

    def _measure(self):
        """What enters the logs, and what is known of each latent, as `{name: number}`."""
        posterior = self.functions.encode(self.images)
        variance = latent_measures.variance_of_means(posterior.loc)
        scalars = {"active_units": latent_measures.active_units(variance, self.threshold)}
        by_latent = dict(zip(self._names("variance"), variance.tolist(), strict=True))
        if posterior.scale is not None:
            kl = posterior.kl()
            noise = np.random.default_rng(self.seed).standard_normal(posterior.loc.shape)
            information = latent_measures.mutual_information(*posterior, noise)
            scalars["latent_kl"] = float(kl.sum())
            scalars["mutual_information"] = information
            scalars["marginal_kl"] = scalars["latent_kl"] - information
            by_latent.update(zip(self._names("kl"), kl.tolist(), strict=True))
        return scalars, by_latent

    def _warn_of_collapse(self, scalars, by_latent):
        # A code without a scale is no posterior, and may be small and tell everything.
        if scalars["active_units"] or "latent_kl" not in scalars or self._warned_of_collapse:
            return
        self._warned_of_collapse = True
        largest = max(by_latent[name] for name in self._names("variance"))
        warnings.warn(
            f"The posterior has collapsed: none of {self._latent_dim} latents is active. The "
            f"variance of the latents' means over {len(self.images)} images is at most "
            f"{largest:.2g}, and active is what is above {self.threshold:g}, so the code tells "
            f"next to nothing about the image (KL {scalars['latent_kl']:.2g} nats). Lower beta, "
            "let it rise from 0 with `keras_vae.callbacks.BetaSchedule`, or weaken the decoder.",
            stacklevel=2,
        )

    def _write(self, row):
        if self.folder is None:
            return
        self._history.append(row)
        with self.guard(f"write {self._table.path}"):
            self._table.add(row)
        with self.guard("draw or write the heat map"):
            picture = self._draw()
            if picture is not None:
                write_whole(self.folder / "latent_kl.png", drawing.png(picture))
            if self.summaries:
                scalars = {name: row.get(name) for name in _SCALARS}
                self.summaries.scalars(scalars, row["step"])
                if picture is not None:
                    self.summaries.image("latent_kl", picture, row["epoch"])

    def _draw(self):
        names = self._names("kl")
        rows = [row for row in self._history if row.get(names[0]) is not None]
        if not rows:
            return None
        values = [[row[name] for name in names] for row in rows]
        epochs = [row["epoch"] for row in rows]
        return drawing.heat_map(epochs, values, "KL(q(z|x) || p(z)) in nats")
