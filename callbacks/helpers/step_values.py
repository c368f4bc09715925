"""What single training steps saw, from any Keras model."""

import math
from collections.abc import Mapping

import keras

from keras_vae.workers import scalar_value


class StepValues:
    """Reads the losses of chosen training steps.

    A model with a method `step_logs(step)`, as `keras_vae.VAE` has, is asked for that step's own
    batch values, also for steps in the middle of an execution of several. The batch `logs` of any
    other model are means since the epoch began; where a `keras.metrics.Mean` of the model stands
    behind one, what it gathered since the reading before is told apart, which for readings one
    step apart is again that step's own value. What is left is as in `logs`.

    Metrics are read, never updated or reset.

    Args:
        model: The model in training.
    """

    def __init__(self, model):
        self._model = model
        self._gathered = {}

    def begin_epoch(self):
        """Starts an epoch, at which Keras resets the metrics."""
        self._gathered = {}

    def read(self, due: list[int], now: int, logs: Mapping | None) -> list[tuple[int, dict]]:
        """The values of the steps that are due.

        Args:
            due: Steps, none of them after `now`.
            now: The step that training has reached.
            logs: What Keras passes to `on_train_batch_end`.

        Returns:
            `(step, {name: number})` for each step, or a single one for `now` from a model that
            does not remember single steps.
        """
        if not due:
            return []
        step_logs = getattr(self._model, "step_logs", None)
        if callable(step_logs):
            values = [(step, step_logs(step)) for step in due]
            remembered = [(step, own) for step, own in values if own is not None]
            if remembered:
                return remembered
        return [(now, self._since_last_reading(logs or {}))]

    def _since_last_reading(self, logs):
        values = dict(logs)
        for metric in self._model.metrics:
            # keras.io's example calls the metric behind `loss` "total_loss".
            name = metric.name if metric.name in logs else metric.name.removeprefix("total_")
            if name not in logs or not _is_plain_mean(metric):
                continue
            total, count = scalar_value(metric.total), scalar_value(metric.count)
            before_total, before_count = self._gathered.get(id(metric), (0.0, 0.0))
            self._gathered[id(metric)] = total, count
            if count > before_count and math.isclose(total / count, logs[name], rel_tol=1e-3):
                values[name] = (total - before_total) / (count - before_count)
        return values


def _is_plain_mean(metric):
    """Whether the result is total / count; subclasses such as the root mean square change it."""
    return (
        isinstance(metric, keras.metrics.Mean) and type(metric).result is keras.metrics.Mean.result
    )
