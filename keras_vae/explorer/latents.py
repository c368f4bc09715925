"""What a page says of each latent: how much it is used, where its codes lie, what it is called."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_vae import arguments, latent_measures
from keras_vae.distributions import is_factorized
from keras_vae.explorer import priors

# Of the greatest change that a latent makes to pictures; below it, none is seen.
_SEEN = 0.01
_BATCH = 200


@dataclass(frozen=True)
class Codes:
    """q(z|x) of some images: means and standard deviations, `[n, latent]`; KL by latent or none."""

    loc: np.ndarray
    scale: np.ndarray
    kl: np.ndarray | None

    @classmethod
    def of(cls, vae, images: np.ndarray, conditions) -> "Codes":
        """Encodes images.

        Args:
            vae: A built `keras_vae.VAE`.
            images: `[n, *event]`.
            conditions: One for each image, or `None`.
        """
        locs, scales, kls = [], [], []
        factorized = is_factorized(vae.prior_distribution())
        for start in range(0, len(images), _BATCH):
            batch = slice(start, start + _BATCH)
            posterior = vae.encode(images[batch], None if conditions is None else conditions[batch])
            locs.append(posterior.mean().numpy())
            scales.append(posterior.stddev().numpy())
            if factorized and is_factorized(posterior):
                kls.append(vae.kl_per_dimension(posterior).numpy())
        kl = np.concatenate(kls).mean(axis=0) if kls else None
        return cls(np.concatenate(locs), np.concatenate(scales), kl)


def names_of(names: Sequence[str | None] | None, latent_dim: int) -> list[str | None]:
    """The names that a user gave, one a latent; `None` for those that have none.

    Raises:
        ValueError: If they are not that many strings.
    """
    if names is None:
        return [None] * latent_dim
    is_list = isinstance(names, Sequence) and not isinstance(names, str)
    if not is_list or not all(name is None or isinstance(name, str) for name in names):
        raise arguments.invalid("names", "a list of strings, one a latent", names)
    if len(names) != latent_dim:
        raise ValueError(
            f"There must be a name for each of the {latent_dim} latents, in their order; `None` "
            f"leaves one unnamed. Received: {len(names)} names"
        )
    return [name or None for name in names]


def from_codes(codes: Codes) -> dict:
    """Use and ranges of the latents, by the codes of images.

    Most of what an image may be encoded to lies within two standard deviations of its mean: the
    range of a latent leaves out a hundredth of the images on either side.
    """
    variance = latent_measures.variance_of_means(codes.loc)
    low = np.quantile(codes.loc - 2 * codes.scale, 0.01, axis=0)
    high = np.quantile(codes.loc + 2 * codes.scale, 0.99, axis=0)
    measure = "variance of its means" if codes.kl is None else "nats of KL"
    use = variance if codes.kl is None else codes.kl
    # Fewer images than two have no variance.
    active = variance > 0.01 if len(codes.loc) > 1 else np.ones(len(use), bool)
    return {"measure": measure, "use": use, "active": active, "low": low, "high": high}


def from_prior(vae) -> dict:
    """Use and ranges of the latents where there are no images: by the prior and the decoder.

    A latent's use is how much the picture changes as it goes from two standard deviations of the
    prior below its mean to two above, a mean over the pixels.
    """
    centre, deviation = priors.moments(vae.prior_distribution())
    ends = []
    for side in (-2, 2):
        codes = np.tile(centre, (vae.latent_dim, 1))
        np.fill_diagonal(codes, centre + side * deviation)
        ends.append(vae.decode(codes.astype(np.float32)).mean().numpy())
    use = np.abs(ends[1] - ends[0]).reshape(vae.latent_dim, -1).mean(axis=1)
    return {
        "measure": "mean change of a pixel",
        "use": use,
        "active": use > _SEEN * use.max(initial=0.0),
        "low": centre - 3 * deviation,
        "high": centre + 3 * deviation,
    }


def described(found: dict, names: list[str | None]) -> list[dict]:
    """The latents as a page lists them, the most used first."""
    order = np.argsort(-found["use"], kind="stable")
    return [
        {
            "index": int(latent),
            "name": names[latent],
            "use": float(found["use"][latent]),
            "active": bool(found["active"][latent]),
            "low": float(found["low"][latent]),
            "high": float(found["high"][latent]),
        }
        for latent in order
    ]
