"""Callbacks that show an autoencoder learn, for any Keras model.

They import no model: they ask the one they are given for what they need (see `model_functions`).
"""

from keras_vae.callbacks.elbo_logger import ELBOLogger
from keras_vae.callbacks.latent_traversal import LatentTraversal
from keras_vae.callbacks.reconstruction_grid import ReconstructionGrid

__all__ = ["ELBOLogger", "LatentTraversal", "ReconstructionGrid"]
