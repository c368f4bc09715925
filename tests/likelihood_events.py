"""Parameters and events of every likelihood, for tests of what all of them have in common."""

import numpy as np

from keras_vae import distributions


def product():
    """Three columns of other kinds, of which those of one group are apart."""
    return distributions.Product(
        {
            "size": (distributions.LogNormal(), 1),
            "visits": ("negative_binomial", [4]),
            "colour": ("categorical", [0, 2, 3]),
        }
    )


# A likelihood, and the shape of an event that suits it.
EXAMPLES = {
    "bernoulli": (distributions.Bernoulli, (4, 3)),
    "beta": (distributions.Beta, (4, 3)),
    "categorical": (distributions.Categorical, (4, 3)),
    "continuous_bernoulli": (distributions.ContinuousBernoulli, (4, 3)),
    "discretized_logistic": (distributions.DiscretizedLogistic, (4, 3)),
    "mixture of logistics": (lambda: distributions.DiscretizedLogistic(3, 16), (4, 3)),
    "gaussian": (lambda: distributions.Gaussian(1.0), (4, 3)),
    "decoded gaussian": (lambda: distributions.Gaussian("decoded"), (4, 3)),
    "learned gaussian": (lambda: distributions.Gaussian(0.25, learn_scale=True), (4, 3)),
    "laplace": (distributions.Laplace, (4, 3)),
    "log_normal": (distributions.LogNormal, (4, 3)),
    "negative_binomial": (distributions.NegativeBinomial, (4, 3)),
    "poisson": (distributions.Poisson, (4, 3)),
    "student_t": (distributions.StudentT, (4, 3)),
    "product": (product, (5,)),
}


def example(name, num_events=5, size=1.0):
    """A built likelihood, parameters of it, and events drawn from them.

    Args:
        name: One of `EXAMPLES`.
        num_events: Int. Defaults to `5`.
        size: Float. Standard deviation of the parameters. Defaults to `1.0`.
    """
    make, shape = EXAMPLES[name]
    likelihood = make()
    likelihood.build((None, *shape))
    shape = (num_events, *likelihood.parameters_shape(shape))
    parameters = np.random.default_rng(0).normal(size=shape, scale=size).astype("float32")
    events = likelihood.distribution(parameters).sample(seed=[0, 1])
    return likelihood, parameters, events.numpy()
