"""From network outputs to distributions: q(z|x), p(x|z) and the prior p(z).

The only place that constructs TensorFlow Probability distributions. Parameters are cast to
float32 first, so that every log-probability and divergence is a float32 number of nats whatever
the dtype policy of the networks.
"""

import keras

from keras_vae.distributions.discrepancies import KERNELS, maximum_mean_discrepancy
from keras_vae.distributions.flows import (
    CouplingFlow,
    Flow,
    HouseholderFlow,
    InverseAutoregressiveFlow,
    two_levels,
)
from keras_vae.distributions.gaussians import (
    diagonal_normal,
    is_factorized,
    kl_divergence,
    kl_per_dimension,
    reparameterized_sample,
)
from keras_vae.distributions.identifiers import part_of
from keras_vae.distributions.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Beta,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    Gaussian,
    Laplace,
    Likelihood,
    LogNormal,
    NegativeBinomial,
    Poisson,
    Product,
    StudentT,
    get_likelihood,
)
from keras_vae.distributions.posteriors import (
    DiagonalNormal,
    FullCovarianceNormal,
    Posterior,
    VonMisesFisher,
)
from keras_vae.distributions.priors import (
    PRIORS,
    GaussianMixture,
    SphericalUniform,
    StandardNormal,
    mixture,
)

__all__ = [
    "KERNELS",
    "LIKELIHOODS",
    "POSTERIORS",
    "PRIORS",
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "CouplingFlow",
    "DiagonalNormal",
    "DiscretizedLogistic",
    "Flow",
    "FullCovarianceNormal",
    "Gaussian",
    "GaussianMixture",
    "HouseholderFlow",
    "InverseAutoregressiveFlow",
    "Laplace",
    "Likelihood",
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "Posterior",
    "Product",
    "SphericalUniform",
    "StandardNormal",
    "StudentT",
    "VonMisesFisher",
    "check_same_space",
    "diagonal_normal",
    "get_likelihood",
    "get_posterior",
    "get_prior",
    "is_factorized",
    "kl_divergence",
    "kl_per_dimension",
    "maximum_mean_discrepancy",
    "mixture",
    "reparameterized_sample",
    "two_levels",
]

#: Classes of posteriors by the names that `posterior=` takes.
POSTERIORS = {
    "diagonal_normal": DiagonalNormal,
    "full_covariance_normal": FullCovarianceNormal,
    "coupling_flow": CouplingFlow,
    "inverse_autoregressive_flow": InverseAutoregressiveFlow,
    "householder_flow": HouseholderFlow,
    "von_mises_fisher": VonMisesFisher,
}


def get_posterior(identifier) -> Posterior:
    """The posterior of that name, or the `Posterior` itself."""
    return part_of(identifier, "posterior", POSTERIORS, isinstance(identifier, Posterior))


def get_prior(identifier) -> keras.layers.Layer:
    """The prior of that name, or the prior itself."""
    is_prior = hasattr(identifier, "distribution") and isinstance(identifier, keras.Layer)
    other = isinstance(identifier, Likelihood | Posterior)
    return part_of(identifier, "prior", PRIORS, is_prior and not other)


def check_same_space(posterior: Posterior, prior: keras.layers.Layer):
    """Refuses codes on a sphere beside codes of the whole space: densities of either are others.

    Raises:
        ValueError: If one of posterior and prior is on the sphere, and the other is not.
    """
    if posterior.on_sphere != getattr(prior, "on_sphere", False):
        raise ValueError(
            "The posterior 'von_mises_fisher' and the prior 'spherical_uniform' are on a sphere, "
            "and go with each other. Pass both or neither. Received: posterior "
            f"{type(posterior).__name__}, prior {type(prior).__name__}"
        )
