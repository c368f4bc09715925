"""What each latent does to the image, while a model trains."""

import math
import os
import statistics
import warnings

import numpy as np
from PIL import Image

from keras_vae import drawing, latent_walks
from keras_vae.arguments import count, flag, invalid, number, share
from keras_vae.callbacks.helpers.animate import animate_files, natural_order
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import (
    PictureCallback,
    checked_inputs,
    checked_latent_dim,
)
from keras_vae.callbacks.latent_map import check_exist, checked_latents
from keras_vae.model_functions import ModelFunctions

_LIMITS = (-2.5, 2.5)
_NUM_SAMPLES = 64
_MOST_FRAMES = 100


class LatentTraversal(PictureCallback):
    """Decodes one row for each latent, and a grid over two.

    In a row one latent varies; in the grid one varies down the rows and another along the columns.
    What does not vary stays at the prior's mean 0, or at the posterior mean of the image `around`.
    Series are drawn as lines and rows of a table as bars, between the least and the greatest value
    of the picture, which its title tells.
    Written to `FOLDER/traversals/latents/epoch_0001.png` and `FOLDER/traversals/grid/
    epoch_0001.png`, and so on; with `gif`, at the end of training also to
    `FOLDER/traversals/latents.gif` and `grid.gif`.

    Rows are sorted by the KL of each latent, the largest first, and labelled with it: the mean over
    images of KL(N(loc, scale) || N(0, 1)), in nats. A latent near 0 nats carries nothing about the
    image, and its row does not change from left to right. Without `images` it is measured on what
    the model makes itself: 64 codes of the prior, the same every time, are decoded and encoded
    again. That needs no data, and tells which latents the decoder and the encoder use; the KL of
    real images is that of `images`. It is measured anew for every picture, so the order may change
    as the model learns. Where no encoder is found, or it tells no standard deviations, rows are in
    the order of the latents.

    Args:
        folder: Folder of the run.
        images: Images by which to measure the KL, `[n, *event]`, floating point, as the encoder
            takes them; some hundreds suffice. Defaults to `None`: see above.
        around: One image, `[*event]`, to traverse around. Defaults to `None`: around the prior's
            mean.
        latents: The two latents of the grid, `(rows, columns)`, counted from 0. Defaults to
            `None`: the two of the largest KL, or `(0, 1)` where it is not known. A model with a
            single latent gets no grid.
        num_steps: Int. Images a side of the grid, and in a row. Defaults to `10`.
        limits: Values of a latent at both ends, in standard deviations of the prior. Defaults to
            `None`: `(-2.5, 2.5)`, between which 99% of the prior lie.
        quantiles: Instead of `limits`, the quantiles of the prior at both ends, such as `(0.05,
            0.95)`, the steps between them equally probable. Defaults to `None`.
        grid_limits: As `limits`, of the grid alone. Defaults to `None`: as the rows.
        num_rows: Int. How many rows at most, the first of them. Defaults to `None`: a row for each
            latent.
        latent_dim: Int. Number of latents, for a model that does not tell. Defaults to `None`.
        gif: Bool. Whether to animate the pictures at the end of training, of which 100 at most, at
            equal distances. It takes some 15 ms a picture. Defaults to `False`:
            `keras_vae.callbacks.helpers.animate` does it at any time.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        encode: Function from images to their codes, for a model that does not tell how. Defaults
            to `None`: see `keras_vae.model_functions`.
        decode: Function from codes `[n, latent]` to images. Defaults to `None`, likewise.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if the model has no such
            latent, no decoder is found, or images do not fit.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> traversal = keras_vae.callbacks.LatentTraversal("runs/mnist", images=test_images[:500])
    >>> model.fit(images, callbacks=[traversal])
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        *,
        images=None,
        around=None,
        latents: tuple[int, int] | None = None,
        num_steps: int = 10,
        limits: tuple[float, float] | None = None,
        quantiles: tuple[float, float] | None = None,
        grid_limits: tuple[float, float] | None = None,
        num_rows: int | None = None,
        latent_dim: int | None = None,
        gif: bool = False,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        encode=None,
        decode=None,
    ):
        super().__init__(folder, "traversals", frequency, tensorboard, encode=encode, decode=decode)
        self.images = None if images is None else checked_inputs(images)
        self.around = None if around is None else checked_inputs([around], "around")
        self.latents = None if latents is None else checked_latents(latents)
        num_steps = count("num_steps", num_steps, least=2)
        self.values = _values(num_steps, limits, quantiles)
        self.grid_values = self.values
        if grid_limits is not None:
            self.grid_values = _evenly("grid_limits", grid_limits, num_steps)
        self.num_rows = None if num_rows is None else count("num_rows", num_rows)
        self.latent_dim = None if latent_dim is None else count("latent_dim", latent_dim)
        self.gif = flag("gif", gif)

    def prepare(self, functions: ModelFunctions):
        """Finds the number of latents, encodes if that is needed, and decodes once."""
        functions.require_decode()
        examples = self.around if self.images is None else self.images
        self._latent_dim = checked_latent_dim(functions, self.latent_dim, examples)
        if self._latent_dim > 1:
            check_exist(self.latents or (0, 1), self._latent_dim)
        for images in (self.images, self.around):
            if images is not None:
                functions.encode(images[:1])
        functions.decode(np.zeros((1, self._latent_dim), np.float32))
        self._measures = self.images is not None or self._encodes_own_samples(functions)

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """A row for each latent, and the grid over two latents."""
        centre, rest = np.zeros(self._latent_dim, np.float32), "0"
        if self.around is not None:
            centre, rest = functions.encode(self.around).loc[0], "the code of an image"
        kl = self._kl(functions) if self._measures else None
        order = np.arange(self._latent_dim) if kl is None else np.argsort(-kl, kind="stable")
        rows = order[: self.num_rows]
        measured = f"{_NUM_SAMPLES} samples of the model"
        if self.images is not None:
            measured = f"{len(self.images)} images"
        sorting = "in their order"
        if kl is not None:
            sorting = f"the largest KL first (nats, mean over {measured})"
        pictures = {
            f"{self.name}/latents": drawing.event_grid(
                _decode(functions, latent_walks.rows(rows, self.values, centre)),
                [_named(latent, kl) for latent in rows],
                title=f"One latent a row, {sorting}; the others stay at {rest}",
                column_labels=_written(self.values),
                column_title="value of the row's latent, in standard deviations of the prior",
            )
        }
        if self._latent_dim > 1:
            latents = self.latents or tuple(order[:2].tolist())
            chosen = ", those of the largest KL" if self.latents is None and kl is not None else ""
            values = _written(self.grid_values)
            down, along = (_named(latent, kl) for latent in latents)
            pictures[f"{self.name}/grid"] = drawing.event_grid(
                _decode(functions, latent_walks.grid(latents, self.grid_values, centre)),
                values,
                title=f"Two latents at once{chosen}; the others stay at {rest}",
                column_labels=values,
                row_title=down,
                column_title=f"{along}    (values in standard deviations of the prior)",
            )
        return pictures

    def end_run(self):
        """Animates the pictures, if that was asked for."""
        for last in self.last_pictures.values() if self.gif else ():
            with self.guard("animate the pictures"):
                kind = last.stem.split("_")[0]
                # Later pictures are those of a longer run that wrote to this folder before.
                end = natural_order(last)
                paths = [path for path in last.parent.glob(f"{kind}_*.png")]
                paths = sorted((p for p in paths if natural_order(p) <= end), key=natural_order)
                chosen = np.linspace(0, len(paths) - 1, min(len(paths), _MOST_FRAMES), dtype=int)
                animate_files([paths[index] for index in chosen], last.parent.with_suffix(".gif"))

    def _kl(self, functions):
        """KL of each latent over the images or the model's own, `None` if it is not known."""
        images = self.images
        if images is None:
            shape = (_NUM_SAMPLES, self._latent_dim)
            images = functions.decode(np.random.default_rng(0).standard_normal(shape, np.float32))
        return functions.encode(images).kl()

    def _encodes_own_samples(self, functions):
        """Whether the encoder takes what the decoder makes; without an encoder there is no KL."""
        if not functions.encodes:
            return False
        try:
            kl = self._kl(functions)
        except ValueError as error:
            warnings.warn(
                "LatentTraversal cannot encode what the model decodes, so its rows are in the "
                "order of the latents. Pass `images=` to have them sorted by their KL, or "
                f"`encode=`. {error}",
                stacklevel=2,
            )
            return False
        return kl is None or len(kl) == self._latent_dim


def _values(num_steps, limits, quantiles):
    """What a latent that varies is set to, `[num_steps]`, in the prior's standard deviations."""
    if limits is not None and quantiles is not None:
        raise ValueError(
            "Pass `limits` or `quantiles`, not both. "
            f"Received: limits={limits}, quantiles={quantiles}"
        )
    if quantiles is None:
        return _evenly("limits", _LIMITS if limits is None else limits, num_steps)
    expected = "two probabilities between 0 and 1, the smaller first"
    low, high = _ends("quantiles", quantiles, share, expected)
    prior = statistics.NormalDist()
    values = [prior.inv_cdf(probability) for probability in np.linspace(low, high, num_steps)]
    return np.array(values, np.float32)


def _evenly(argument, limits, num_steps):
    """Values `[num_steps]` at equal distances."""
    low, high = _ends(argument, limits, number, "two numbers, the smaller first")
    return np.linspace(low, high, num_steps, dtype=np.float32)


def _ends(argument, ends, check, expected):
    """Both ends, checked one by one, the smaller first."""
    try:
        low, high = (check(argument, end) for end in ends)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise invalid(argument, expected, ends)
    return low, high


def _named(latent, kl):
    """A latent's name, and its KL where that is known."""
    return f"z{latent}" if kl is None else f"z{latent}  KL {kl[latent]:.2f}"


def _written(values):
    """Values as labels, with as many decimals as their distance needs."""
    decimals = max(1, -math.floor(math.log10(values[1] - values[0])))
    return [f"{value:.{decimals}f}" for value in values]


def _decode(functions, codes):
    """Images `[rows, columns, *event]` of codes `[rows, columns, latent]`."""
    images = functions.decode(codes.reshape(-1, codes.shape[-1]))
    return images.reshape(*codes.shape[:2], *images.shape[1:])
