"""Data sets as `tf.data` pipelines of float32 images in [0, 1], and series as arrays."""

from keras_vae.datasets import factors
from keras_vae.datasets.arrays import from_arrays
from keras_vae.datasets.folder import from_folder
from keras_vae.datasets.image_pipeline import load
from keras_vae.datasets.series import pad_series
from keras_vae.datasets.source import DatasetUnavailableError, available

__all__ = [
    "DatasetUnavailableError",
    "available",
    "factors",
    "from_arrays",
    "from_folder",
    "load",
    "pad_series",
]
