"""Codes as points of a plane."""

import numpy as np

from keras_vae.drawing.palette import PALETTE, TINTS


def latent_map(
    points,
    labels=None,
    limit: float = 4.0,
    axis_labels: tuple[str, str] = ("z0", "z1"),
    title: str | None = None,
):
    """Codes as points of a plane, coloured by label.

    Args:
        points: `[n, 2]`, floating point. Points beyond the limit are left out.
        labels: `[n]`, at most 20 different values, each of which gets a colour and a line of the
            legend. Defaults to `None`: all of one colour.
        limit: Float. Both axes run from `-limit` to `limit`. Defaults to `4.0`.
        axis_labels: Names of the two axes. Defaults to `("z0", "z1")`.
        title: Defaults to `None`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    # Axes at fixed places: a layout engine would double the time that a picture takes.
    figure = Figure(figsize=(5.4, 4.9), dpi=100)
    axes = figure.add_axes((0.12, 0.1, 0.735, 0.81), xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set_xlabel(axis_labels[0], labelpad=2)
    axes.set_ylabel(axis_labels[1], labelpad=0)
    names, indices = np.empty(0), np.zeros(len(points), int)
    if labels is not None:
        names, indices = np.unique(labels, return_inverse=True)
    colours = np.array([to_rgb(colour) for colour in (*PALETTE, *TINTS)])
    # One call, in the order of the points: label by label, the last would lie above all others.
    x, y = np.asarray(points, np.float32).T
    axes.scatter(x, y, s=6, c=colours[indices], linewidths=0)
    for name, colour in zip(names, colours, strict=False):
        axes.plot([], [], "o", markersize=5, color=colour, label=str(name))
    if labels is not None:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, handletextpad=0)
    if title:
        axes.set_title(title, fontsize="medium")
    return figure
