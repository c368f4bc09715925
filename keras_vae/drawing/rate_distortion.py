"""Models and epochs in the plane of rate and distortion."""

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image

from keras_vae.drawing.chart import Chart, finite
from keras_vae.drawing.palette import MUTED, PALETTE

_RATE = "rate: KL(q(z|x) || p(z))  [nats]"
_DISTORTION = "distortion: -log p(x|z)  [nats]"
# Pixels along a diagonal that an ELBO takes.
_LEVEL_LENGTH = 66
# The plane holds training from a sixteenth of its steps on.
_LATER = 16


def rate_distortion(
    paths: Mapping[str, tuple],
    chart: Chart | None = None,
    xlabel: str = _RATE,
    ylabel: str = _DISTORTION,
) -> Image.Image:
    """The path that training takes in the plane of rate and distortion, step by step.

    The rate is KL(q(z|x) || p(z)), the distortion -log p(x|z). Diagonals join the points of equal
    ELBO = -(rate + distortion), as in figure 1 of Alemi et al., "Fixing a Broken ELBO" (2018).

    Args:
        paths: `{name: (steps, rates, distortions)}`, the last two in nats; NaN where there is none.
            The first path is training's. The last has the steps of its ends written on it.
        chart: To draw into. Defaults to `None`: a new one.
        xlabel: What the rates' axis shows, with its unit. Defaults to
            `"rate: KL(q(z|x) || p(z))  [nats]"`.
        ylabel: The same of the distortions. Defaults to `"distortion: -log p(x|z)  [nats]"`.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart((520, 480))
    paths = {name: finite(*path) for name, path in paths.items()}
    paths = {name: path for name, path in paths.items() if len(path[0])}
    if not paths:
        return chart.picture()
    within = {name: slice(None) for name in paths}
    training, (steps, *_) = next(iter(paths.items()))
    if len(steps) > 3:
        # Beside the start from nothing all else would look alike: the path comes in from outside.
        within[training] = slice(max(1, np.searchsorted(steps, steps[-1] / _LATER)), None)
    shown = np.concatenate(
        [np.stack(path[1:], axis=1)[within[name]] for name, path in paths.items()]
    )
    _plane(chart, shown, xlabel, ylabel)
    for color, (name, (_, x, y)) in zip(PALETTE, paths.items(), strict=False):
        chart.line(name, x, y, color=color, marker="o", markersize=4, linewidth=1.4, label=name)
    name, path = list(paths.items())[-1]
    numbered = [axis[within[name]] for axis in path]
    for index in sorted({0, len(numbered[0]) - 1}):
        step, x, y = (axis[index] for axis in numbered)
        _label(chart, f"end {index > 0}", x, y, f"step {step:g}")
    return chart.picture()


def rate_distortion_points(
    points: Mapping[str, tuple],
    chart: Chart | None = None,
    xlabel: str = _RATE,
    ylabel: str = _DISTORTION,
) -> Image.Image:
    """Where trained models lie in the plane of rate and distortion, joined in the order given.

    Axes and diagonals are those of `rate_distortion`.

    Args:
        points: `{label: (rates, distortions)}` in nats, one of each a model: those of one label,
            such as the seeds of one beta, are drawn as dots, and their means are joined. Labels of
            means that lie too close to be told apart are written as one.
        chart: To draw into. Defaults to `None`: a new one.
        xlabel: What the rates' axis shows, as `rate_distortion` takes it.
        ylabel: The same of the distortions.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart((640, 520))
    stacked = {label: np.stack(finite(*pair), axis=1) for label, pair in points.items()}
    models_of = {label: models for label, models in stacked.items() if len(models)}
    if not models_of:
        return chart.picture(legend=False)
    everything = np.concatenate(list(models_of.values()))
    _plane(chart, everything, xlabel, ylabel)
    means = np.stack([models.mean(axis=0) for models in models_of.values()])
    style = {"color": PALETTE[0], "linewidth": 1.4}
    chart.line("means", *means.T, **style, marker="o", markersize=5, label="mean")
    style = {"color": PALETTE[1], "linestyle": "none", "marker": ".", "markersize": 4}
    chart.line("models", *everything.T, **style, zorder=3, label="single models")
    size = np.maximum(np.ptp(everything, axis=0), 1e-9)
    names = list(models_of)
    while names:
        x, y = means[0]
        near = (np.abs(means - means[0]) / size < 0.03).all(axis=1)
        label = ", ".join(name for name, close in zip(names, near, strict=True) if close)
        _label(chart, f"label {label}", x, y, label)
        names = [name for name, close in zip(names, near, strict=True) if not close]
        means = means[~near]
    return chart.picture()


def _plane(chart, shown, xlabel, ylabel):
    """Axes that hold the points `[n, 2]`, and lines of equal ELBO across them."""
    from matplotlib import ticker

    (left, bottom), (right, top) = shown.min(axis=0), shown.max(axis=0)
    chart.scale("x", left, right, False, xlabel)
    chart.scale("y", bottom, top, False, ylabel)
    (left, right), (bottom, top) = chart.axes.get_xlim(), chart.axes.get_ylim()
    levels = ticker.MaxNLocator(6).tick_values(left + bottom, right + top)
    levels = [level for level in levels if left + bottom < level < right + top]
    for index, level in enumerate(levels):
        chart.line(
            f"diagonal {index}",
            [left, right],
            [level - left, level - right],
            color=MUTED,
            linewidth=0.8,
            linestyle="--",
            label="equal ELBO" if index == 0 else "_",
            zorder=1,
        )
        _write_level(chart, f"level {index}", level, shown)


def _write_level(chart, key, level, shown):
    """Writes an ELBO along its diagonal, where it is farthest from what is shown."""
    (left, right), (bottom, top) = chart.axes.get_xlim(), chart.axes.get_ylim()
    box = chart.axes.get_window_extent()
    # Pixels a nat.
    across, up = box.width / (right - left), box.height / (top - bottom)
    first, last = max(left, level - top), min(right, level - bottom)
    length = _LEVEL_LENGTH / math.hypot(across, up)
    if last - first < 1.5 * length:
        return
    starts = np.linspace(first + length / 8, last - 1.2 * length, 9)[:, None]
    path = np.stack(
        [
            np.interp(np.linspace(0, 1, 200), np.linspace(0, 1, len(shown)), axis)
            for axis in shown.T
        ],
        axis=1,
    )
    middles = np.concatenate([starts + length / 2, level - starts - length / 2], axis=1)
    distances = np.linalg.norm((middles[:, None] - path) * (across, up), axis=-1).min(axis=1)
    x = float(starts[distances.argmax(), 0])
    chart.text(
        key,
        x,
        level - x,
        f"ELBO {-level:g}".replace("-", "\N{MINUS SIGN}"),
        color=MUTED,
        fontsize=8,
        rotation=-math.degrees(math.atan2(up, across)),
        rotation_mode="anchor",
        verticalalignment="bottom",
    )


def _label(chart, key, x, y, text):
    """Writes a text beside a point: of one on the left upwards, of one on the right downwards.

    So it misses a path along which the distortion falls as the rate rises.
    """
    on_the_left = x < sum(chart.axes.get_xlim()) / 2
    chart.text(
        key,
        x,
        y,
        f"  {text}  ",
        horizontalalignment="left" if on_the_left else "right",
        verticalalignment="bottom" if on_the_left else "top",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0},
    )
