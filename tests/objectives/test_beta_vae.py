"""The beta-VAE is the VAE, whose own tests cover its loss."""

import keras_vae
from keras_vae.objectives import BetaVAE


def test_the_beta_vae_is_the_vae(make_vae):
    assert BetaVAE is keras_vae.VAE
    assert float(make_vae(BetaVAE, beta=4.0).beta) == 4.0
