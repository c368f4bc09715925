"""The mutual information gap (MIG), of codes that are cut into bins."""

import numpy as np

from keras_vae.disentanglement.checks import checked_codes, checked_factors
from keras_vae.disentanglement.information import information_matrix


def mutual_information_gap(
    codes, factors, num_bins: int = 20, bins: str = "width", continuous=None
) -> dict[str, object]:
    """How much more the best latent tells of each factor than the second best.

    Chen, Li, Grosse & Duvenaud, "Isolating sources of disentanglement in variational autoencoders"
    (2018), equation 6: 1/K sum_k [I(z_a; v_k) - I(z_b; v_k)] / H(v_k), where z_a and z_b are the
    two latents of the largest mutual information. Here it is that of binned codes, as in Locatello
    et al. (2019); `posterior_mutual_information_gap` takes q(z|x) itself, as Chen et al. do.

    1 if each factor is in one latent that tells it completely and in no other; 0 if two latents
    tell it equally well. The codes may tell more than one factor. Factors themselves as codes have
    1 if they have no more than `num_bins` values; those of dSprites, of up to 40, have 0.89.

    Pitfalls:

    - With bins of equal width, the published default, one outlier widens all bins and lowers the
      score; with `"quantile"` it does not, and neither does any rising function of a latent.
    - A latent that is dead for the decoder still has a mean that varies a little, and bins know no
      scale: its tiny variation counts as much as any. Leave dead latents out, or use
      `posterior_mutual_information_gap`.
    - n points bias each mutual information up by about (B - 1)(V - 1) / 2n nats for B bins and V
      values: compare scores at equal n only.

    Args:
        codes: `[n, latent]`, at least two latents; mostly posterior means.
        factors: `[n, num_factors]`. Integers are the values of discrete factors; floats are cut
            into bins as the codes are.
        num_bins: Int. Defaults to `20`.
        bins: `"width"` or `"quantile"`: bins of equal width from the least to the greatest code, or
            of equally many points. Defaults to `"width"`.
        continuous: Bool, or one a factor, in place of what the type of `factors` says. Defaults to
            `None`.

    Returns:
        `score`; `gaps` `[num_factors]`; `mutual_information` `[latent, num_factors]` and
        `entropies` `[num_factors]` in nats; `best_latents` `[num_factors]`. A constant code has no
        information; if all are constant, the score is 0.

    Raises:
        ValueError: If the arrays or an argument are invalid, a factor has one value only, or there
            are fewer points than bins.
    """
    codes = checked_codes(codes, least_latents=2)
    factors = checked_factors(factors, codes, continuous)
    information, entropies = information_matrix(codes, factors, num_bins, bins)
    if not np.all(entropies > 0):
        raise ValueError(
            f"Factor {np.argmin(entropies)} has nearly one value only: all its points fall into "
            "one bin of equally many. Pass `bins='width'`, or leave the column out."
        )
    return gap(information, entropies)


def gap(information: np.ndarray, entropies: np.ndarray) -> dict[str, object]:
    """The dict of `mutual_information_gap`, of what it is made of."""
    second, first = np.sort(information, axis=0)[-2:]
    gaps = (first - second) / entropies
    return {
        "score": float(gaps.mean()),
        "gaps": gaps,
        "mutual_information": information,
        "entropies": entropies,
        "best_latents": information.argmax(axis=0),
    }
