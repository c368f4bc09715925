"""The running means behind `logs`, and what each recent step left of both."""

import keras
import numpy as np
import tensorflow as tf


class TermTracker(keras.metrics.Metric):
    """Means of several named numbers since the epoch began, and a history of single steps.

    One metric instead of a `keras.metrics.Mean` a number: all are updated by one vector operation,
    and Keras merges a metric whose result is a dict into `logs`. The history makes what every step
    saw available to callbacks even when `steps_per_execution` runs many steps in one call.

    Args:
        history_length: Int. How many steps are remembered. Defaults to `1024`.
    """

    def __init__(self, history_length: int = 1024, name: str = "elbo_tracker"):
        super().__init__(name=name, dtype="float32")
        self.history_length = history_length
        self.names: tuple[str, ...] = ()
        self.built = False

    def build(self, names):
        """Makes room for numbers of these names, in this order."""
        names = tuple(names)
        if names != self.names:
            self.names = names
            # Said of each: a metric's own type is not what its variables get by default.
            kind = {"initializer": "zeros", "dtype": "float32"}
            self.total = self.add_variable((len(names),), name="total", **kind)
            self.count = self.add_variable((len(names),), name="count", **kind)
            # Of every step its own values, the running means after it, and its number.
            self.history = self.add_variable(
                (self.history_length, 2 * len(names) + 1), name="history", **kind
            )
        self.built = True

    def update_state(self, values: dict, step=None):
        """Adds one batch.

        Args:
            values: `{name: (mean, weight)}`: the batch's mean, and how many examples it counts for.
            step: Int scalar, how many steps went before this one; `None` outside training, where
                the history is left alone.
        """
        nothing = (0.0, 0.0)
        pairs = [values.get(name, nothing) for name in self.names]
        row = tf.stack([tf.cast(mean, tf.float32) for mean, _ in pairs])
        weight = tf.stack([tf.cast(weight, tf.float32) for _, weight in pairs])
        self.total.assign_add(row * weight)
        self.count.assign_add(weight)
        if step is not None:
            means = tf.math.divide_no_nan(self.total, self.count)
            entry = tf.concat([row, means, [tf.cast(step + 1, tf.float32)]], axis=0)
            # Reading a metric's variable sums over the replicas: each contributes its share.
            entry /= tf.distribute.get_strategy().num_replicas_in_sync
            # A select over all rows: under XLA it costs a fiftieth of a scatter to one of them.
            row_of_step = tf.range(self.history_length)[:, None] == step % self.history_length
            self.history.assign(tf.where(row_of_step, entry, self.history))

    def step_logs(self, step: int) -> dict | None:
        """The values of one training step, counted from 1; `None` if it is not remembered."""
        if not self.names or step < 1:
            return None
        *row, recorded = self.history.numpy()[(step - 1) % self.history_length]
        if recorded != np.float32(step):
            return None
        return {name: float(value) for name, value in zip(self.names, row, strict=False)}

    def recent_means(self, last: int, count: int) -> list[dict]:
        """The means as they were after each of the last steps.

        Args:
            last: Int. Number of the last step, counted from 1.
            count: Int. How many steps up to that one.
        """
        steps = np.arange(last - count, last) % self.history_length
        means = self.history.numpy()[steps, len(self.names) : -1]
        return [dict(zip(self.names, row, strict=True)) for row in means.tolist()]

    def result(self) -> dict:
        """The means since the last reset, as `{name: scalar}`."""
        if not self.names:
            return {}
        means = tf.math.divide_no_nan(self.total, self.count)
        return dict(zip(self.names, tf.unstack(means), strict=True))

    def num_examples(self):
        """How many examples were counted since the last reset, an int32 scalar."""
        return tf.cast(self.count[0], tf.int32) if self.names else 0

    def reset_state(self):
        """Forgets the means; the history of steps stays."""
        if self.names:
            self.total.assign(tf.zeros_like(self.total))
            self.count.assign(tf.zeros_like(self.count))
