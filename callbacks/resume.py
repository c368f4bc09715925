"""`Resume`: a killed training goes on as if it had never stopped."""

import hashlib
import io
import json
import math
import os
import signal
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_vae.callbacks.helpers.guard import Guard
from keras_vae.callbacks.helpers.model_state import names_of, optimizers, state_of
from keras_vae.callbacks.helpers.own_files import claim_files
from keras_vae.callbacks.helpers.step_counter import begin_at_step, steps_taken
from keras_vae.files import check_writable, write_whole
from keras_vae.keras_internals import begin_at_epoch, optimized_variables, spans_workers
from keras_vae.workers import worker_folder

try:
    import fcntl
except ImportError:  # Not a Unix: two runs in one folder go unnoticed.
    fcntl = None  # type: ignore[assignment]


# Folders that this process has taken. A run that ended by an exception does not give its folder
# back, and the next one in the same process, in a notebook for example, is welcome to it.
_taken: dict[str, object] = {}

# What a run begins from that has saved nothing.
_NEW = {"epoch": 0, "step": 0}

# Of the saved state; the first one, of version 0.1, kept variables by position.
_FORMAT = 2


class Resume(keras.callbacks.Callback):
    """Saves the whole state of training after every epoch, and restores it where there is one.

    Weights, beta, the variables of all optimizers, metrics, the seeds of random layers and what
    TensorFlow has in attributes of the model, variables and `tf.random.Generator`, are saved. A
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

    A run that ended by itself, as `EarlyStopping` has it, is finished: the same program gets its
    final weights again and trains nothing, unless it asks for more epochs (of several workers it
    trains on). A state that is not finite is never saved over one that is. Where the program asks
    for another learning rate or beta than it did, one warning says so, and the saved one counts.

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
        ValueError: If the saved state is damaged, of version 0.1, or of a run with other settings,
            or the workers have no saved epoch in common; or, at the start of training, of another
            model, whose differing variables are named.
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
        self._step_was_read = False
        self.epoch, self._step = self._state["epoch"], self._state["step"]
        self._done = None
        self._stop = False
        self._previous_handler = None

    @property
    def step(self) -> int:
        """Steps that are done: where the data of a run that goes on begin."""
        self._step_was_read = True
        return self._step

    def on_train_begin(self, logs=None):
        """Takes the folder, and restores the state that is there."""
        if spans_workers(self.model.distribute_strategy) != self._several:
            raise ValueError("Construct `Resume` in the scope of the strategy that the model has.")
        check_writable(self.folder)
        claim_files(self, [self.folder / "state.json"])
        self._take_folder()
        if self._read() != self._states:
            raise BlockingIOError(
                f"Another process has trained in {self.folder.parent} since this one looked there. "
                "Start again."
            )
        for leftover in self.folder.glob(".*.tmp"):  # Of a process that was killed as it saved.
            leftover.unlink(missing_ok=True)
        if not (self.model.built or all(layer.built for layer in self.model.layers)):
            raise ValueError("`Resume` needs a built model. Call `model.build(...)` before `fit`.")
        optimizer = self.model.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        self._program = _program(self.model)
        if self.epoch:
            self._restore()
            # The optimizer of another training loop may be one that this one does not know.
            begin_at_step(self.model, self._step)
            first = self._first_epoch()
            begin_at_epoch(self.model, first)
            if first < self.params["epochs"] and not self._step_was_read:
                warnings.warn(
                    f"Resume: the run in {self.folder.parent} goes on after step {self._step}, and "
                    "nothing has read `resume.step`. If the data begin anew instead of there, the "
                    "run ends with other weights than one that was never stopped. Begin them "
                    "there: `keras_vae.datasets.load(..., start=resume.step)` or `from_arrays(..., "
                    "start=resume.step)`.",
                    stacklevel=4,
                )
        self._guard = Guard(type(self).__name__)
        self._done = self._last = None
        self._stop = False
        self._taken_before, self._counted, self._batches = steps_taken(self.model), self._step, 0
        self._broken_before = _not_finite(_arrays(state_of(self.model)))
        self._warned = False
        history = getattr(self.model, "history", None)
        if isinstance(history, keras.callbacks.History):
            # The last of all callbacks, of which some restore weights when training ends.
            history.on_train_end = lambda logs=None: self._end()
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_epoch_begin(self, epoch, logs=None):
        """Saves the epoch before, with which all callbacks have done now."""
        self._save_what_is_done()

    def on_train_batch_end(self, batch, logs=None):
        """Stops where SIGTERM has asked for it."""
        self._batches = batch + 1
        if self._stop and batch + 1 != self.params.get("steps"):
            self._release()
            raise KeyboardInterrupt("SIGTERM")

    def next_look(self, step: int) -> float:
        """Never between epochs."""
        return math.inf

    def on_epoch_end(self, epoch, logs=None):
        """Notes that there is something to save."""
        self._done = epoch + 1
        self._counted, self._batches = self._counted + self._batches, 0

    def on_train_end(self, logs=None):
        """Saves the last epoch; the folder is left when all callbacks have ended training."""
        begin_at_epoch(self.model, None)
        begin_at_step(self.model, None)
        self._last = self._done
        self._save_what_is_done()
        if "on_train_end" not in vars(getattr(self.model, "history", self)):
            self._end()

    def _end(self):
        """Saves what callbacks have made of the weights at last, and leaves the folder."""
        history = getattr(self.model, "history", None)
        vars(history or self).pop("on_train_end", None)
        # Several workers agree on epochs, and would not on two states of one.
        if self._last is not None and not self._several:
            with self._guard("save the state of training"):
                self._save(self._last, final=True)
        stop, self._last = self._stop, None
        self._release()
        if stop:
            raise KeyboardInterrupt("SIGTERM")

    def _first_epoch(self):
        """Where `fit` begins: after the last of its epochs, if the run has ended by itself."""
        asked = self._state.get("finished", 0)
        if self.params["epochs"] > asked:
            return self.epoch
        warnings.warn(
            f"Resume: the run in {self.folder.parent} has ended by itself after {self.epoch} "
            f"epochs. Its final state is restored and nothing is trained. Ask for more than "
            f"{asked} epochs to train on, or choose another folder.",
            stacklevel=4,
        )
        return max(self.params["epochs"], self.epoch)

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

    def _save(self, epoch, final=False):
        entries = state_of(self.model)
        arrays = _arrays(entries)
        broken = [name for name in _not_finite(arrays) if name not in self._broken_before]
        if broken:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"Resume does not save epoch {epoch}: {broken[0]} is not finite (one of "
                    f"{len(broken)} variables). The state of epoch {self.epoch} stays the one to "
                    "go on from.",
                    stacklevel=4,
                )
            return
        names = {id(e.variable): name for e, name in zip(entries, arrays, strict=True)}
        built_for = {
            where: [names.get(id(variable)) for variable in optimized_variables(optimizer)]
            for where, optimizer in optimizers(self.model).items()
        }
        card = {"names": list(arrays), "built_for": built_for, "program": self._program}
        card["optional"] = _optional(entries)
        buffer = io.BytesIO()
        np.savez(buffer, *arrays.values(), card=np.array(json.dumps(card)))
        content = buffer.getvalue()
        step = steps_taken(self.model)
        if step == self._taken_before:  # Other optimizers train this model.
            step = self._counted
        state = {
            "epoch": epoch,
            "step": step,
            "file": f"step_{step:08d}.npz",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        if final and self.model.stop_training:
            state["finished"] = self.params["epochs"]
        if state == self._state:
            return
        for other in self._states:
            if other["file"] == state["file"] and other["sha256"] != state["sha256"]:
                state["file"] = f"step_{step:08d}_{state['sha256'][:8]}.npz"
        # Of several workers some may be killed before they save this epoch, and some after it.
        before = [one for one in self._states if one["epoch"] < epoch][:1]
        states = [state, *before] if self._several else [state]
        content_is_there = any(other["file"] == state["file"] for other in self._states)
        card = {"format": _FORMAT, "settings": self.settings, "states": states}
        try:
            # The card is replaced last: until then the state before it is the one that counts.
            if not content_is_there or not (self.folder / state["file"]).exists():
                write_whole(self.folder / state["file"], content, sync=True)
            write_whole(self.folder / "state.json", json.dumps(_signed(card)) + "\n", sync=True)
            self._states, self._state = states, state
            self.epoch, self._step = epoch, step
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
            whole = card == _signed({name: card[name] for name in card if name != "sha256"})
            for state in states:
                content = (self.folder / Path(state["file"]).name).read_bytes()
                whole = whole and hashlib.sha256(content).hexdigest() == state["sha256"]
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
            whole = False
        if not whole:
            raise ValueError(
                f"The saved state in {self.folder} is damaged. Remove that folder to begin anew."
            )
        if card.get("format") != _FORMAT:
            raise ValueError(
                f"The saved state in {self.folder} is of version 0.1 of keras_vae, or of one "
                "newer than this. Go on with that version, or remove that folder to begin anew."
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
            card = json.loads(str(file["card"]))
            arrays = [file[f"arr_{place}"] for place in range(len(card["names"]))]
        if "seed of keras.random" in card["names"]:
            keras.random.uniform(())  # Keras makes it with the first number that is drawn.
        self._build_optimizers(card["built_for"])
        entries = state_of(self.model)
        here = dict(zip(names_of(entries), entries, strict=True))
        saved = dict(zip(card["names"], arrays, strict=True))
        optional = {*card["optional"], *_optional(entries)}
        pairs = [(saved[name], here[name]) for name in saved if name in here]
        differing = [
            *(f"{name} is missing" for name in saved if name not in here and name not in optional),
            *(f"{name} was not saved" for name in here if not (name in saved or name in optional)),
            *(
                f"{entry.name} was {list(array.shape)} and is {list(entry.variable.shape)}"
                for array, entry in pairs
                if array.shape != tuple(entry.variable.shape)
            ),
        ]
        if differing:
            more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
            raise ValueError(
                f"The saved state in {self.folder} is of another model: "
                f"{'; '.join(differing[:5])}{more}. Build the model as it was, or choose another "
                "folder."
            )
        for array, entry in pairs:
            # NumPy reads a type that is not its own, such as bfloat16, as plain bytes.
            dtype = tf.as_dtype(entry.variable.dtype).as_numpy_dtype
            entry.variable.assign(array.view(dtype) if array.dtype.kind == "V" else array)
        self._tell_changes(card["program"])
        self._program = card["program"]

    def _build_optimizers(self, built_for):
        """Builds optimizers that only training would, for what they were built for."""
        entries = state_of(self.model)
        here = dict(zip(names_of(entries), entries, strict=True))
        for where, optimizer in optimizers(self.model).items():
            names = built_for.get(where)
            if names and not optimizer.built and all(name in here for name in names):
                optimizer.build([here[name].variable for name in names])

    def _tell_changes(self, before):
        """Warns of values of the program that are not those that the run began with."""
        now = self._program
        changed = [name for name in now if name in before and now[name] != before[name]]
        if changed:
            told = ", ".join(
                f"{name.split('/')[-1]} {before[name]} then and {now[name]} now ("
                + ("this program's counts)" if _is_python(name) else "the saved one counts)")
                for name in changed
            )
            warnings.warn(
                f"Resume goes on with the run in {self.folder.parent}, which this program does not "
                f"begin as before: {told}. Choose another folder for a run of other values.",
                stacklevel=5,
            )


def _is_python(name):
    """Whether a value of the program is no variable, so that the saved state does not hold it."""
    return ": " in name and not name.endswith(": learning_rate")


def _program(model):
    """What the program asks for, before anything is restored: `{name: value}`."""
    entries = state_of(model)
    values = {
        name: float(np.float32(tf.convert_to_tensor(entry.variable)))
        for name, entry in zip(names_of(entries), entries, strict=True)
        if entry.kind == "weight"
        and tuple(entry.variable.shape) == ()
        and not getattr(entry.variable, "trainable", True)
        and tf.as_dtype(entry.variable.dtype).is_floating
    }
    for where, optimizer in optimizers(model).items():
        for name, value in optimizer.get_config().items():
            if name != "name" and isinstance(value, bool | int | float | str | None):
                values[f"{where}: {name}"] = value
    return json.loads(json.dumps(values))


def _optional(entries):
    """The names of variables that may not be there yet, and begin anew with every epoch or run."""
    named = zip(names_of(entries), entries, strict=True)
    return [name for name, entry in named if entry.kind in ("metric", "seed")]


def _arrays(entries):
    # By way of a tensor: several devices may hold a variable.
    tensors = [tf.convert_to_tensor(entry.variable) for entry in entries]
    return dict(zip(names_of(entries), (tensor.numpy() for tensor in tensors), strict=True))


def _not_finite(arrays):
    """The names of arrays that have a number which is NaN or infinite."""
    return [
        name
        for name, array in arrays.items()
        if array.dtype.kind in "fVc" and not np.isfinite(array).all()
    ]


def _signed(card):
    """A card with its own hash, so that no altered number passes for one that was saved."""
    content = json.dumps(card, sort_keys=True).encode()
    return {**card, "sha256": hashlib.sha256(content).hexdigest()}


def _of_all_workers(numbers):
    """The numbers that every worker gives here, `[worker, number]`."""
    strategy = tf.distribute.get_strategy()
    own = strategy.run(lambda: tf.constant([numbers]))
    return strategy.gather(own, axis=0).numpy().tolist()
