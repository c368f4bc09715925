"""A word on convolutions that could be faster: only who starts the process can see to it."""

import contextlib
import functools
import os
import platform
import warnings

import keras

from keras_vae.keras_internals import ChangedInternalsError, runs_one_dnn
from keras_vae.training.compiled_steps import convolves_on_cpu


def say_if_off(model: keras.Model):
    """Warns, once a process, where a model's convolutions run without oneDNN and might run with it.

    TensorFlow turns it on by itself only on x86 processors with instructions made for networks, and
    reads the environment when it is imported.

    Args:
        model: A Keras model that is about to train.
    """
    if "TF_ENABLE_ONEDNN_OPTS" not in os.environ and convolves_on_cpu(model) and _is_off():
        _say()


def _is_off():
    # A hint is not worth the end of a run.
    with contextlib.suppress(ChangedInternalsError):
        return platform.machine().lower() in ("x86_64", "amd64") and not runs_one_dnn()
    return False


@functools.cache
def _say():
    warnings.warn(
        "TensorFlow runs convolutions without oneDNN on this processor; with it they may train two "
        "or three times as fast. Set the environment variable TF_ENABLE_ONEDNN_OPTS to 1 before "
        "TensorFlow is imported, or to 0 to hear no more of it.",
        stacklevel=3,
    )
