"""p(x|z): from what the decoder returns to a distribution over images, one kind a file."""

from keras_vae.distributions.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from keras_vae.distributions.likelihoods.beta import Beta
from keras_vae.distributions.likelihoods.categorical import Categorical
from keras_vae.distributions.likelihoods.counts import NegativeBinomial, Poisson
from keras_vae.distributions.likelihoods.discretized_logistic import DiscretizedLogistic
from keras_vae.distributions.likelihoods.gaussian import Gaussian
from keras_vae.distributions.likelihoods.heavy_tails import Laplace, StudentT
from keras_vae.distributions.likelihoods.likelihood import Likelihood
from keras_vae.distributions.likelihoods.log_normal import LogNormal
from keras_vae.distributions.likelihoods.named import LIKELIHOODS, get_likelihood
from keras_vae.distributions.likelihoods.product import Product

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Gaussian",
    "Laplace",
    "Likelihood",
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "Product",
    "StudentT",
    "get_likelihood",
]
