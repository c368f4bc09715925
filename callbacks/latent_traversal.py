"""What each latent does to the image, while a model trains."""

import os

import numpy as np
from PIL import Image

from keras_vae import visualize
from keras_vae.callbacks.frequency import EPOCH
from keras_vae.callbacks.model_functions import ModelFunctions
from keras_vae.callbacks.picture_callback import PictureCallback


class LatentTraversal(PictureCallback):
    """Decodes a grid over two latents, and one row for each latent.

    The grid holds all other latents at 0 and lets one latent vary along the columns and another
    along the rows. In the other picture each row lets one latent vary, with all others at 0.
    Written to `FOLDER/traversals/grid/epoch_0001.png` and
    `FOLDER/traversals/latents/epoch_0001.png`, and so on.

    Args:
        folder: Folder of the run.
        latents: The two latents of the grid, `(rows, columns)`. Defaults to `(0, 1)`.
        num_steps: Int. Images a side of the grid, and in a row. Defaults to `10`.
        limits: Range of a latent that varies, in standard deviations of the prior. Defaults to
            `(-1.0, 1.0)`.
        latent_dim: Int. Number of latents, for a model that does not tell. Defaults to `None`.
        frequency: `"epoch"`, an int N for every N steps, or `"power_of_two"`. Defaults to
            `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        decode: Function from codes `[n, latent]` to images, for a model that does not tell how.
            Defaults to `None`: see `keras_vae.callbacks.model_functions`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if the model has no such
            latent or no decoder is found.
        OSError: At the start of training, if the folder cannot be written.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        latents: tuple[int, int] = (0, 1),
        num_steps: int = 10,
        limits: tuple[float, float] = (-1.0, 1.0),
        latent_dim: int | None = None,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        decode=None,
    ):
        super().__init__(folder, "traversals", frequency, tensorboard, decode=decode)
        if len(latents) != 2 or latents[0] == latents[1] or min(latents) < 0:
            raise ValueError(
                "Invalid value for argument `latents`. Expected two different latents, counted "
                f"from 0. Received: latents={latents}"
            )
        if num_steps < 2:
            raise ValueError(
                "Invalid value for argument `num_steps`. Expected at least 2. "
                f"Received: num_steps={num_steps}"
            )
        self.latents = tuple(latents)
        self.values = np.linspace(*limits, num_steps, dtype=np.float32)
        self.latent_dim = latent_dim

    def prepare(self, functions: ModelFunctions):
        """Finds the number of latents and decodes once."""
        functions.require_decode()
        if self.latent_dim is None:
            self.latent_dim = functions.latent_dim()
        if self.latent_dim is None:
            raise ValueError("The model does not tell how many latents it has. Pass `latent_dim=`.")
        if max(self.latents) >= self.latent_dim > 1:
            raise ValueError(
                f"There is no latent {max(self.latents)} in a model with {self.latent_dim} "
                f"latents, counted from 0. Received: latents={self.latents}"
            )
        functions.decode(np.zeros((1, self.latent_dim), np.float32))

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """The grid over two latents, and a row for each latent."""
        rows = np.stack([self._along(latent) for latent in range(self.latent_dim)])
        labels = [f"z{latent}" for latent in range(self.latent_dim)]
        pictures = {f"{self.name}/latents": visualize.image_grid(_decode(functions, rows), labels)}
        if self.latent_dim > 1:
            first, second = self.latents
            grid = self._along(first)[:, None] + self._along(second)[None, :]
            pictures[f"{self.name}/grid"] = visualize.image_grid(_decode(functions, grid))
        return pictures

    def _along(self, latent):
        """Codes `[num_steps, latent_dim]` in which one latent varies."""
        codes = np.zeros((len(self.values), self.latent_dim), np.float32)
        codes[:, latent] = self.values
        return codes


def _decode(functions, codes):
    """Images `[rows, columns, *event]` of codes `[rows, columns, latent]`."""
    images = functions.decode(codes.reshape(-1, codes.shape[-1]))
    return images.reshape(*codes.shape[:2], *images.shape[1:])
