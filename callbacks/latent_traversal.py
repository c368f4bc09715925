"""What each latent does to the image, while a model trains."""

import os
import statistics

import numpy as np
from PIL import Image

from keras_vae import drawing, latent_walks
from keras_vae.arguments import count, invalid, number, share
from keras_vae.callbacks.helpers.animate import animate_files, natural_order
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.model_functions import ModelFunctions
from keras_vae.callbacks.helpers.picture_callback import (
    PictureCallback,
    checked_images,
    checked_latent_dim,
)
from keras_vae.callbacks.latent_map import check_exist, checked_latents

_MOST_FRAMES = 100


class LatentTraversal(PictureCallback):
    """Decodes a grid over two latents, and one row for each latent.

    In the grid one latent varies down the rows and another along the columns; in the other picture
    each row lets one latent vary. What does not vary stays at the prior's mean 0, or at the
    posterior mean of the image `around`. Written to `FOLDER/traversals/grid/epoch_0001.png` and
    `FOLDER/traversals/latents/epoch_0001.png`, and so on; with `gif`, at the end of training also
    to `FOLDER/traversals/grid.gif` and `latents.gif`.

    With `images` the rows are sorted by the KL of each latent, the largest first, and labelled with
    it: the mean over the images of KL(N(loc, scale) || N(0, 1)), in nats. It is measured anew for
    every picture, so the order may change as the model learns. A latent near 0 nats carries
    nothing about the image, and its row does not change from left to right.

    Args:
        folder: Folder of the run.
        images: Images by which to measure the KL, `[n, height, width, channels]` or grey `[n,
            height, width]`, floating point in [0, 1]; some hundreds suffice. Defaults to `None`:
            rows in the order of the latents. So they are as well if the encoder tells no standard
            deviations.
        around: One image, `[height, width, channels]` or `[height, width]`, to traverse around.
            Defaults to `None`: around the prior's mean.
        latents: The two latents of the grid, `(rows, columns)`, counted from 0. Defaults to
            `(0, 1)`. A model with a single latent gets no grid.
        num_steps: Int. Images a side of the grid, and in a row. Defaults to `10`.
        limits: Values of a latent at both ends, in standard deviations of the prior. Defaults to
            `None`: `(-1.0, 1.0)`.
        quantiles: Instead of `limits`, the quantiles of the prior at both ends, such as `(0.05,
            0.95)`, the steps between them equally probable. Defaults to `None`.
        num_rows: Int. How many rows at most; with `images` those of the largest KL. Defaults to
            `None`: a row for each latent.
        latent_dim: Int. Number of latents, for a model that does not tell. Defaults to `None`.
        gif: Bool. Whether to animate the pictures at the end of training, of which 100 at most, at
            equal distances. It takes some 15 ms a picture. Defaults to `False`:
            `keras_vae.callbacks.helpers.animate` does it at any time.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        encode: Function from images to their codes, for a model that does not tell how. Defaults
            to `None`: see `keras_vae.callbacks.helpers.model_functions`.
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
        images=None,
        around=None,
        latents: tuple[int, int] = (0, 1),
        num_steps: int = 10,
        limits: tuple[float, float] | None = None,
        quantiles: tuple[float, float] | None = None,
        num_rows: int | None = None,
        latent_dim: int | None = None,
        gif: bool = False,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        encode=None,
        decode=None,
    ):
        super().__init__(folder, "traversals", frequency, tensorboard, encode=encode, decode=decode)
        self.images = None if images is None else checked_images(images)
        self.around = None if around is None else checked_images([around], "around")
        self.latents = checked_latents(latents)
        self.values = _values(count("num_steps", num_steps, least=2), limits, quantiles)
        self.num_rows = None if num_rows is None else count("num_rows", num_rows)
        self.latent_dim = None if latent_dim is None else count("latent_dim", latent_dim)
        self.gif = gif

    def prepare(self, functions: ModelFunctions):
        """Finds the number of latents, encodes if that is needed, and decodes once."""
        functions.require_decode()
        examples = self.around if self.images is None else self.images
        self._latent_dim = checked_latent_dim(functions, self.latent_dim, examples)
        if self._latent_dim > 1:
            check_exist(self.latents, self._latent_dim)
        for images in (self.images, self.around):
            if images is not None:
                functions.encode(images[:1])
        functions.decode(np.zeros((1, self._latent_dim), np.float32))

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """The grid over two latents, and a row for each latent."""
        centre = np.zeros(self._latent_dim, np.float32)
        if self.around is not None:
            centre = functions.encode(self.around).loc[0]
        order, labels = self._rows(functions)
        codes = latent_walks.rows(order, self.values, centre)
        pictures = {f"{self.name}/latents": drawing.image_grid(_decode(functions, codes), labels)}
        if self._latent_dim > 1:
            codes = latent_walks.grid(self.latents, self.values, centre)
            pictures[f"{self.name}/grid"] = drawing.image_grid(_decode(functions, codes))
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

    def _rows(self, functions):
        """The latents in the order of their rows, and the rows' labels."""
        order = np.arange(self._latent_dim)
        kl = None if self.images is None else functions.encode(self.images).kl()
        if kl is None:
            return order[: self.num_rows], [f"z{latent}" for latent in order[: self.num_rows]]
        order = np.argsort(-kl, kind="stable")[: self.num_rows]
        return order, [f"z{latent}  KL {kl[latent]:.2f}" for latent in order]


def _values(num_steps, limits, quantiles):
    """What a latent that varies is set to, `[num_steps]`, in the prior's standard deviations."""
    if limits is not None and quantiles is not None:
        raise ValueError(
            "Pass `limits` or `quantiles`, not both. "
            f"Received: limits={limits}, quantiles={quantiles}"
        )
    if quantiles is None:
        limits = (-1.0, 1.0) if limits is None else limits
        low, high = _ends("limits", limits, number, "two numbers, the smaller first")
        return np.linspace(low, high, num_steps, dtype=np.float32)
    expected = "two probabilities between 0 and 1, the smaller first"
    low, high = _ends("quantiles", quantiles, share, expected)
    prior = statistics.NormalDist()
    values = [prior.inv_cdf(probability) for probability in np.linspace(low, high, num_steps)]
    return np.array(values, np.float32)


def _ends(argument, ends, check, expected):
    """Both ends, checked one by one, the smaller first."""
    try:
        low, high = (check(argument, end) for end in ends)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise invalid(argument, expected, ends)
    return low, high


def _decode(functions, codes):
    """Images `[rows, columns, *event]` of codes `[rows, columns, latent]`."""
    images = functions.decode(codes.reshape(-1, codes.shape[-1]))
    return images.reshape(*codes.shape[:2], *images.shape[1:])
