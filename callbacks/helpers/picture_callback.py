"""What the callbacks that draw pictures share: when to draw, where to write."""

import abc
import os
from pathlib import Path

import numpy as np
from PIL import Image

from keras_vae import drawing
from keras_vae.arguments import path
from keras_vae.callbacks.helpers.frequency import EPOCH, Frequency
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.event_kinds import event_kind
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


def checked_events(events, argument: str = "images") -> np.ndarray:
    """What is drawn, as a float32 array `[n, *event]`: images in [0, 1], series, or rows.

    Args:
        events: What the user gave.
        argument: As what.

    Raises:
        ValueError: If it is not floating point, of no kind that can be drawn, or images beyond
            [0, 1].
    """
    events = np.asarray(events)
    if events.ndim < 2 or events.size == 0 or events.dtype.kind != "f":
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected floating point images [n, height, "
            "width, channels] with 1 or 3 channels, or [n, height, width]; series [n, time, "
            f"features]; or rows [n, columns]. Received: {events.dtype} {events.shape}"
        )
    try:
        kind = event_kind(events.shape[1:])
    except ValueError as error:
        raise ValueError(f"Invalid value for argument `{argument}`. {error}") from None
    # NaN is what was not observed, and compares as neither.
    if kind == "images" and ((events < 0) | (events > 1)).any():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected values in [0, 1]. "
            f"Received: values from {np.nanmin(events)} to {np.nanmax(events)}"
        )
    if not np.isfinite(events[~np.isnan(events)]).all() or np.isnan(events).all():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected numbers, or NaN where nothing was "
            "observed. Received: infinite ones, or NaN alone"
        )
    return events.astype(np.float32)


def checked_inputs(images, argument: str = "images") -> np.ndarray:
    """What is only encoded, and not drawn itself, as a float32 array `[n, *event]`.

    Args:
        images: What the user gave.
        argument: As what.

    Raises:
        ValueError: If it is not floating point, of that rank, and finite.
    """
    images = np.asarray(images)
    if images.ndim < 2 or images.size == 0 or images.dtype.kind != "f":
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected floating point [n, *event], as the "
            f"encoder takes it. Received: {images.dtype} {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected finite numbers. Received: NaN or "
            "infinite ones"
        )
    return images.astype(np.float32)


def check_order(images, folder):
    """Raises a `ValueError` if folder and images stand in each other's place."""
    if isinstance(images, str | os.PathLike) and not isinstance(folder, str | os.PathLike):
        raise ValueError(
            "`images` and `folder` are swapped. Pass the images first, then the folder. "
            f"Received: images={images!r}"
        )


def checked_latent_dim(functions: ModelFunctions, given: int | None, images=None) -> int:
    """The number of latents, as given or as the model tells.

    Args:
        functions: The model's functions.
        given: The argument `latent_dim`, or `None`.
        images: Images to encode where the model does not tell. Defaults to `None`.

    Raises:
        ValueError: If there is no telling.
    """
    latent_dim = functions.latent_dim(images) if given is None else given
    if latent_dim is None:
        raise ValueError("The model does not tell how many latents it has. Pass `latent_dim=`.")
    return latent_dim
