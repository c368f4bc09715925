"""The life of a callback that logs, draws or steps in: what happens when, and what may fail."""

import math
import os
from collections.abc import Collection
from pathlib import Path

import keras

from keras_vae.arguments import flag, invalid, path
from keras_vae.callbacks.helpers.guard import Guard
from keras_vae.callbacks.helpers.own_files import claim_files
from keras_vae.callbacks.helpers.step_counter import StepCounter
from keras_vae.callbacks.helpers.tensorboard import SummaryWriter, require_tensorboard
from keras_vae.files import check_writable
from keras_vae.model_functions import ModelFunctions
from keras_vae.workers import worker_folder


class RunCallback(keras.callbacks.Callback):
    """Base class of callbacks that follow a run, which is one call of `fit`.

    A subclass overrides those of its hooks that it needs; here in the order of a run:

    | hook | when | an exception |
    |---|---|---|
    | `begin_run` | training begins, and the folder can be written | ends the run |
    | `prepare` | likewise, or after the first batch if that builds the model | ends the run |
    | `before_epoch` | before every epoch | is one warning |
    | `take_up` | before the first epoch, once whatever restores the run has done so | likewise |
    | `after_steps` | after every execution, of one or several training steps | likewise |
    | `after_epoch` | after every epoch and its validation | likewise |
    | `end_run` | training ends | likewise |

    Steps count batches since the optimizer was made, so a run that resumes counts on.

    Args:
        folder: Folder of the run. Defaults to `None`: the callback writes nothing.
        tensorboard: Bool. Whether there are `summaries`, below `FOLDER/tensorboard`. Defaults to
            `False`.
        functions: `reconstruct`, `encode` and `decode` where the model does not tell.

    Attributes:
        folder: Where this process may write, or `None`; see `keras_vae.workers.worker_folder`.
        step: Int. The training step that the run has reached.
        functions: `ModelFunctions` of the model.
        summaries: `SummaryWriter`, or `None` without `tensorboard`.
        guard: `Guard` of the run. `with self.guard("write the table"):` names what fails, and lets
            the rest of a hook go on.

    Raises:
        ValueError: If a function is none, or `tensorboard` has no folder; or, at the start of
            training, if another callback of the same `fit` writes one of `written_files`.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: At the start of training, if the folder cannot be written.
    """

    def __init__(
        self, folder: str | os.PathLike | None = None, tensorboard: bool = False, **functions
    ):
        super().__init__()
        for argument, function in functions.items():
            if function is not None and not callable(function):
                raise invalid(argument, "a function or `None`", function)
        self.tensorboard = flag("tensorboard", tensorboard)
        if tensorboard:
            require_tensorboard()
            if folder is None:
                raise ValueError("`tensorboard=True` needs a folder to write to. Pass `folder`.")
        self.folder = None if folder is None else worker_folder(path("folder", folder))
        self._given_functions = functions

    @property
    def written_folder(self) -> Path | None:
        """The folder that must be writable when training begins; `folder` unless overridden."""
        return self.folder

    @property
    def written_files(self) -> Collection[Path]:
        """The files, or patterns of them, that this callback alone writes; none unless overridden.

        Two callbacks of one `fit` that have one in common are refused.
        """
        return ()

    @property
    def step(self) -> int:
        """The training step that the run has reached."""
        return self._steps.step

    def begin_run(self):
        """Checks what can be checked before the first step, and forgets the run before."""

    def prepare(self, functions: ModelFunctions):
        """Asks the model once for what the run will ask of it.

        A model that is not built yet is asked after its first batch: calling it would build it,
        perhaps for images of another shape than those it is about to be trained on.

        Args:
            functions: The model's functions.

        Raises:
            ValueError: If the model cannot do it.
        """

    def before_epoch(self, epoch: int):
        """Begins an epoch, counted from 0."""

    def take_up(self, step: int):
        """Takes up what a run that resumes has written before.

        Args:
            step: Steps taken before; 0 for a new run.
        """

    def after_steps(self, before: int, now: int, logs: dict):
        """Does what is due after the steps `before + 1` to `now`, mostly a single one.

        Args:
            before: The step that training had reached.
            now: The step that it has reached.
            logs: Means since the epoch began; see `StepValues` for those of single steps.
        """

    def next_look(self, step: int) -> float:
        """When this callback must find the model as a step left it, for training that runs ahead.

        What only reads logs and `step_logs` does without; see `keras_vae.VAE.compile`.

        Args:
            step: Int. The step that training has reached.

        Returns:
            The first step after that one at whose end the callback looks, or `math.inf`. Unless
            overridden, the next one for a callback with `after_steps`.
        """
        return math.inf if type(self).after_steps is RunCallback.after_steps else step + 1

    def after_epoch(self, epoch: int, logs: dict):
        """Does what is due after an epoch.

        Args:
            epoch: Counted from 0.
            logs: The epoch's means. What is added here, callbacks further down the list see too.
        """

    def end_run(self):
        """Does what is left when training ends."""

    def set_model(self, model):
        """Takes the model, if it is one of Keras 3: others call hooks that no callback here has."""
        if any(base.__module__.startswith("tf_keras.") for base in type(model).__mro__):
            raise ValueError(
                f"{type(self).__name__} is a callback of Keras 3, and {type(model).__name__} is a "
                "model of tf_keras, which is Keras 2. Build the model with `import keras`, or "
                "unset TF_USE_LEGACY_KERAS."
            )
        super().set_model(model)

    def on_train_begin(self, logs=None):
        """Checks folder and model."""
        if self.folder is not None:
            check_writable(self.written_folder)
            claim_files(self, self.written_files)
        self.guard = Guard(type(self).__name__)
        self.summaries = SummaryWriter(self.folder) if self.tensorboard else None
        self._steps = StepCounter()
        self._taken_up = False
        self.begin_run()
        self.functions = ModelFunctions(self.model, **self._given_functions)
        self._prepared = self.functions.built
        if self._prepared:
            self.prepare(self.functions)

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up the count of steps, and the run if it resumes."""
        self._steps.begin_epoch(self.model)
        with self.guard("begin an epoch"):
            self.before_epoch(epoch)
        if not self._taken_up:
            self._taken_up = True
            with self.guard("take up the run"):
                self.take_up(self.step)

    def on_train_batch_end(self, batch, logs=None):
        """Counts steps."""
        if not self._prepared:
            self._prepared = True
            self.prepare(self.functions)
        before, now = self._steps.end_batch(self.model, batch)
        with self.guard("follow the steps"):
            self.after_steps(before, now, {} if logs is None else logs)

    def on_epoch_end(self, epoch, logs=None):
        """Ends the epoch."""
        with self.guard("follow the epochs"):
            self.after_epoch(epoch, {} if logs is None else logs)

    def on_train_end(self, logs=None):
        """Ends the run, and closes what is open."""
        with self.guard("end the run"):
            self.end_run()
        if self.summaries:
            with self.guard("close the event file"):
                self.summaries.close()
