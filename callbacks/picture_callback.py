"""What the callbacks that draw pictures share: when to draw, where to write, how to fail."""

import os
from pathlib import Path

import keras
from PIL import Image

from keras_vae import visualize
from keras_vae.callbacks.frequency import EPOCH, Frequency
from keras_vae.callbacks.model_functions import ModelFunctions
from keras_vae.callbacks.output import Guard, check_writable, write_whole
from keras_vae.callbacks.step_counter import StepCounter
from keras_vae.callbacks.tensorboard import SummaryWriter, require_tensorboard


class PictureCallback(keras.callbacks.Callback):
    """Base class of callbacks that draw a picture of the model now and then.

    A subclass gives `prepare`, which looks at the model and raises where the picture could never be
    drawn, and `draw`. A picture of epoch 3 is written to `FOLDER/NAME/epoch_0003.png`, one of step
    64 to `FOLDER/NAME/step_00000064.png`: a resumed run writes the same file again.

    Args:
        folder: Folder of the run.
        name: Folder of these pictures below it, and their tag in TensorBoard.
        frequency: `"epoch"`, an int N for every N steps, or `"power_of_two"`.
        tensorboard: Bool. Whether pictures are also written below `FOLDER/tensorboard`.
        functions: `reconstruct`, `encode` and `decode` where the model does not tell.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        **functions,
    ):
        super().__init__()
        self.folder = Path(folder)
        self.name = name
        self.frequency = Frequency(frequency)
        self.tensorboard = tensorboard
        self._given_functions = functions
        if tensorboard:
            require_tensorboard()

    def prepare(self, functions: ModelFunctions):
        """Checks, before the first step, that the model can be drawn.

        Args:
            functions: The model's functions.

        Raises:
            ValueError: If it cannot.
        """

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """Draws the model as it is now.

        Args:
            functions: The model's functions.

        Returns:
            Pictures by their folder below the run's: `{name: picture}`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `draw`.")

    def on_train_begin(self, logs=None):
        """Checks folder and model."""
        check_writable(self.folder)
        self._guard = Guard(type(self).__name__)
        self._steps = StepCounter()
        self._summaries = SummaryWriter(self.folder) if self.tensorboard else None
        self._functions = ModelFunctions(self.model, **self._given_functions)
        self.prepare(self._functions)

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up the count of steps."""
        self._steps.begin_epoch(self.model)

    def on_train_batch_end(self, batch, logs=None):
        """Draws, if steps are what counts and one is due."""
        if self.frequency.by_epoch:
            return
        before, now = self._steps.end_batch(self.model, batch)
        if self.frequency.due(before, now):
            self._save(f"step_{now:08d}", now)

    def on_epoch_end(self, epoch, logs=None):
        """Draws, if epochs are what counts."""
        if self.frequency.by_epoch:
            self._save(f"epoch_{epoch + 1:04d}", epoch + 1)

    def on_train_end(self, logs=None):
        """Closes what is open."""
        if self._summaries:
            self._summaries.close()

    def _save(self, stem, number):
        with self._guard("draw or write a picture"):
            for name, picture in self.draw(self._functions).items():
                write_whole(self.folder / name / f"{stem}.png", visualize.png(picture))
                if self._summaries:
                    self._summaries.image(name, picture, number)
