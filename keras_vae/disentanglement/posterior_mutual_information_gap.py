"""The mutual information gap (MIG) of q(z|x) itself."""

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.checks import checked_codes, checked_factors, checked_scales
from keras_vae.disentanglement.information import entropies
from keras_vae.disentanglement.mutual_information_gap import gap

# Rows of the table of all pairs that are held at once.
_ROWS = 512


def posterior_mutual_information_gap(
    loc, scale, factors, num_samples: int = 10_000, seed: int = 0
) -> dict[str, object]:
    """The mutual information gap with the noise of q(z|x), without bins.

    Chen, Li, Grosse & Duvenaud, "Isolating sources of disentanglement in variational autoencoders"
    (2018), equation 6, with I(z_j; v_k) = H(z_j) - H(z_j|v_k) as in their equation 5: the density
    of z_j is the mean of q(z_j|x_n) over all points, that given a value of v_k the mean over the
    points that have it. Both entropies are means over the same samples z ~ q(z|x_n), n drawn from
    the points.

    Other than of binned means, a latent that is dead, q(z_j|x) = p(z_j), has no information here.
    The score is lower where posteriors overlap, which is no fault of the disentanglement: compare
    models of one noise level, and say which of the two forms a score is of.

    The points should be a whole grid of factors, or many: where a value is seen at m points, the
    mixture of so few overestimates what it tells.

    Args:
        loc: `[n, latent]`, means of q(z|x) = N(loc, diag(scale^2)).
        scale: `[n, latent]`, positive standard deviations.
        factors: Integers `[n, num_factors]`. Continuous factors have no values to be given: cut
            them into bins first.
        num_samples: Int. Samples that the entropies are means over. The time is `num_samples` times
            n times the latents. Defaults to `10_000`.
        seed: Int. Of the samples. Defaults to `0`.

    Returns:
        As `mutual_information_gap`; sampling noise may leave a mutual information a little below 0.

    Raises:
        ValueError: If the arrays or an argument are invalid, a factor is continuous or has one
            value only.
    """
    loc = checked_codes(loc, "loc", least_latents=2)
    scale = checked_scales(scale, loc.shape)
    factors = checked_factors(factors, loc)
    if factors.continuous.any():
        raise ValueError(
            "The mutual information gap from q(z|x) needs discrete factors, integers "
            "[n, num_factors]. Received: floats. Cut them into bins, for example by "
            "`np.digitize`, or use `mutual_information_gap`."
        )
    generator = np.random.default_rng(arguments.seed("seed", seed))
    rows = generator.integers(len(loc), size=arguments.count("num_samples", num_samples))
    noise = generator.standard_normal((len(rows), loc.shape[1]))
    values = factors.values.astype(np.int64)
    sizes = values.max(axis=0) + 1
    # One product with these gives the sums over the points of each value of each factor.
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    members = np.zeros((len(loc), sizes.sum()), np.float32)
    for start, column in zip(starts, values.T, strict=True):
        members[np.arange(len(loc)), start + column] = 1
    shares = np.log(members.mean(axis=0, dtype=np.float64))[starts + values[rows]]
    information = np.empty((loc.shape[1], factors.num_factors))
    for latent in range(loc.shape[1]):
        information[latent] = _information(
            loc[:, latent], scale[:, latent], rows, noise[:, latent], members, starts + values
        ) - shares.mean(axis=0)
    return gap(information, entropies(values))


def _information(loc, scale, rows, noise, members, columns):
    """The mean over samples of log (sum of the densities of a value / sum of all), `[factors]`."""
    codes = (loc[rows] + scale[rows] * noise).astype(np.float32)
    loc, precision = loc.astype(np.float32), (1 / scale).astype(np.float32)
    log_precision = np.log(precision)
    total = 0.0
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        density = (codes[part, np.newaxis] - loc) * precision
        density = log_precision - 0.5 * density**2
        # A sample's own point belongs to all its values: its density keeps each sum above 0.
        own = density[np.arange(len(density)), rows[part]]
        density -= np.minimum(density.max(axis=1), own + 60)[:, np.newaxis]
        density = np.exp(density)
        sums = np.take_along_axis(density @ members, columns[rows[part]], axis=1)
        total += np.sum(np.log(sums) - np.log(density.sum(axis=1))[:, np.newaxis], axis=0)
    return total / len(rows)
