"""Originals above their reconstructions, while a model trains."""

import os

import numpy as np
from PIL import Image

from keras_vae import visualize
from keras_vae.arguments import flag
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import PictureCallback, check_order
from keras_vae.drawn_inputs import checked_events
from keras_vae.model_functions import ModelFunctions


class ReconstructionGrid(PictureCallback):
    """Draws the same examples above their reconstructions at every chosen epoch or step.

    Images are drawn as such: 0 is black and 1 is white in every picture. Series are drawn as lines
    and rows of a table as bars, between the least and the greatest value of the examples. Nothing
    is normalised by example, so pictures compare from epoch to epoch. Written to
    `FOLDER/reconstructions/epoch_0001.png` and so on.

    Args:
        images: `[n, height, width, channels]`, floating point in [0, 1], 1 or 3 channels; grey
            `[n, height, width]`; series `[n, time, features]` of up to 7 features, and at least
            twice as many steps; or rows `[n, columns]` of up to 64. NaN is what was not observed.
        folder: Folder of the run.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        error_row: Bool. Whether a third row shows the absolute error. Defaults to `False`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        reconstruct: Function from images to reconstructions, for a model that does not tell how.
            Defaults to `None`: see `keras_vae.model_functions`.
        encode: Function from images to their codes, used with `decode` where there is no
            `reconstruct`. Defaults to `None`, likewise.
        decode: Function from codes `[n, latent]` to images. Defaults to `None`, likewise.

    Raises:
        ValueError: If the images are nothing that can be drawn, or at the start of training if they
            do not fit the model.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> grid = keras_vae.callbacks.ReconstructionGrid(test_images[:10], "runs/mnist")
    >>> model.fit(images, callbacks=[grid])
    """

    def __init__(
        self,
        images,
        folder: str | os.PathLike,
        frequency: str | int = EPOCH,
        error_row: bool = False,
        tensorboard: bool = False,
        reconstruct=None,
        encode=None,
        decode=None,
    ):
        check_order(images, folder)
        super().__init__(
            folder,
            "reconstructions",
            frequency,
            tensorboard,
            reconstruct=reconstruct,
            encode=encode,
            decode=decode,
        )
        self.images = checked_events(images)
        self.error_row = flag("error_row", error_row)

    def prepare(self, functions: ModelFunctions):
        """Reconstructs once, to see that the images fit."""
        functions.reconstruct(self.images[:1])
        has_holes = np.isnan(self.images).reshape(len(self.images), -1).any(axis=1)
        if has_holes.any():
            found = functions.reconstruct(self.images[has_holes][:1])
            if np.isnan(found).any():
                raise ValueError(
                    "`images` have NaN, and the model's reconstructions of them are NaN. Fill the "
                    "holes, or train a model that takes them, `keras_vae.VAE(missing=True)`."
                )

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """Originals, reconstructions, and their absolute difference if asked for."""
        return {self.name: visualize.reconstructions(functions, self.images, self.error_row)}
