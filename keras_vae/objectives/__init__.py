"""The family: members of the VAE that differ in what their loss adds to the reconstruction term."""

from keras_vae.objectives.adversarial_autoencoder import AdversarialAutoencoder
from keras_vae.objectives.annealed_vae import AnnealedVAE
from keras_vae.objectives.autoencoder import Autoencoder
from keras_vae.objectives.beta_tc_vae import BetaTCVAE
from keras_vae.objectives.beta_vae import BetaVAE
from keras_vae.objectives.conditional_vae import ConditionalVAE
from keras_vae.objectives.dip_vae import DIPVAE
from keras_vae.objectives.factor_vae import FactorVAE
from keras_vae.objectives.hamiltonian_vae import HamiltonianVAE
from keras_vae.objectives.hierarchical_vae import HierarchicalVAE
from keras_vae.objectives.info_vae import InfoVAE
from keras_vae.objectives.iwae import IWAE
from keras_vae.objectives.ms_ssim_vae import MSSSIMVAE
from keras_vae.objectives.piwae import PIWAE
from keras_vae.objectives.rae import RAE
from keras_vae.objectives.vae_gan import VAEGAN
from keras_vae.objectives.vamp_prior_vae import VampPriorVAE
from keras_vae.objectives.wae import WAE

__all__ = [
    "DIPVAE",
    "IWAE",
    "MSSSIMVAE",
    "PIWAE",
    "RAE",
    "VAEGAN",
    "WAE",
    "AdversarialAutoencoder",
    "AnnealedVAE",
    "Autoencoder",
    "BetaTCVAE",
    "BetaVAE",
    "ConditionalVAE",
    "FactorVAE",
    "HamiltonianVAE",
    "HierarchicalVAE",
    "InfoVAE",
    "VampPriorVAE",
]
