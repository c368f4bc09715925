"""What `tf.distribute` needs of a model that writes its own steps, and of whoever writes files."""

import json
import os
from pathlib import Path

import keras
import tensorflow as tf

from keras_vae.keras_internals import spans_workers


def reducible_logs(logs: dict) -> dict:
    """Makes a step's logs such that Keras can average them over workers.

    After every step under `MultiWorkerMirroredStrategy` Keras takes the mean of each logged number
    over the replicas and over its first axis, which a scalar does not have (keras issue 20585).

    Args:
        logs: `{name: scalar}`, what a step returns.

    Returns:
        The same; of shape `[1]` each under a strategy that spans several workers.
    """
    if spans_workers(tf.distribute.get_strategy()):
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}
    return logs


def scalar_value(variable) -> float:
    """The value of a scalar variable; `float` refuses one that several devices hold."""
    if isinstance(variable, keras.Variable):
        variable = variable.value
    if isinstance(variable, tf.Variable | tf.distribute.DistributedValues):
        variable = tf.convert_to_tensor(variable)
    return float(variable)


def worker_folder(folder: str | os.PathLike) -> Path:
    """Where this process of a training on several machines may write.

    Args:
        folder: Folder of the run.

    Returns:
        The folder itself for the chief, which without a `TF_CONFIG` of several workers every
        process is; `FOLDER/worker_1` and so on for the others, which run the same callbacks.
    """
    kind, index = _task()
    if kind == "chief" or (kind == "worker" and index == 0):
        return Path(folder)
    return Path(folder) / f"{kind}_{index}"


def _task():
    """Type and index of this process in the cluster that `TF_CONFIG` describes."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        kind, index = str(task.get("type", "worker")), int(task.get("index", 0))
    except (ValueError, AttributeError):
        return "worker", 0  # TensorFlow complains of it better.
    if kind == "worker" and cluster.get("chief"):
        return kind, index + 1
    return kind, index
