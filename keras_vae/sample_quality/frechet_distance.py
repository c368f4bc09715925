"""The Frechet distance of two sets of points, each taken for a Gaussian."""

import numpy as np

from keras_vae.sample_quality.checks import checked_pair


def frechet_distance(real, generated) -> dict[str, float]:
    """The squared Frechet distance between the Gaussians of equal mean and covariance.

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)) (Dowson & Landau, "The Frechet distance between
    multivariate normal distributions", 1982, equation 16), which Heusel et al., "GANs trained by a
    two time-scale update rule converge to a local Nash equilibrium" (2017), equation 6, take in the
    features of an Inception network. It is biased upwards by about the number of features over the
    number of points, so compare sets of the same sizes.

    Args:
        real: Points `[n, features]`, more than features.
        generated: Points `[m, features]`, likewise.

    Returns:
        `frechet_distance`, and its two parts: `mean_part` and `covariance_part`. All in squared
        units of the features.

    Raises:
        ValueError: If the points are invalid or too few.
    """
    features = np.asarray(real).shape[-1] if np.ndim(real) else 0
    real, generated = checked_pair(real, generated, least=max(2, features + 1))
    mean_part = float(np.sum((real.mean(axis=0) - generated.mean(axis=0)) ** 2))
    covariance, other = (np.cov(points, rowvar=False, ddof=1) for points in (real, generated))
    covariance, other = np.atleast_2d(covariance), np.atleast_2d(other)
    # tr (S S')^(1/2) is the sum of the singular values of S^(1/2) S'^(1/2): no root of a matrix
    # that is not symmetric, which would come out complex.
    product = _root(covariance) @ _root(other)
    trace_of_root = np.linalg.svd(product, compute_uv=False).sum()
    covariance_part = float(np.trace(covariance) + np.trace(other) - 2 * trace_of_root)
    # Where both are the same, rounding may leave a little less than nothing.
    covariance_part = max(0.0, covariance_part)
    return {
        "frechet_distance": mean_part + covariance_part,
        "mean_part": mean_part,
        "covariance_part": covariance_part,
    }


def _root(covariance):
    """The symmetric root of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
