"""Losses against the training step."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from keras_vae.drawing.chart import Chart, finite
from keras_vae.drawing.palette import PALETTE


def loss_curves(
    steps,
    curves: Mapping[str, Sequence[float]],
    points: tuple | None = None,
    chart: Chart | None = None,
    xlabel: str = "training step",
    ylabel: str = "loss",
) -> Image.Image:
    """Losses against the training step, both axes logarithmic.

    Where a value is zero or negative, as the loss of a density may be, the losses' axis is linear.

    Args:
        steps: Training steps, counted from 1, `[n]`.
        curves: `{name: one value a step}`; `None` or NaN where there is none.
        points: The same for validation, `(steps, curves)`, drawn as rings in the colours of the
            curves. Defaults to `None`.
        chart: To draw into. Defaults to `None`: a new one.
        xlabel: What the steps' axis shows. Defaults to `"training step"`.
        ylabel: What the losses' axis shows, with its unit, such as `"loss  [nats an image]"`.
            Defaults to `"loss"`.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart()
    point_steps, point_curves = points or ([], {})
    drawn = [(name, "", steps, values) for name, values in curves.items()]
    drawn += [(name, "validation", point_steps, values) for name, values in point_curves.items()]
    drawn = [(name, kind, *finite(x, y)) for name, kind, x, y in drawn]
    drawn = [line for line in drawn if len(line[2])]
    colors = dict(zip(curves, PALETTE * len(curves), strict=False))
    for name, kind, x, y in drawn:
        if kind:
            style: dict = {"marker": "o", "markerfacecolor": "white", "linestyle": "none"}
            style["label"] = "validation" if name == drawn[-1][0] else "_"
            style["zorder"] = 3
        else:
            style = {"linewidth": 1.6, "marker": ".", "markersize": 4, "label": _words(name)}
        chart.line(f"{name} {kind}", x, y, color=colors[name], **style)
    if drawn:
        all_x, all_y = (np.concatenate([line[axis] for line in drawn]) for axis in (2, 3))
        chart.scale("x", all_x.min(), max(all_x.max(), 2 * all_x.min()), True, xlabel)
        chart.scale("y", all_y.min(), all_y.max(), bool(all_y.min() > 0), ylabel)
    return chart.picture()


def _words(name):
    """A name in the logs as words: `reconstruction_loss` -> `reconstruction`, `kl_loss` -> `KL`."""
    words = name.removesuffix("_loss").replace("_", " ")
    return "KL" if words == "kl" else words
