"""What the callbacks that draw pictures share: when to draw, where to write."""

import abc
import os
from pathlib import Path

from PIL import Image

from keras_vae import drawing
from keras_vae.arguments import path
from keras_vae.callbacks.helpers.frequency import EPOCH, Frequency
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.files import write_whole
from keras_vae.model_functions import ModelFunctions


class PictureCallback(RunCallback, abc.ABC):
    """Base class of callbacks that draw a picture of the model now and then.

    A subclass gives `prepare`, which looks at the model and raises where the picture could never be
    drawn, and `draw`. A picture of epoch 3 is written to `FOLDER/NAME/epoch_0003.png`, one of step
    64 to `FOLDER/NAME/step_00000064.png`: a resumed run writes the same file again. Nothing is
    written before the first picture. By epochs `step` is not counted.

    Args:
        folder: Folder of the run.
        name: Folder of these pictures below it, and their tag in TensorBoard.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`. Where
            several steps run in one execution, a picture shows the model at the end of one.
            Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures are also written below `FOLDER/tensorboard`. Defaults
            to `False`.
        functions: `reconstruct`, `encode` and `decode` where the model does not tell.

    Raises:
        ValueError: If an argument is invalid; or at the start of training, by `prepare`. With a
            model whose weights do not exist yet, that is after its first step.
        OSError: At the start of training, if the folder cannot be written.
    """

    folder: Path  # There is always one.

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        **functions,
    ):
        super().__init__(path("folder", folder), tensorboard, **functions)
        self.name = name
        self.frequency = Frequency(frequency)
        self.last_pictures: dict[str, Path] = {}

    @property
    def written_folder(self) -> Path:
        """The folder of these pictures."""
        return self.folder / self.name

    @property
    def written_files(self) -> tuple[Path]:
        """The pictures: by epochs and by steps they have other names."""
        return (self.written_folder / f"{'epoch' if self.frequency.by_epoch else 'step'}_*.png",)

    @abc.abstractmethod
    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """Draws the model as it is now.

        Args:
            functions: The model's functions.

        Returns:
            Pictures by their folder below the run's: `{name: picture}`.
        """

    def begin_run(self):
        """Forgets the pictures of the run before."""
        self.last_pictures = {}

    def on_train_batch_end(self, batch, logs=None):
        """Draws, if steps are what counts and one is due."""
        # Counting may read a variable, and between epochs nobody asks for the step.
        if not (self.frequency.by_epoch and self._prepared):
            super().on_train_batch_end(batch, logs)

    def after_steps(self, before: int, now: int, logs: dict):
        """Draws, if a step is due."""
        if self.frequency.due(before, now):
            self._save(f"step_{now:08d}", now)

    def next_look(self, step: int) -> float:
        """The step of the next picture."""
        return self.frequency.next_due(step)

    def after_epoch(self, epoch: int, logs: dict):
        """Draws, if epochs are what counts."""
        if self.frequency.by_epoch:
            self._save(f"epoch_{epoch + 1:04d}", epoch + 1)

    def _save(self, stem, number):
        with self.guard("draw or write a picture"):
            for name, picture in self.draw(self.functions).items():
                file = self.folder / name / f"{stem}.png"
                write_whole(file, drawing.png(picture))
                self.last_pictures[name] = file
                if self.summaries:
                    self.summaries.image(name, picture, number)


def check_order(images, folder):
    """Raises a `ValueError` if folder and images stand in each other's place."""
    if isinstance(images, str | os.PathLike) and not isinstance(folder, str | os.PathLike):
        raise ValueError(
            "`images` and `folder` are swapped. Pass the images first, then the folder. "
            f"Received: images={images!r}"
        )
