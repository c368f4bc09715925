"""p(z) as a page draws from it."""

import numpy as np
from tensorflow_probability import distributions as tfd

_NUM_DRAWN = 500


def describe(prior: tfd.Distribution) -> dict:
    """A prior as numbers.

    Args:
        prior: Of event shape `[latent]`.

    Returns:
        A dict of arrays: `{"kind": "normal", "loc", "scale"}`, both `[latent]`;
        `{"kind": "mixture", "weights", "loc", "scale"}`, of k components, the latter two
        `[k, latent]`; or for any other distribution 500 draws of it,
        `{"kind": "drawn", "codes"}`.
    """
    if _is_normal(prior):
        return {"kind": "normal", "loc": prior.mean().numpy(), "scale": prior.stddev().numpy()}
    if isinstance(prior, tfd.MixtureSameFamily) and _is_normal(prior.components_distribution):
        components = prior.components_distribution
        return {
            "kind": "mixture",
            "weights": prior.mixture_distribution.probs_parameter().numpy(),
            "loc": components.mean().numpy(),
            "scale": components.stddev().numpy(),
        }
    return {"kind": "drawn", "codes": draws(prior, _NUM_DRAWN)}


def draws(prior: tfd.Distribution, count: int) -> np.ndarray:
    """Codes from the prior, `[count, latent]`, the same at every call."""
    return prior.sample(count, seed=np.array([0, 0], np.int32)).numpy()


def moments(prior: tfd.Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each latent, `[latent]`, of draws where none are known."""
    try:
        return prior.mean().numpy(), prior.stddev().numpy()
    except NotImplementedError:
        codes = draws(prior, _NUM_DRAWN)
        return codes.mean(axis=0), codes.std(axis=0)


def _is_normal(distribution):
    return isinstance(distribution, tfd.Independent) and isinstance(
        distribution.distribution, tfd.Normal
    )
