"""Images whose generating factors are known: any of them can be had by their values."""

from keras_vae.datasets.factors.digits import Digits
from keras_vae.datasets.factors.factor_arrays import FactorArrays
from keras_vae.datasets.factors.factor_data import FactorData
from keras_vae.datasets.factors.named import load
from keras_vae.datasets.factors.sprites import Sprites

__all__ = ["Digits", "FactorArrays", "FactorData", "Sprites", "load"]
