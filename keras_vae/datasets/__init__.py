"""Image data sets as `tf.data` pipelines of float32 images in [0, 1]."""

from keras_vae.datasets import factors
from keras_vae.datasets.arrays import from_arrays
from keras_vae.datasets.image_pipeline import load
from keras_vae.datasets.source import DatasetUnavailableError, available

__all__ = ["DatasetUnavailableError", "available", "factors", "from_arrays", "load"]
