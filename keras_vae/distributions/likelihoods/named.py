"""Likelihoods by their names."""

from keras_vae.distributions.identifiers import part_of
from keras_vae.distributions.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from keras_vae.distributions.likelihoods.beta import Beta
from keras_vae.distributions.likelihoods.categorical import Categorical
from keras_vae.distributions.likelihoods.counts import NegativeBinomial, Poisson
from keras_vae.distributions.likelihoods.discretized_logistic import DiscretizedLogistic
from keras_vae.distributions.likelihoods.gaussian import Gaussian
from keras_vae.distributions.likelihoods.heavy_tails import Laplace, StudentT
from keras_vae.distributions.likelihoods.likelihood import Likelihood
from keras_vae.distributions.likelihoods.log_normal import LogNormal

#: Classes of likelihoods by the names that `likelihood=` takes.
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "beta": Beta,
    "categorical": Categorical,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic": DiscretizedLogistic,
    "gaussian": Gaussian,
    "laplace": Laplace,
    "log_normal": LogNormal,
    "negative_binomial": NegativeBinomial,
    "poisson": Poisson,
    "student_t": StudentT,
}


def get_likelihood(identifier) -> Likelihood:
    """The likelihood of that name, or the `Likelihood` itself."""
    return part_of(identifier, "likelihood", LIKELIHOODS, isinstance(identifier, Likelihood))
