"""TensorBoard scalars and images, by TensorBoard's own summaries."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image


def require_tensorboard():
    """Raises an `ImportError` that says what to install if TensorBoard is not there."""
    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError(
            "`tensorboard=True` needs the package `tensorboard`. Install it with "
            "`pip install tensorboard`, or leave `tensorboard=False`."
        )


class SummaryWriter:
    """Writes event files below `FOLDER/tensorboard`, beginning with the first summary.

    Args:
        folder: The folder of the run.
    """

    def __init__(self, folder: str | os.PathLike):
        self._folder = Path(folder) / "tensorboard"
        self._open: Any = None

    def scalars(self, values: dict, step: int):
        """Writes `{name: number}` at a step, without those that are `None`."""
        with self._writer().as_default(step=step):
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(name, value)
        self._open.flush()

    def image(self, name: str, picture: Image.Image, step: int):
        """Writes a picture at a step."""
        with self._writer().as_default(step=step):
            pixels = np.asarray(picture)
            tf.summary.image(name, pixels.reshape(1, picture.height, picture.width, -1))
        self._open.flush()

    def close(self):
        """Closes the event file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _writer(self):
        if self._open is None:
            self._open = tf.summary.create_file_writer(str(self._folder))
        return self._open
