"""Images as integers on a grid: the VQ-VAE, its codebook, and a prior over its codes.

No member of the family of `keras_vae.objectives`: there is no density q(z|x) with a mean and a
scale. It stands on `keras_vae.training` beside them.
"""

from keras_vae.quantized.code_prior import CodePrior
from keras_vae.quantized.codebook import Codebook
from keras_vae.quantized.vqvae import VQVAE

__all__ = ["VQVAE", "CodePrior", "Codebook"]
