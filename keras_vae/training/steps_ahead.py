"""Training that runs ahead of the loop that asks for it, as far as nobody can tell.

Keras asks for one step at a time, and asking costs more than a step on small images. So several are
trained when one is asked for, and their logs are handed out one by one. How many is chosen so that
each batch hook sees the logs of its own batch, and whoever looks at the model sees it as the step
before left it.
"""

import math
import time
from collections.abc import Callable, Iterable

import keras

from keras_vae.keras_internals import profiles_batches
from keras_vae.training.compiled_steps import CompiledSteps

# How long a call may take, in seconds: the progress bar moves ten times as often.
_CALL_SECONDS = 0.1
# How much longer a call may be than the one before, which may have been a lucky one.
_GROWTH = 8
# A tracker of terms remembers twice as many.
_MOST_STEPS = 512

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class StepsAhead:
    """Keras's train function for a model that chooses how many steps a call trains.

    Args:
        model: The model in training, which has `recent_logs(count)`.
        compiled: Its compiled steps.
        one_by_one: Keras's own train function.
    """

    def __init__(self, model: keras.Model, compiled: CompiledSteps, one_by_one: Callable):
        self._model = model
        self._compiled = compiled
        self._one_by_one = one_by_one
        self._steps = 1
        self._is_warm = False

    def __call__(self, iterator) -> dict:
        """One step as Keras sees it.

        Args:
            iterator: What Keras iterates over.

        Returns:
            The step's logs.

        Raises:
            StopIteration: If the data have ended.
        """
        lookout = self._model.lookout
        if lookout is None or not self._compiled.takes(iterator):
            return self._one_by_one(iterator)
        if not lookout.logs:
            # In the order of steps, to be taken from the end.
            lookout.logs = self._train(iterator, lookout)[::-1]
        return lookout.logs.pop()

    def _train(self, iterator, lookout):
        """Trains as many steps as may be; returns the logs of each."""
        start = time.perf_counter()
        steps = min(self._steps, lookout.steps_until_look())
        done, logs = self._compiled(iterator, steps)
        lookout.steps_done += done
        recent = self._model.recent_logs(done)
        logs = [{**logs, **own} for own in recent]
        self._keep_pace(done, time.perf_counter() - start)
        return logs

    def _keep_pace(self, steps, seconds):
        if self._is_warm:  # The first call has compiled.
            self._steps = max(
                1, min(int(_CALL_SECONDS * steps / seconds), _GROWTH * steps, _MOST_STEPS)
            )
        self._is_warm = True


class Lookout(keras.callbacks.Callback):
    """Knows when somebody looks at a model in training: at an epoch's end, or a callback.

    A callback that overrides a batch hook looks after every step, unless

    - it is one of Keras's that only reads the logs, or only acts by epochs as it is set up;
    - it says by itself when it looks: a method `next_look(step)` returns the first step after
      `step` at whose end the callback must find the model as that step left it, or `math.inf`.
      Steps are counted since the optimizer's first.

    Args:
        callbacks: The other callbacks of the same `fit`.
        steps_per_epoch: Int, or `None` if an epoch ends with the data.
        steps_taken: Function that returns how many steps the optimizer has seen.

    Attributes:
        logs: Of the steps that have been trained and not been asked for, the next one last.
        steps_done: Int. Steps that have been trained in this epoch.
    """

    def __init__(
        self, callbacks: Iterable, steps_per_epoch: int | None, steps_taken: Callable[[], int]
    ):
        super().__init__()
        self._callbacks = list(callbacks)
        self._steps_per_epoch = math.inf if steps_per_epoch is None else steps_per_epoch
        self._steps_taken = steps_taken
        self.logs, self.steps_done = [], 0

    def steps_until_look(self) -> int | float:
        """How many steps may be trained before somebody looks."""
        step = self._steps_taken()
        looks = min((_next_look(callback, step) for callback in self._callbacks), default=math.inf)
        return max(1, min(looks - step, self._steps_per_epoch - self.steps_done))

    def on_epoch_begin(self, epoch, logs=None):
        """Begins to count anew."""
        self.logs, self.steps_done = [], 0

    def on_train_batch_end(self, batch, logs=None):
        """Does nothing, but has Keras call hooks in this thread: another one costs more."""


def _next_look(callback, step):
    """The step after which a callback looks at the model."""
    says = getattr(callback, "next_look", None)
    if callable(says):
        return says(step)
    if all(_is_harmless(callback, getattr(callback, hook, None)) for hook in _BATCH_HOOKS):
        return math.inf
    return step + 1


def _is_harmless(callback, hook):
    """Whether a batch hook of a callback does without the model."""
    function = getattr(hook, "__func__", hook)
    known = {getattr(keras.callbacks.Callback, name) for name in _BATCH_HOOKS}
    if function is None or function in known or function in _READ_LOGS:
        return True
    for cls, acts_by_epochs in _ACT_BY_EPOCHS.items():
        if function in (getattr(cls, name) for name in _BATCH_HOOKS):
            return acts_by_epochs(callback)
    return False


_READ_LOGS = {
    keras.callbacks.ProgbarLogger.on_train_batch_end,
    keras.callbacks.TerminateOnNaN.on_batch_end,
}
_ACT_BY_EPOCHS = {
    keras.callbacks.BackupAndRestore: lambda callback: callback.save_freq == "epoch",
    keras.callbacks.ModelCheckpoint: lambda callback: callback.save_freq == "epoch",
    keras.callbacks.TensorBoard: lambda callback: (
        callback.update_freq == "epoch"
        and not callback.write_steps_per_second
        and not profiles_batches(callback)
    ),
}
