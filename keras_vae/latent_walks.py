"""Codes along which a latent space is walked: one latent at a time, or two as a grid."""

from collections.abc import Sequence

import numpy as np


def rows(latents: Sequence[int], values, centre) -> np.ndarray:
    """A row of codes for each latent, in which that latent alone takes the values.

    Args:
        latents: Which, counted from 0.
        values: `[steps]`.
        centre: `[latent]`. Where the other latents stay, such as the prior's mean.

    Returns:
        `[len(latents), steps, latent]`, float32.
    """
    codes = np.tile(np.asarray(centre, np.float32), (len(latents), len(values), 1))
    for row, latent in enumerate(latents):
        codes[row, :, latent] = values
    return codes


def grid(latents: tuple[int, int], values, centre) -> np.ndarray:
    """Codes over two latents: the first takes the values down the rows, the second along them.

    Args:
        latents: `(rows, columns)`, counted from 0.
        values: `[steps]`.
        centre: `[latent]`. Where the other latents stay.

    Returns:
        `[steps, steps, latent]`, float32.
    """
    down, along = latents
    codes = np.tile(np.asarray(centre, np.float32), (len(values), len(values), 1))
    codes[:, :, down] = np.reshape(values, (-1, 1))
    codes[:, :, along] = values
    return codes


def between(start, end, num_steps: int) -> np.ndarray:
    """A row of codes for each pair, at equal distances on the line between the two.

    Args:
        start: `[n, latent]`.
        end: `[n, latent]`.
        num_steps: Int. Codes a row, both ends included.

    Returns:
        `[n, num_steps, latent]`, float32.
    """
    share = np.linspace(0, 1, num_steps, dtype=np.float32)[:, None]
    start, end = (np.asarray(codes, np.float32)[:, None] for codes in (start, end))
    return (1 - share) * start + share * end
