"""What each latent does to the image, while a model trains."""

import os

import numpy as np
from PIL import Image

from keras_vae.arguments import flag
from keras_vae.callbacks.helpers.animate import animate_files, natural_order
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import PictureCallback
from keras_vae.model_functions import ModelFunctions
from keras_vae.visualize import Traversal

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
        self.traversal = Traversal(
            images,
            around,
            latents,
            num_steps,
            limits,
            quantiles,
            grid_limits,
            num_rows,
            latent_dim,
        )
        self.gif = flag("gif", gif)

    def prepare(self, functions: ModelFunctions):
        """Finds the number of latents, encodes if that is needed, and decodes once."""
        self.traversal.prepare(functions)

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """A row for each latent, and the grid over two latents."""
        pictures = self.traversal.draw(functions)
        return {f"{self.name}/{kind}": picture for kind, picture in pictures.items()}

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
