"""What each latent does over the epochs, as colours."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_vae.drawing.encoding import rendered

_LEFT, _BOTTOM, _RIGHT, _TOP = 58, 52, 104, 24


def heat_map(
    epochs: Sequence[int], values, label: str, size: tuple[int, int] = (640, 440)
) -> Image.Image:
    """One row a latent, one column an epoch.

    Args:
        epochs: Numbers of the epochs, rising, `[n]`.
        values: `[n, latent]`, at least 0. Black is 0, and what is not finite is grey.
        label: What the colour shows, with its unit.
        size: Width and height in pixels. Defaults to `(640, 440)`.

    Returns:
        A picture, RGB.
    """
    from matplotlib import ticker

    middles = np.asarray(epochs, float)
    between = (middles[1:] + middles[:-1]) / 2
    edges = [middles[0] - 0.5, *between, middles[-1] + 0.5]
    axes = coloured(edges, np.asarray(values, float).T, label, size)
    axes.set_xlabel("epoch")
    whole: dict = {"nbins": 12, "steps": [1, 2, 5, 10], "integer": True}
    axes.xaxis.set_major_locator(ticker.MaxNLocator(**whole))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(**whole))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("z{x:.0f}"))
    return rendered(axes.figure)


def coloured(edges: Sequence[float], values: np.ndarray, label: str, size: tuple[int, int]):
    """A table of values as colours, the first row on top, with a bar that tells them.

    Args:
        edges: Of the columns, rising, `[columns + 1]`.
        values: `[rows, columns]`, at least 0. Black is 0, and what is not finite is grey.
        label: Of the bar.
        size: Width and height in pixels.

    Returns:
        The axes of a figure; row i is at i.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    finite = np.isfinite(values)
    highest = values[finite].max(initial=0.0) or 1.0
    width, height = size

    def box(x, length):
        return x / width, _BOTTOM / height, length / width, (height - _BOTTOM - _TOP) / height

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    axes = figure.add_axes(box(_LEFT, width - _LEFT - _RIGHT))
    shown = axes.pcolormesh(
        edges,
        np.arange(len(values) + 1) - 0.5,
        np.ma.masked_where(~finite, values),
        cmap=colormaps["magma"].with_extremes(bad="#808080"),
        vmin=0,
        vmax=highest,
    )
    axes.invert_yaxis()
    bar = figure.colorbar(shown, cax=figure.add_axes(box(width - _RIGHT + 16, 16)))
    bar.set_label(label)
    return axes
