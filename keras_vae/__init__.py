"""Variational autoencoders for Keras 3.

`VAE` is the model, `networks` its encoders and decoders, whose builders stand here, too,
`distributions` its likelihoods and priors, `datasets` its images, `visualize` its pictures. The
callbacks live in `keras_vae.callbacks`, which needs none of the others.
"""

import importlib as _importlib

from keras_vae import libraries as _libraries  # isort: skip  # noqa: F401  # Before all others.
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
