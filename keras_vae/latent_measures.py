"""What a set of codes tells, in NumPy: KL by latent, active units, mutual information.

Codes are the parameters of q(z|x) = N(z; loc, diag(scale^2)) for n images, each `[n, latent]`; the
prior is N(0, I).
"""

import math

import numpy as np

# Rows of the table of all pairs that are held at once.
_ROWS = 256


def variance_of_means(loc) -> np.ndarray:
    """Var_x(E[z_i|x]) of each latent, over the images.

    Args:
        loc: `[n, latent]`.

    Returns:
        `[latent]`.
    """
    return np.var(np.asarray(loc, np.float64), axis=0)


def active_units(variance, threshold: float = 0.01) -> int:
    """The number of latents whose mean varies over the images.

    Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders" (2016), section 5.2: a unit is
    active if Var_x(E[z_i|x]) exceeds 0.01.

    Args:
        variance: Of the means, `[latent]`; see `variance_of_means`.
        threshold: Float. Defaults to `0.01`.
    """
    return int(np.count_nonzero(np.asarray(variance) > threshold))


def gaussian_kl(loc, scale) -> np.ndarray:
    """Mean over the images of KL(N(loc, scale^2) || N(0, 1)), in nats, `[latent]`.

    Args:
        loc: `[n, latent]`.
        scale: `[n, latent]`, at least 0; the KL of a scale of 0 is infinite.
    """
    loc, scale = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
    with np.errstate(divide="ignore"):
        return np.mean(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=0)


def mutual_information(loc, scale, noise) -> float:
    """I(x; z) between the images' index and the code, with the aggregate posterior q(z) over them.

    With one z_i ~ q(z|x_i) an image, the estimate of Hoffman & Johnson, "ELBO surgery" (2016), is

        1/n sum_i [log q(z_i|x_i) - log 1/n sum_j q(z_i|x_j)]

    so that the mean KL(q(z|x) || p(z)) splits into this and KL(q(z) || p(z)). Biased low as an
    estimate of the mutual information over all the data, and never above log n: n images cannot
    tell more. Takes n^2 evaluations of a density, and memory for 256 n of them.

    Args:
        loc: `[n, latent]`.
        scale: `[n, latent]`, positive.
        noise: Standard normal, `[n, latent]`: z_i = loc_i + scale_i * noise_i.

    Returns:
        Nats, between 0 and log n but for sampling noise below.
    """
    loc, scale, noise = (np.asarray(part, np.float64) for part in (loc, scale, noise))
    codes = loc + scale * noise
    precision = scale**-2
    log_volume = np.sum(np.log(scale), axis=1)
    # log q(z|x_j) but for a constant is linear in (z^2, z, 1): all pairs are one product.
    coordinates = np.concatenate([codes**2, codes, np.ones((len(codes), 1))], axis=1)
    constant = -0.5 * np.sum(loc**2 * precision, axis=1) - log_volume
    densities = np.concatenate([-0.5 * precision, loc * precision, constant[:, None]], axis=1).T
    own = -0.5 * np.sum(noise**2, axis=1) - log_volume
    total = 0.0
    for start in range(0, len(codes), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(codes)))
        density = coordinates[rows] @ densities
        # Where scales are small the product rounds; the largest term is known exactly.
        density[np.arange(len(rows)), rows] = own[rows]
        highest = density.max(axis=1)
        density -= highest[:, None]
        # Single precision, of which exponentials are several times faster, is enough in [0, 1].
        aggregate = np.exp(density.astype(np.float32)).mean(axis=1, dtype=np.float64)
        total += np.sum(own[rows] - highest - np.log(aggregate))
    # Rounding alone may pass the bound.
    return min(float(total) / len(codes), math.log(len(codes)))
