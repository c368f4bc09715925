"""Imports the libraries that the package stands on, and refuses what it cannot work with.

They make more than a million objects that stay for good, and Python's garbage collector, which
looks through all of them whenever their number has grown by a quarter, takes a quarter of the time
that the imports take, and would go through them once more at the first training step. So it rests
meanwhile, and leaves what was imported alone afterwards.
"""

import contextlib
import gc
import sys
import warnings

from keras_vae.quiet_start import quiet_start


@contextlib.contextmanager
def resting_collector():
    """While it is open, the garbage collector rests.

    Where TensorFlow is imported meanwhile, everything that is there at the end is exempt from
    collection from then on, as by `gc.freeze`. Of what a program had made before, that keeps no
    garbage, which is collected first; only objects in cycles that become garbage later.
    """
    if not gc.isenabled():
        yield
        return
    is_first = "tensorflow" not in sys.modules
    if is_first:
        gc.collect()
    gc.disable()
    try:
        yield
        if is_first:
            gc.freeze()
    finally:
        gc.enable()


with resting_collector():
    with quiet_start():
        import keras

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            "keras_vae needs the TensorFlow backend of Keras. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: backend {keras.backend.backend()!r}"
        )

    with warnings.catch_warnings():
        # Its imports warn of what it uses, which under `python -W error` would end them.
        warnings.simplefilter("ignore")
        try:
            from tensorflow_probability import distributions as _  # noqa: F401
        except AttributeError as error:
            if sys.flags.optimize < 2:
                raise
            raise ImportError(
                "keras_vae needs TensorFlow Probability, which needs docstrings, and `python -OO` "
                "removes them. Use `python -O`."
            ) from error
