"""Variational autoencoders for Keras 3.

`VAE` is the model, `networks` its encoders and decoders, whose builders stand here, too,
`distributions` its likelihoods and priors, `datasets` its images, `visualize` its pictures. The
callbacks live in `keras_vae.callbacks`, which needs none of the others.
"""

import importlib as _importlib
import sys as _sys
import warnings as _warnings

from keras_vae.quiet_start import quiet_start as _quiet_start

with _quiet_start():
    import keras as _keras

if _keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_vae needs the TensorFlow backend of Keras. Set the environment variable "
        "KERAS_BACKEND=tensorflow before Keras is imported. "
        f"Received: backend {_keras.backend.backend()!r}"
    )

with _warnings.catch_warnings():
    # Its imports warn of what it uses, which under `python -W error` would end them.
    _warnings.simplefilter("ignore")
    try:
        import tensorflow_probability as _  # noqa: F401
    except AttributeError as _error:
        if _sys.flags.optimize < 2:
            raise
        raise ImportError(
            "keras_vae needs TensorFlow Probability, which needs docstrings, and `python -OO` "
            "removes them. Use `python -O`."
        ) from _error

from keras_vae import (
    anomaly,
    datasets,
    disentanglement,
    distributions,
    evaluation,
    networks,
    objectives,
    presets,
    quantized,
    sample_quality,
    samplers,
    tables,
    visualize,
)
from keras_vae.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from keras_vae.presets import upload_preset
from keras_vae.vae import VAE

__version__ = "0.2.0"
__all__ = [
    "VAE",
    "anomaly",
    "callbacks",
    "conv_decoder",
    "conv_encoder",
    "datasets",
    "disentanglement",
    "distributions",
    "evaluation",
    "mlp_decoder",
    "mlp_encoder",
    "networks",
    "objectives",
    "presets",
    "quantized",
    "sample_quality",
    "samplers",
    "tables",
    "upload_preset",
    "visualize",
]


def __getattr__(name):
    # The callbacks are loaded when they are first asked for: they bring the drawing with them.
    if name == "callbacks":
        return _importlib.import_module("keras_vae.callbacks")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
