"""`Resume`: a killed training goes on as if it had never stopped."""

import hashlib
import io
import json
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from keras_vae.callbacks.output import check_writable, write_whole
from keras_vae.callbacks.step_counter import steps_taken
from keras_vae.distribution import worker_folder

try:
    import fcntl
except ImportError:  # Not a Unix: two runs in one folder go unnoticed.
    fcntl = None


# Folders that this process has taken. A run that ended by an exception does not give its folder
# back, and the next one in the same process, in a notebook for example, is welcome to it.
_taken = {}


class Resume(keras.callbacks.Callback):
    """Saves the whole state of training after every epoch, and restores it where there is one.

    Weights, beta, the optimizer's variables, metrics and the seeds of random layers are saved. A
    run that was killed, started again by the same program, replays its last epoch from the
    beginning and ends with the weights, logs and files of a run that was never killed, bit by bit,
    if the data come in an order that is a function of the step. Those of `keras_vae.datasets` do:

    >>> resume = Resume("runs/digits")
    >>> train = keras_vae.datasets.load("mnist", "train", batch_size=128, start=resume.step)
    >>> vae.fit(train, epochs=100, callbacks=[resume, ELBOLogger("runs/digits")])

    An epoch need not be a pass over the data: `fit(train.repeat(), steps_per_epoch=500, ...)` saves
    every 500 steps. Unlike `keras.callbacks.BackupAndRestore` it keeps its last state after the
    end, so that the same program may do again what came after the training.

    SIGTERM, which batch systems send before they kill, ends training after the current step as
    Ctrl-C does: with a `KeyboardInterrupt`.

    Args:
        folder: Folder of the run. The state is in `FOLDER/resume`.
        settings: `{name: JSON value}`. What must be the same for a run to go on, such as the
            arguments of the program. Defaults to `None`: nothing.

    Attributes:
        epoch: Int. Epochs that are done; 0 for a new run.
        step: Int. Steps that are done.

    Raises:
        ValueError: If the saved state is damaged, or of a run with other settings; or, at the
            start of training, of another model.
        BlockingIOError: At the start of training, if another process trains in that folder.
        OSError: If the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike, settings: Mapping | None = None):
        super().__init__()
        self.folder = worker_folder(folder) / "resume"
        self.settings = json.loads(json.dumps(dict(settings or {})))
        self.epoch, self.step = 0, 0
        self._saved = self._read()
        if self._saved:
            self.epoch, self.step = self._saved["epoch"], self._saved["step"]
        self._stop = False
        self._previous_handler = None

    def on_train_begin(self, logs=None):
        """Takes the folder, and restores the state that is there."""
        check_writable(self.folder)
        self._take_folder()
        if not self.model.built:
            raise ValueError("`Resume` needs a built model. Call `model.build(...)` before `fit`.")
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        if self._saved:
            self._restore()
            # As Keras's own `BackupAndRestore` tells `fit` where to begin.
            self.model._initial_epoch = self.epoch
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_train_batch_end(self, batch, logs=None):
        """Stops where SIGTERM has asked for it."""
        if self._stop:
            self._release()
            raise KeyboardInterrupt("SIGTERM")

    def on_epoch_end(self, epoch, logs=None):
        """Saves the state."""
        self._save(epoch + 1)

    def on_train_end(self, logs=None):
        """Leaves the folder."""
        self.model._initial_epoch = None
        self._release()

    def _release(self):
        if self._previous_handler is not None:
            signal.signal(signal.SIGTERM, self._previous_handler)
            self._previous_handler = None
        lock = _taken.pop(str(self.folder.resolve()), None)
        if lock is not None:
            lock.close()

    def _on_sigterm(self, number, frame):
        if self._stop:  # Asked before, and no step has ended since.
            raise KeyboardInterrupt("SIGTERM")
        self._stop = True

    def _take_folder(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        path = str(self.folder.resolve())
        if fcntl is None or path in _taken:
            return
        lock = (self.folder / "lock").open("w")
        try:
            # The system itself lets go of it when the process dies, however it does.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise BlockingIOError(
                f"Another process is training in {self.folder.parent}. Wait until it ends, or "
                "choose another folder."
            ) from None
        _taken[path] = lock

    def _variables(self):
        """Everything that a step changes, in a fixed order."""
        variables = {}
        metrics = [variable for metric in self.model.metrics for variable in metric.variables]
        for variable in [*self.model.variables, *self.model.optimizer.variables, *metrics]:
            variables.setdefault(id(variable), variable)
        return list(variables.values())

    def _save(self, epoch):
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
        buffer = io.BytesIO()
        np.savez(buffer, *arrays)
        content = buffer.getvalue()
        step = steps_taken(self.model)
        state = {
            "epoch": epoch,
            "step": step,
            "file": f"step_{step:08d}.npz",
            "sha256": hashlib.sha256(content).hexdigest(),
            "settings": self.settings,
            "shapes": [list(array.shape) for array in arrays],
        }
        # The card is replaced last: until then the state before it is the one that counts.
        write_whole(self.folder / state["file"], content)
        write_whole(self.folder / "state.json", json.dumps(state) + "\n")
        self.epoch, self.step, self._saved = epoch, step, state
        for path in self.folder.glob("step_*.npz"):
            if path.name != state["file"]:
                path.unlink(missing_ok=True)

    def _read(self):
        """The card of the saved state, checked; `None` if there is none."""
        path = self.folder / "state.json"
        if not path.exists():
            return None
        try:
            state = json.loads(path.read_text())
            epoch, step, settings = state["epoch"], state["step"], state["settings"]
            content = (self.folder / Path(state["file"]).name).read_bytes()
            whole = hashlib.sha256(content).hexdigest() == state["sha256"]
            whole = whole and isinstance(epoch, int) and isinstance(step, int)
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            whole = False
        if not whole:
            raise ValueError(
                f"The saved state in {self.folder} is damaged. Remove that folder to begin anew."
            )
        differing = [
            f"{name}: {settings.get(name)!r} then, {self.settings.get(name)!r} now"
            for name in sorted({*settings, *self.settings})
            if settings.get(name) != self.settings.get(name)
        ]
        if differing:
            raise ValueError(
                f"The run in {self.folder.parent} had other settings ({'; '.join(differing)}). "
                "Go on with those, or choose another folder."
            )
        return state

    def _restore(self):
        with np.load(self.folder / self._saved["file"], allow_pickle=False) as file:
            arrays = [file[name] for name in file.files]
        variables = self._variables()
        shapes = [list(variable.shape) for variable in variables]
        if shapes != [list(array.shape) for array in arrays]:
            raise ValueError(
                f"The saved state in {self.folder} is of another model: it has {len(arrays)} "
                f"variables, this one {len(variables)}, or their shapes differ. Build the model as "
                "it was, or choose another folder."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
