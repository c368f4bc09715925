"""The beta-VAE, which is the VAE itself."""

from keras_vae.vae import VAE

# Higgins et al., "beta-VAE: learning basic visual concepts with a constrained variational
# framework" (2017), equation 4: -log p(x|z) + beta * KL. Its argument `beta` is what sets it apart.
BetaVAE = VAE
