"""Counts training steps across epochs, resumed runs and any `steps_per_execution`."""

import weakref

import keras

from keras_vae.keras_internals import batches_seen
from keras_vae.workers import scalar_value

# Where runs begin that resume, of models whose own optimizer does not count their steps.
_begun: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def begin_at_step(model, step: int | None):
    """Tells a run that is about to begin how many steps went before; `None` takes it back."""
    if step is None:
        if isinstance(model, keras.Model):
            _begun.pop(model, None)
    else:
        _begun[model] = step


def steps_taken(model) -> int:
    """Batches that the model's optimizer has seen; 0 if it has none that counts.

    An optimizer that is not Keras's is asked for its `iterations`.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return int(scalar_value(batches_seen(optimizer)))
    return int(scalar_value(getattr(optimizer, "iterations", 0)))


class StepCounter:
    """Follows the number of the step that training has reached.

    The optimizer knows where a run begins, also one that resumes. From there batches are counted,
    which is cheaper than reading a variable after each and right for models that train by an
    optimizer of their own. The optimizer is asked again only where a batch's index may mislead:

    - Keras reports the end of an execution of several steps by where it should have ended, even
      when the data ended before;
    - an optimizer that scales its loss skips steps whose gradients overflow.
    """

    def __init__(self):
        self.step = None
        self._last_batch = -1

    def begin_epoch(self, model):
        """Starts an epoch."""
        if self.step is None:
            self.step = max(
                steps_taken(model), _begun.get(model, 0) if isinstance(model, keras.Model) else 0
            )
        self._last_batch = -1

    def end_batch(self, model, batch: int) -> tuple[int, int]:
        """Moves on to the end of an execution.

        Args:
            model: The model in training.
            batch: Index in the epoch, from 0, of the last batch that ran.

        Returns:
            The step before that execution and the one after it.
        """
        before, self.step = self.step, self.step + batch - self._last_batch
        self._last_batch = batch
        if hasattr(getattr(model, "optimizer", None), "inner_optimizer"):
            self.step = steps_taken(model)
        elif getattr(model, "steps_per_execution", 1) > 1:
            taken = steps_taken(model)
            if before < taken < self.step:
                self.step = taken
        return before, self.step
