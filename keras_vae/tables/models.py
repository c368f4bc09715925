"""Models of tables: members of the family that take frames and give frames."""

import itertools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from keras_vae import anomaly, arguments, evaluation
from keras_vae.anomaly.attribution import beyond_usual
from keras_vae.held_out import over_batches
from keras_vae.objectives import IWAE
from keras_vae.tables import frames, networks
from keras_vae.tables.table import Table
from keras_vae.training.data_checks import DataCheck
from keras_vae.vae import VAE

SCORES: dict[str, Callable] = {
    "negative_elbo": anomaly.negative_elbo,
    "negative_log_likelihood": anomaly.negative_log_likelihood,
    "reconstruction_term": anomaly.reconstruction_term,
}


if TYPE_CHECKING:
    # It stands before a member of the family, of which it has what it calls.
    _Member = VAE
else:
    _Member = object


class TableModel(_Member):
    """What makes a member of the family one of tables; it stands before that member.

    `fit`, `evaluate`, `predict`, `embed` and all others that take images take frames, too, as do
    `keras_vae.anomaly` and `keras_vae.evaluation`; a frame is encoded once, whole. Arrays are taken
    for rows that `table.encode` gave.

    >>> class TableBetaTCVAE(TableModel, keras_vae.objectives.BetaTCVAE):
    ...     pass

    Args:
        table: A `keras_vae.tables.Table`.
        latent_dim: Int. Latents of the networks that are built. Defaults to `None`: half as many as
            columns, from 1 to 10.
        hidden_sizes: Ints. Units of the encoder's hidden layers; the decoder has them in reverse.
            Defaults to `(64, 32)`.
        activation: Of the hidden layers. Defaults to `"relu"`.
        encoder: Keras model from numbers `[batch, table.width]` as `table.encode` gives them, NaN
            where they are missing, to what any encoder returns. Defaults to `None`: an MLP.
        decoder: Keras model from codes to the parameters of `table.likelihood()`, such as
            `mlp_decoder((table.width,), latent_dim, likelihood=table.likelihood())`. Defaults to
            `None`: an MLP.
        missing: Bool. Whether values may be missing, in which case the bound is one of what is
            there. Defaults to `None`: if some were where the table was inferred.
        **kwargs: As the member of the family takes them, but for the likelihood, which follows
            from the table.

    Raises:
        ValueError: If an argument is invalid, or the networks do not fit the table.
    """

    @classmethod
    def for_data(  # type: ignore[override]  # Its columns say the rest.
        cls, x, latent_dim: int | None = None, **settings
    ):
        """A model of the table that `Table.infer` takes a frame for, which it prints.

        Args:
            x: A frame, or a dict of columns.
            latent_dim: As for the constructor. Defaults to `None`.
            **settings: Further arguments of the constructor.

        Returns:
            A model that is not compiled.

        Raises:
            ValueError: As `Table.infer` and the constructor do.
        """
        return cls(Table.infer(x), latent_dim, **settings)

    def __init__(
        self,
        table: Table,
        latent_dim: int | None = None,
        hidden_sizes=(64, 32),
        activation="relu",
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        missing: bool | None = None,
        **kwargs,
    ):
        if not isinstance(table, Table):
            raise ValueError(
                "Invalid value for argument `table`. Expected a `keras_vae.tables.Table`, such as "
                f"`Table.infer(frame)`. Received: a {type(table).__name__}"
            )
        if "likelihood" in kwargs:
            raise ValueError(
                "The likelihood follows from the table's columns. Received: likelihood="
                f"{kwargs['likelihood']!r}. Choose another by `Table.infer(frame, kinds={{name: "
                "likelihood})`."
            )
        if encoder is not None and decoder is not None and latent_dim is not None:
            raise ValueError(
                "`latent_dim` is of networks that are built here. Received: latent_dim="
                f"{latent_dim!r} with an encoder and a decoder. Leave it out."
            )
        if latent_dim is None:
            latent_dim = max(1, min(10, len(table.columns) // 2))
        missing = table.has_holes if missing is None else arguments.flag("missing", missing)
        sizes = arguments.counts("hidden_sizes", hidden_sizes)
        likelihood = table.likelihood()
        taken = getattr(encoder, "input_shape", None) if getattr(encoder, "built", False) else None
        if isinstance(taken, tuple) and taken[1:] != (table.width,):
            raise ValueError(
                "`encoder` does not fit the table. Expected: inputs of shape "
                f"{(None, table.width)}, as `table.encode` gives them. Received: {taken}"
            )
        if encoder is None:
            encoder = networks.encoder(table, latent_dim, sizes, activation, missing)
        if decoder is None:
            decoder = networks.decoder(table, likelihood, latent_dim, sizes[::-1], activation)
        super().__init__(encoder, decoder, likelihood=likelihood, missing=missing, **kwargs)
        self.table = table

    def data_check(self) -> DataCheck:
        """Frames with the table's columns, or numbers as they are encoded to."""
        return _FrameCheck(self, super().data_check())

    def encode(self, x, condition=None):
        """As `VAE.encode`, of a frame, too."""
        return super().encode(self._numbers(x) if frames.is_frame(x) else x, condition)

    def sample(
        self,
        n: int,
        seed: int | None = None,
        batch_size: int = 1024,
        condition=None,
        sampler=None,
    ):
        """New rows: samples of p(x|z) at samples of the prior, or of what a sampler draws.

        Args:
            n: Int. How many.
            seed: Int. The same seed and batches give the same rows. Defaults to `None`: new ones
                each call.
            batch_size: Int. How many pass through the decoder at once. Defaults to `1024`.
            condition: As for `encode`. Defaults to `None`.
            sampler: As for `VAE.sample`. Defaults to `None`: the prior.

        Returns:
            A frame with the columns, order and types of the one that the table was inferred from.

        Raises:
            ValueError: If `n`, `seed` or `sampler` is invalid, or the model is not built.
        """
        self._check_built("sample")
        arguments.count("n", n)
        seed = random.randrange(2**31) if seed is None else arguments.seed("seed", seed)
        z = self._drawn_codes(n, seed, sampler)
        batches = itertools.count(1)

        def rows(*batch):
            return self.decode(*batch).sample(seed=tf.constant([seed, next(batches)]))

        return self.table.decode(self._in_batches(rows, batch_size, z, condition))

    def impute(
        self,
        x,
        num_samples: int = 100,
        num_draws: int | None = None,
        seed: int | None = None,
        batch_size: int = 1024,
        condition=None,
    ):
        """Frames whose holes are filled in; what was observed stays as it is.

        Args:
            x: A frame; arrays are imputed as `VAE.impute` does.
            num_samples: Int. Codes a row; see `VAE.impute`. Defaults to `100`.
            num_draws: Int. How many frames to draw, for multiple imputation. Defaults to `None`:
                one frame, with the mean of a number given what is there, rounded where the column
                holds whole numbers, the geometric mean of a positive one, and the likeliest
                category.
            seed: Int. As for `VAE.impute`. Defaults to `None`: another each call.
            batch_size: Int. How many rows are filled in at once. Defaults to `1024`.
            condition: As for `encode`. Defaults to `None`.

        Returns:
            A frame with the index, columns and types of the one given, or with `num_draws` a list
            of so many.

        Raises:
            ValueError: As `VAE.impute`, or if the frame does not fit the table.
        """
        if not frames.is_frame(x):
            return super().impute(x, num_samples, num_draws, seed, batch_size, condition)
        numbers = super().impute(x, num_samples, num_draws, seed, batch_size, condition).numpy()
        if num_draws is None:
            return self.table.fill(x, numbers)
        return [self.table.fill(x, drawn) for drawn in numbers]

    def anomaly_score(self, frame, score: str = "negative_elbo", progress: bool = False, **kwargs):
        """How strange rows are, in nats of the numbers that they are encoded to.

        Those are standardised, and logarithms for positive columns, so that the score of a row
        does not depend on the unit of a column.

        Args:
            frame: A frame.
            score: `"negative_elbo"`, `"negative_log_likelihood"` or `"reconstruction_term"`; see
                `keras_vae.anomaly`. Defaults to `"negative_elbo"`, with eight samples.
            progress: Bool. Whether to show a progress bar. Defaults to `False`.
            **kwargs: Of that function: `num_samples`, `seed`.

        Returns:
            A series with the frame's index; greater is stranger.

        Raises:
            ValueError: If the score is unknown, or the frame does not fit the table.
        """
        arguments.one_of("score", score, SCORES)
        if score == "negative_elbo":
            kwargs = {"num_samples": 8, **kwargs}
        frame = frames.as_frame(frame)
        values = SCORES[score](self, frame, progress=progress, **kwargs)
        return frames.pandas().Series(values, index=frame.index, name=score)

    def attribution(self, frame, reference=None):
        """What each column adds to -log p(x|z) at the mean of z, in nats.

        Args:
            frame: A frame.
            reference: A frame of rows that are not strange, whose mean, over those that have a
                value, is subtracted by column. Defaults to `None`: nothing is, and a row's columns
                add up to its `"reconstruction_term"`.

        Returns:
            A frame of the table's columns with the index of the one given; greater is stranger,
            and 0 where a value is missing.

        Raises:
            ValueError: If a frame does not fit the table.
        """
        frame = frames.as_frame(frame)

        def by_column(noise_seed, rows, *condition):
            del noise_seed  # Nothing here is random.
            codes = super(TableModel, self).encode(rows, *condition).mean()
            groups = self.decode(codes, *condition).log_prob_by_group(rows)
            first = [place.start for place in self.table.groups.values()]
            values = -tf.stack([groups[name] for name in self.table.groups], axis=-1)
            return values, ~tf.math.is_nan(tf.gather(rows, first, axis=1))

        found = over_batches(by_column, self, frame, 0, progress=False)
        values = found[0]
        if reference is not None:
            usual = over_batches(by_column, self, frames.as_frame(reference), 0, progress=False)
            values = beyond_usual(*found, *usual)
        pd = frames.pandas()
        return pd.DataFrame(values, index=frame.index, columns=pd.Index(self.table.names))

    def log_likelihood(self, frame, num_samples: int = 100, seed: int = 0, progress: bool = False):
        """Log p(x) by row in the units of the frame, estimated by importance sampling.

        That of the numbers that rows are encoded to, plus what `table.log_scale` says: minus the
        logarithms of the standard deviations, and of the values of positive columns. So it compares
        with densities that others fit to the same columns. Counts, categories and booleans have
        probabilities, of which the unit does not matter; of missing values nothing is counted.

        Args:
            frame: A frame.
            num_samples: Int. Samples a row; the estimate is a lower bound that tightens with them.
                Defaults to `100`.
            seed: Int. Of the samples. Defaults to `0`.
            progress: Bool. Whether to show a progress bar. Defaults to `False`.

        Returns:
            A series with the frame's index, in nats.

        Raises:
            ValueError: As `keras_vae.evaluation.log_likelihood`.
        """
        frame = frames.as_frame(frame)
        of_numbers = evaluation.log_likelihood(
            self, frame, num_samples, seed, progress, by_example=True
        )["log_likelihood"]
        values = of_numbers + self.table.log_scale(frame)
        return frames.pandas().Series(values, index=frame.index, name="log_likelihood")

    def get_config(self) -> dict:
        """The constructor's arguments, the networks as they are."""
        config = super().get_config()
        del config["likelihood"]
        return {**config, "table": keras.saving.serialize_keras_object(self.table)}

    def _numbers(self, frame) -> np.ndarray:
        """A frame as numbers, of which some may be missing if the model was made for it."""
        rows = self.table.encode(frame)
        if not self.missing:
            is_missing = np.isnan(rows)
            if is_missing.any():
                holes = {
                    name: int(is_missing[:, place.start].sum())
                    for name, place in zip(
                        self.table.names, self.table.groups.values(), strict=True
                    )
                    if is_missing[:, place.start].any()
                }
                raise ValueError(
                    f"This model takes no missing values. Received: {holes} of them, in "
                    f"{len(rows)} rows. Build it with `missing=True`, or leave those rows out: "
                    "`frame.dropna()`."
                )
        return rows


class _FrameCheck(DataCheck):
    """The check of a model's numbers, of frames, too."""

    def __init__(self, model, check):
        super().__init__(
            check.event_shape,
            check.lower,
            check.upper,
            check.check_labels,
            check.requirements,
            check.missing,
        )
        self._numbers = model._numbers

    def wrap_images(self, x, **kwargs):
        return super().wrap_images(self._numbers(x) if frames.is_frame(x) else x, **kwargs)

    def wrap(self, data):
        if frames.is_frame(data):
            data = self._numbers(data)
        elif isinstance(data, list | tuple) and data and frames.is_frame(data[0]):
            data = (self._numbers(data[0]), *data[1:])
        return super().wrap(data)


@keras.saving.register_keras_serializable(package="keras_vae")
class TableVAE(TableModel, VAE):
    """A VAE of the rows of a table; see `TableModel` for its arguments and `VAE` for its loss.

    Example:
    >>> vae = TableVAE(Table.infer(frame), latent_dim=8)
    >>> vae.compile(keras.optimizers.Adam(1e-3))
    >>> vae.fit(frame, epochs=100)
    >>> vae.sample(1000)
    """


@keras.saving.register_keras_serializable(package="keras_vae")
class TableIWAE(TableModel, IWAE):
    """An IWAE of the rows of a table; where values are missing, the MIWAE of Mattei & Frellsen.

    See `TableModel` and `keras_vae.objectives.IWAE`, of which `num_samples` and `gradient` are.
    """
