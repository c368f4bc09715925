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
import tensorflow as tf

from keras_vae.callbacks.helpers.guard import Guard
from keras_vae.callbacks.helpers.model_state import optimizer_variables
from keras_vae.callbacks.helpers.step_counter import steps_taken
from keras_vae.files import check_writable, write_whole
from keras_vae.keras_internals import begin_at_epoch, spans_workers
from keras_vae.workers import worker_folder

try:
    import fcntl
except ImportError:  # Not a Unix: two runs in one folder go unnoticed.
    fcntl = None


# Folders that this process has taken. A run that ended by an exception does not give its folder
# back, and the next one in the same process, in a notebook for example, is welcome to it.
_taken = {}

# What a run begins from that has saved nothing.
_NEW = {"epoch": 0, "step": 0}


class Resume(keras.callbacks.Callback):
    """Saves the whole state of training after every epoch, and restores it where there is one.

    Weights, beta, the optimizer's variables, metrics and the seeds of random layers are saved. A
    run that was killed, started again by the same program, replays its last epoch from the
    beginning and ends with the weights, logs and files of a run that was never killed, bit by bit,
    if the data come in an order that is a function of the step. Those of `keras_vae.datasets` do:

    >>> resume = Resume("runs/digits")
    >>> train = keras_vae.datasets.load("mnist", "train", batch_size=128, start=resume.step)
    >>> vae.fit(train, epochs=100, callbacks=[resume, ELBOLogger("runs/digits")])

    An epoch is saved once all callbacks have done with it, whatever their order. It need not be a
    pass over the data: `fit(train.repeat(), steps_per_epoch=500, ...)` saves every 500 steps. Keras
    cannot begin in the middle of one, so those steps are the most that a kill costs. Unlike
    `keras.callbacks.BackupAndRestore` it keeps its last state after the end, so that the same
    program may do again what came after the training.

    SIGTERM, which batch systems send before they kill, ends training after the current step as
    Ctrl-C does: with a `KeyboardInterrupt`. If that was the last step of an epoch, the epoch is
    ended and saved first.

    Of several workers each saves the state in its own folder. Construct it in the strategy's scope:
    there they agree on the last epoch that all of them have saved.

    Args:
        folder: Folder of the run. The state is in `FOLDER/resume`.
        settings: `{name: JSON value}`. What must be the same for a run to go on, such as the
            arguments of the program. Defaults to `None`: nothing.

    Attributes:
        epoch: Int. Epochs that are done; 0 for a new run.
        step: Int. Steps that are done.

    Raises:
        ValueError: If the saved state is damaged, or of a run with other settings, or the workers
            have no saved epoch in common; or, at the start of training, of another model.
        BlockingIOError: At the start of training, if another process trains in that folder.
        OSError: At the start of training, if the folder cannot be written. A failure later is one
            warning; the state before it stays the one that counts, until there is room again.
    """

    def __init__(self, folder: str | os.PathLike, settings: Mapping | None = None):
        super().__init__()
        self.folder = worker_folder(folder) / "resume"
        self.settings = json.loads(json.dumps(dict(settings or {})))
        self._several = spans_workers(tf.distribute.get_strategy())
        self._states = self._read()
        self._state = self._agreed()
        self.epoch, self.step = self._state["epoch"], self._state["step"]
        self._done = None
        self._stop = False
        self._previous_handler = None

    def on_train_begin(self, logs=None):
        """Takes the folder, and restores the state that is there."""
        if spans_workers(self.model.distribute_strategy) != self._several:
            raise ValueError("Construct `Resume` in the scope of the strategy that the model has.")
        check_writable(self.folder)
        self._take_folder()
        if self._read() != self._states:
            raise BlockingIOError(
                f"Another process has trained in {self.folder.parent} since this one looked there. "
                "Start again."
            )
        for leftover in self.folder.glob(".*.tmp"):  # Of a process that was killed as it saved.
            leftover.unlink(missing_ok=True)
        if not self.model.built:
            raise ValueError("`Resume` needs a built model. Call `model.build(...)` before `fit`.")
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        if self.epoch:
            self._restore()
            begin_at_epoch(self.model, self.epoch)
        self._guard = Guard(type(self).__name__)
        self._done, self._stop = None, False
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_epoch_begin(self, epoch, logs=None):
        """Saves the epoch before, with which all callbacks have done now."""
        self._save_what_is_done()

    def on_train_batch_end(self, batch, logs=None):
        """Stops where SIGTERM has asked for it."""
        if self._stop and batch + 1 != self.params.get("steps"):
            self._release()
            raise KeyboardInterrupt("SIGTERM")

    def on_epoch_end(self, epoch, logs=None):
        """Notes that there is something to save."""
        self._done = epoch + 1

    def on_train_end(self, logs=None):
        """Saves the last epoch and leaves the folder."""
        begin_at_epoch(self.model, None)
        self._save_what_is_done()
        self._release()

    def _save_what_is_done(self):
        # Not at the epoch's end: callbacks further down the list, killed before they have written
        # what they know of it, would never come to it again.
        if self._done is not None:
            with self._guard("save the state of training"):
                self._save(self._done)
            self._done = None
        if self._stop:
            self._release()
            raise KeyboardInterrupt("SIGTERM")

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
        except BlockingIOError:
            lock.close()
            raise BlockingIOError(
                f"Another process is training in {self.folder.parent}. Wait until it ends, or "
                "choose another folder."
            ) from None
        except OSError:  # A file system without locks: two runs in one folder go unnoticed.
            lock.close()
            return
        _taken[path] = lock

    def _variables(self):
        """Everything that a step changes, in a fixed order."""
        metrics = (variable for metric in self.model.metrics for variable in metric.variables)
        variables = (*self.model.variables, *optimizer_variables(self.model), *metrics)
        return list({id(variable): variable for variable in variables}.values())

    def _save(self, epoch):
        buffer = io.BytesIO()
        np.savez(buffer, *map(_array, self._variables()))
        content = buffer.getvalue()
        step = steps_taken(self.model)
        state = {
            "epoch": epoch,
            "step": step,
            "file": f"step_{step:08d}.npz",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        # Of several workers some may be killed before they save this epoch, and some after it.
        states = [state, self._state] if self._several and self.epoch else [state]
        card = {"settings": self.settings, "states": states}
        try:
            # The card is replaced last: until then the state before it is the one that counts.
            write_whole(self.folder / state["file"], content, sync=True)
            write_whole(self.folder / "state.json", json.dumps(_signed(card)) + "\n", sync=True)
            self._states, self._state = states, state
            self.epoch, self.step = epoch, step
        finally:
            kept = {state["file"] for state in self._states}
            for path in self.folder.glob("step_*.npz"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _read(self):
        """The saved states, newest first, all checked."""
        path = self.folder / "state.json"
        if not path.exists():
            return []
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            states, settings = card["states"], card["settings"]
            whole = card == _signed({"settings": settings, "states": states})
            for state in states:
                content = (self.folder / Path(state["file"]).name).read_bytes()
                whole = whole and hashlib.sha256(content).hexdigest() == state["sha256"]
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
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
        return states

    def _agreed(self):
        """The newest state, of several workers the newest that all of them have."""
        states = (*self._states, _NEW, _NEW)[:2]
        if not self._several:
            return states[0]
        epochs = _of_all_workers([state["epoch"] for state in states])
        common = set.intersection(*map(set, epochs))
        if not common:
            raise ValueError(
                f"The workers have no saved epoch in common: they have {epochs}. Copy the newest "
                f"`resume` folder to the workers that are behind (here it is {self.folder}), or "
                "remove all of them to begin anew."
            )
        return next(state for state in states if state["epoch"] == max(common))

    def _restore(self):
        with np.load(self.folder / self._state["file"], allow_pickle=False) as file:
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
            # NumPy reads a type that is not its own, such as bfloat16, as plain bytes.
            variable.assign(array.view(variable.dtype) if array.dtype.kind == "V" else array)


def _array(variable):
    # By way of a tensor: several devices may hold it.
    return tf.convert_to_tensor(variable.value).numpy()


def _signed(card):
    """A card with its own hash, so that no altered number passes for one that was saved."""
    content = json.dumps(card, sort_keys=True).encode()
    return {**card, "sha256": hashlib.sha256(content).hexdigest()}


def _of_all_workers(numbers):
    """The numbers that every worker gives here, `[worker, number]`."""
    strategy = tf.distribute.get_strategy()
    own = strategy.run(lambda: tf.constant([numbers]))
    return strategy.gather(own, axis=0).numpy().tolist()
