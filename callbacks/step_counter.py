"""Counts training steps across epochs, resumed runs and any `steps_per_execution`."""


def steps_taken(model) -> int:
    """Batches that the model's optimizer has seen, 0 without one.

    `optimizer.iterations` counts updates, which are fewer where gradients accumulate.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None:
        return 0
    return int(getattr(optimizer, "_iterations", optimizer.iterations))


class StepCounter:
    """Follows the number of the step that training has reached.

    The optimizer knows it, but reading a variable after every batch costs more than counting, so it
    is asked only where the batch's index may mislead: Keras reports the end of an execution of
    several steps by where it should have ended, even when the data ended before.
    """

    def __init__(self):
        self.step = 0
        self._at_epoch_begin = 0

    def begin_epoch(self, model):
        """Starts an epoch."""
        self.step = self._at_epoch_begin = steps_taken(model)

    def end_batch(self, model, batch: int) -> tuple[int, int]:
        """Moves on to the end of an execution.

        Args:
            model: The model in training.
            batch: Index in the epoch, from 0, of the last batch that ran.

        Returns:
            The step before that execution and the one after it.
        """
        before = self.step
        exact = getattr(model, "steps_per_execution", 1) == 1
        self.step = self._at_epoch_begin + batch + 1 if exact else steps_taken(model)
        return before, self.step
