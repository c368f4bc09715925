"""No two callbacks of one run may write the same file."""

import weakref
from collections.abc import Iterable
from pathlib import Path

import keras

# Callbacks whose run has begun, and what they write in it. A run that died leaves its own here.
_writers: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def claim_files(callback: keras.callbacks.Callback, paths: Iterable[Path]):
    """Claims files for a callback, when its run begins.

    Args:
        callback: Who writes them.
        paths: The files, or patterns of them.

    Raises:
        ValueError: If another callback of the same `fit` has claimed one of them.
    """
    files = {path.absolute() for path in paths}
    for other, others_files in list(_writers.items()):
        # Keras hands the same object to all callbacks of a `fit`, and to no other `fit`.
        together = callback.params is not None and other.params is callback.params
        shared = sorted(map(str, files & others_files))
        if together and other is not callback and shared:
            names = sorted((type(other).__name__, type(callback).__name__))
            raise ValueError(
                f"Two callbacks of one `fit`, {names[0]} and {names[1]}, would both write "
                f"{', '.join(shared)}, each over what the other wrote. Give one of them another "
                "folder, such as a folder below this one."
            )
    _writers[callback] = files
