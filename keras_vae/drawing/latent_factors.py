"""Which latent goes with which factor, as colours."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_vae.drawing.encoding import rendered
from keras_vae.drawing.heat_map import coloured

# More numbers than these would be too small to read.
_ROWS, _COLUMNS = 20, 10


def latent_factors(
    values,
    factor_names: Sequence[str],
    label: str,
    latents: Sequence[str] | None = None,
    size: tuple[int, int] = (640, 440),
) -> Image.Image:
    """One row a latent, one column a factor.

    Latents stand in the order of the factor that they have most of, the strongest first, so that
    disentangled ones are a diagonal and copies stand below each other; those that have less than a
    fifth of the greatest value come last.

    Args:
        values: `[latent, num_factors]`, at least 0: importances as of `dci`, or mutual information.
            Black is 0, and what is not finite is grey.
        factor_names: `[num_factors]`.
        label: What the colour shows, with its unit.
        latents: Names of the latents. Defaults to `None`: z0, z1 and so on.
        size: Width and height in pixels. Defaults to `(640, 440)`.

    Returns:
        A picture, RGB.

    Raises:
        ValueError: If the names do not fit the values.
    """
    values = np.asarray(values, float)
    if latents is None:
        latents = [f"z{latent}" for latent in range(len(values))]
    if values.ndim != 2 or not values.size or values.shape != (len(latents), len(factor_names)):
        raise ValueError(
            "Values and names do not fit. Expected: values [latent, num_factors] and a name for "
            f"each factor. Received: shape {values.shape}, {len(latents)} latents and "
            f"{len(factor_names)} factors"
        )
    order = sorted_latents(values)
    shown = values[order]
    axes = coloured([column - 0.5 for column in range(len(factor_names) + 1)], shown, label, size)
    axes.set_xticks(range(len(factor_names)), factor_names)
    axes.set_yticks(range(len(order)), [latents[latent] for latent in order])
    if len(order) > _ROWS:
        axes.set_yticks(axes.get_yticks()[:: -(-len(order) // _ROWS)])
    elif len(factor_names) <= _COLUMNS:
        highest = np.nanmax(np.where(np.isfinite(shown), shown, 0)) or 1
        for row, column in np.ndindex(shown.shape):
            if np.isfinite(shown[row, column]):
                # The colours of half the range and more are light.
                colour = "black" if shown[row, column] > 0.6 * highest else "white"
                place = {"ha": "center", "va": "center"}
                axes.text(column, row, f"{shown[row, column]:.2f}", color=colour, **place)
    return rendered(axes.figure)


def sorted_latents(values: np.ndarray) -> np.ndarray:
    """The order in which `latent_factors` shows latents.

    Args:
        values: `[latent, num_factors]`.

    Returns:
        Ints `[latent]`.
    """
    values = np.where(np.isfinite(values), values, 0)
    strongest = values.max(axis=1)
    # Whatever factor a weak latent has most of is chance, and would break up the diagonal.
    weak = strongest < 0.2 * values.max()
    return np.lexsort((-strongest, np.where(weak, 0, values.argmax(axis=1)), weak))
