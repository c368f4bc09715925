"""Steps that are run ahead of the loop that asks for them, as far as nobody can tell.

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
from keras_vae.training.compiled_steps import STACK_LENGTH, batches_of

# How long a call may take, in seconds: a progress bar that moves five times a second still moves,
# and a whole stack, which is filled faster than a part of one, fits in on a slow machine, too.
_CALL_SECONDS = 0.2
# How much longer a call may be than the one before, which may have been a lucky one.
_GROWTH = 8
# A tracker of terms remembers twice as many.
_MOST_STEPS = 512
# Fewer steps than these are not worth what it takes to get ready to do them one by one.
_A_WHILE = 200

_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


class StepsAhead:
    """What Keras calls for a step of `fit` or `evaluate`, where a model chooses how many it runs.

    Args:
        run: Function of an iterator and a number of steps, which runs them, or as many as there are
            data for, and returns the logs of each; it raises `StopIteration` if there are none.
        takes: Function that tells whether it can do that with an iterator.
        one_by_one: Keras's own function.
        lookout: Function that returns the `Lookout` of the call that is under way, or `None`.
        run_one: Like `run`, of an iterator alone: what does one step where somebody looks after
            each for a while. Defaults to `None`: `run`, of one step.
    """

    def __init__(
        self,
        run: Callable[[object, int], list],
        takes: Callable[[object], bool],
        one_by_one: Callable,
        lookout: Callable,
        run_one: Callable[[object], list] | None = None,
    ):
        self._run = run
        self._run_one = run_one or (lambda iterator: run(iterator, 1))
        self._takes = takes
        self._one_by_one = one_by_one
        self._lookout = lookout
        self._steps = 1
        self._is_warm = False

    def __call__(self, iterator) -> dict:
        """One step as Keras sees it.

        Args:
            iterator: What Keras iterates over.

        Returns:
            The step's logs.

        Raises:
            StopIteration or tf.errors.OutOfRangeError: If the data have ended.
        """
        lookout = self._lookout()
        if lookout is None:
            return self._one_by_one(batches_of(iterator))
        if not lookout.logs:
            if not self._takes(iterator):
                return self._one_by_one(batches_of(iterator))
            if lookout.looks_after_each():
                logs = self._run_one(iterator)
            else:
                start = time.perf_counter()
                logs = self._run(iterator, min(self._steps, lookout.steps_until_look()))
                self._keep_pace(len(logs), time.perf_counter() - start)
            lookout.steps_done += len(logs)
            if not lookout.reads_logs():
                # Keras's own progress bar, which moves once a call at most, shows the first ones;
                # the last ones may be the epoch's. To have Keras convert all takes a while.
                logs[1:-1] = [{}] * len(logs[1:-1])
            lookout.logs = logs[::-1]
        return lookout.logs.pop()

    def _keep_pace(self, steps, seconds):
        if self._is_warm:  # The first call has compiled.
            most = min(int(_CALL_SECONDS * steps / seconds), _GROWTH * steps, _MOST_STEPS)
            # Whole stacks, if there is time for one.
            self._steps = max(1, most if most < STACK_LENGTH else most - most % STACK_LENGTH)
        self._is_warm = True


class Lookout(keras.callbacks.Callback):
    """Knows when somebody looks at a model between batches: at an epoch's end, or a callback.

    A callback that overrides a batch hook looks after every step, unless

    - it is one of Keras's that only reads the logs, or only acts by epochs as it is set up;
    - it says by itself when it looks: a method `next_look(step)` returns the first step after
      `step` at whose end the callback must find the model as that step left it, or `math.inf`.
      Steps are counted since the optimizer's first. (In evaluation none changes the model, and
      hooks count as looking.)

    Args:
        callbacks: The other callbacks of the same call.
        steps: Int, the steps of an epoch, or `None` if it ends with the data.
        steps_taken: Function that returns how many steps the optimizer has seen. Defaults to
            `None`: this is an evaluation.

    Attributes:
        logs: Of the steps that have been run and not been asked for, the next one last.
        steps_done: Int. Steps that have been run in this epoch.
    """

    def __init__(
        self,
        callbacks: Iterable,
        steps: int | None,
        steps_taken: Callable[[], int] | None = None,
    ):
        super().__init__()
        self._callbacks = list(callbacks)
        self._steps = math.inf if steps is None else steps
        self._steps_taken = steps_taken
        self.logs: list[dict] = []
        self.steps_done = 0

    def steps_until_look(self) -> int | float:
        """How many steps may be run before somebody looks."""
        step = self._step()
        return max(1, min(self._next_look(step) - step, self._steps - self.steps_done))

    def looks_after_each(self) -> bool:
        """Whether somebody looks after every step for a while, as far as three of them tell."""
        step = self._step()
        return all(self._next_look(at) == at + 1 for at in (step, step + 1, step + _A_WHILE))

    def reads_logs(self) -> bool:
        """Whether one of the callbacks has a hook that is handed the logs of every batch."""
        hooks = _TEST_HOOKS if self._steps_taken is None else _TRAIN_HOOKS
        own = [getattr(keras.callbacks.Callback, name) for name in hooks]
        return any(
            getattr(getattr(callback, name, None), "__func__", None) not in (None, *own)
            for callback in self._callbacks
            for name in hooks
        )

    def _step(self):
        return 0 if self._steps_taken is None else self._steps_taken()

    def _next_look(self, step):
        """The first step after `step` at whose end a callback looks."""
        if self._steps_taken is None:
            looks = any(_overrides(callback, _TEST_HOOKS) for callback in self._callbacks)
            return step + 1 if looks else math.inf
        return min((_next_look(callback, step) for callback in self._callbacks), default=math.inf)

    def on_epoch_begin(self, epoch, logs=None):
        """Begins to count anew."""
        self.logs, self.steps_done = [], 0

    def on_train_batch_end(self, batch, logs=None):
        """Does nothing, but has Keras call hooks in this thread: another one costs more."""


def _next_look(callback, step):
    """The step after which a callback looks at the model in training."""
    says = getattr(callback, "next_look", None)
    if callable(says):
        return says(step)
    return step + 1 if _overrides(callback, _TRAIN_HOOKS) else math.inf


def _overrides(callback, hooks):
    """Whether a callback has a batch hook of its own that does not do without the model."""
    return not all(_is_harmless(callback, getattr(callback, name, None), hooks) for name in hooks)


def _is_harmless(callback, hook, hooks):
    function = getattr(hook, "__func__", hook)
    if function is None or function in _READ_LOGS:
        return True
    if function in (getattr(keras.callbacks.Callback, name) for name in hooks):
        return True
    for cls, acts_by_epochs in _ACT_BY_EPOCHS.items():
        if function in (getattr(cls, name) for name in hooks):
            return acts_by_epochs(callback)
    return False


_READ_LOGS = {
    keras.callbacks.ProgbarLogger.on_train_batch_end,
    keras.callbacks.ProgbarLogger.on_test_batch_end,
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
