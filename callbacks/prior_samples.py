"""What a model makes of the same draws from the prior, while it trains."""

import os
from typing import Any

from PIL import Image

from keras_vae import arguments, visualize
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import PictureCallback
from keras_vae.model_functions import ModelFunctions


class PriorSamples(PictureCallback):
    """Decodes the same codes at every chosen epoch or step.

    The codes are drawn from N(0, I) once, by a generator of their own that neither the model nor
    anything else draws from, so pictures compare from epoch to epoch and between models of as many
    latents. Written to `FOLDER/prior_samples/epoch_0001.png` and so on, as close to a square as
    `num_images` allows, row by row. Series are drawn as lines and rows of a table as bars, between
    the least and the greatest value of the picture, which its title tells.

    Args:
        folder: Folder of the run.
        num_images: Int. How many codes. Defaults to `64`.
        seed: Int. Seed of `numpy.random.default_rng`. Defaults to `0`.
        latent_dim: Int. Number of latents, for a model that does not tell. Defaults to `None`.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        decode: Function from codes `[n, latent]` to images, for a model that does not tell how.
            Defaults to `None`: see `keras_vae.model_functions`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if no decoder is found.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> model.fit(images, callbacks=[keras_vae.callbacks.PriorSamples("runs/mnist")])
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        num_images: int = 64,
        seed: int = 0,
        latent_dim: int | None = None,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        decode=None,
    ):
        super().__init__(folder, "prior_samples", frequency, tensorboard, decode=decode)
        self.num_images = arguments.count("num_images", num_images)
        self.seed = arguments.seed("seed", seed)
        self.latent_dim = None if latent_dim is None else arguments.count("latent_dim", latent_dim)
        self.codes: Any = None

    def prepare(self, functions: ModelFunctions):
        """Draws the codes, and decodes one of them."""
        self.codes = visualize.prior_codes(functions, self.num_images, self.seed, self.latent_dim)
        functions.decode(self.codes[:1])

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """The decoded codes in rows."""
        return {self.name: visualize.in_a_square(functions.decode(self.codes))}
