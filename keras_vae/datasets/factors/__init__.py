"""Images whose generating factors are known, and can be held."""

from keras_vae.datasets.factors.factor_data import FactorData
from keras_vae.datasets.factors.sprites import Sprites

__all__ = ["FactorData", "Sprites"]
