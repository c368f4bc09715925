"""The total correlation of codes, as of a Gaussian of their covariance."""

import math

import numpy as np

from keras_vae.disentanglement.checks import checked_codes


def gaussian_total_correlation(codes) -> dict[str, object]:
    """How far the latents are from uncorrelated, without any factors.

    KL(N(0, S) || N(0, diag S)) = 1/2 (sum_i log S_ii - log det S), S the covariance of the codes:
    Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled
    representations" (2019), section 5.2, after Watanabe (1960). Lower is better.

    It sees correlations only. Independent latents that each mix several factors have 0, and so has
    noise: with it alone nothing is said of disentanglement. Locatello et al. found that a low total
    correlation of samples goes with no lower one of the means, which these are mostly.

    Of n independent points of independent latents it is about d (d - 1) / 4n, for d latents.

    Args:
        codes: `[n, latent]`, more points than latents.

    Returns:
        `score` in nats, at least 0: infinite if a latent is a linear function of others, such as a
        copy; `correlation` `[latent, latent]`. A constant latent is independent of all others:
        it adds nothing, and its correlations are 0.

    Raises:
        ValueError: If the codes are invalid, or no more points than latents.
    """
    codes = checked_codes(codes)
    if len(codes) <= codes.shape[1]:
        raise ValueError(
            "A covariance of so few points is singular, and its total correlation infinite. "
            f"Expected: more points than latents. Received: codes of shape {codes.shape}"
        )
    centred = codes - codes.mean(axis=0)
    deviation = centred.std(axis=0)
    alive = deviation > 1e-12 * np.abs(codes).max(axis=0)
    correlation = np.eye(codes.shape[1])
    if alive.any():
        standardized = centred[:, alive] / deviation[alive]
        correlation[np.ix_(alive, alive)] = standardized.T @ standardized / len(codes)
    # Of correlations, not covariances, whose determinant depends on the latents' units.
    spectrum = np.linalg.eigvalsh(correlation)
    singular = spectrum[0] <= len(correlation) * np.finfo(np.float32).eps
    score = math.inf if singular else max(0.0, float(-0.5 * np.log(spectrum).sum()))
    return {"score": score, "correlation": correlation}
