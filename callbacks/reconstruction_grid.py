"""Originals above their reconstructions, while a model trains."""

import os

import numpy as np
from PIL import Image

from keras_vae import visualize
from keras_vae.callbacks.frequency import EPOCH
from keras_vae.callbacks.model_functions import ModelFunctions
from keras_vae.callbacks.picture_callback import PictureCallback


class ReconstructionGrid(PictureCallback):
    """Draws the same images above their reconstructions at every chosen epoch or step.

    0 is black and 1 is white in every picture: nothing is normalised by image, so pictures compare
    from epoch to epoch. Written to `FOLDER/reconstructions/epoch_0001.png` and so on.

    Args:
        images: `[n, height, width, channels]`, floating point in [0, 1], 1 or 3 channels.
        folder: Folder of the run.
        frequency: `"epoch"`, an int N for every N steps, or `"power_of_two"`. Defaults to
            `"epoch"`.
        error_row: Bool. Whether a third row shows the absolute error. Defaults to `False`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        reconstruct: Function from images to reconstructions, for a model that does not tell how.
            Defaults to `None`: see `keras_vae.callbacks.model_functions`.

    Raises:
        ValueError: If the images are not images, or at the start of training if they do not fit
            the model.
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
    ):
        super().__init__(folder, "reconstructions", frequency, tensorboard, reconstruct=reconstruct)
        self.images = checked_images(images)
        self.error_row = error_row

    def prepare(self, functions: ModelFunctions):
        """Reconstructs once, to see that the images fit."""
        check_fits(functions.reconstruct, self.images)

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """Originals, reconstructions, and their absolute difference if asked for."""
        reconstructions = functions.reconstruct(self.images)
        rows = [self.images, reconstructions]
        if self.error_row:
            rows.append(np.abs(reconstructions - self.images))
        return {self.name: visualize.image_grid(np.stack(rows))}


def checked_images(images) -> np.ndarray:
    """Images as a float32 array `[n, height, width, channels]`.

    Raises:
        ValueError: If they are not floating point, of that rank and within [0, 1].
    """
    images = np.asarray(images)
    fits = images.ndim == 4 and images.shape[-1] in (1, 3) and len(images) > 0
    if not fits or images.dtype.kind != "f":
        raise ValueError(
            "Invalid value for argument `images`. Expected floating point images [n, height, "
            f"width, channels] with 1 or 3 channels. Received: {images.dtype} {images.shape}"
        )
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            "Invalid value for argument `images`. Expected values in [0, 1]. "
            f"Received: values from {images.min()} to {images.max()}"
        )
    return images.astype(np.float32)


def check_fits(function, images):
    """Raises a `ValueError` that names the shape if a model's function does not take the images."""
    try:
        function(images)
    except ValueError as error:
        if "Pass `" in str(error):
            raise
        raise ValueError(
            f"Images of shape {images.shape[1:]} do not fit the model. Pass images of the shape "
            f"that it is trained on. The model says: {error}"
        ) from error
