"""Numbers in, chart out: loss curves, the rate-distortion path, a heat map over epochs.

Nothing here knows of models or of files. Charts are made with matplotlib's `Figure` and without
`pyplot`, so no window opens, no figure stays behind, and any thread may draw. A `Chart` that is
passed again is drawn again in a fraction of the time that a new one takes, which is what a callback
that draws after every epoch needs.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_COLORS = ("#1f4e79", "#d1495b", "#2a9d8f", "#e09f3e", "#7b5ea7", "#6b6b6b")
_MUTED = "#8a8a8a"


class Chart:
    """One pair of axes that remembers its lines, so that drawing again only moves them.

    Args:
        size: Width and height in pixels. Defaults to `(640, 440)`.
    """

    def __init__(self, size: tuple[int, int] = (640, 440)):
        # Imported here because it takes a third of a second.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="white")
        self._canvas = FigureCanvasAgg(figure)
        # Fixed margins: finding them anew takes longer than drawing.
        left, bottom, right, top = 78, 54, 24, 34
        width, height = size[0] - left - right, size[1] - bottom - top
        box = left / size[0], bottom / size[1], width / size[0], height / size[1]
        self.axes = figure.add_axes(box)
        self.axes.grid(color="#e4e4e4", linewidth=0.7)
        self.axes.set_axisbelow(True)
        for side in ("top", "right"):
            self.axes.spines[side].set_visible(False)
        self._lines = {}
        self._texts = {}
        self._shown = set()
        self._legend = None

    def line(self, key: str, x, y, **style):
        """Draws a line, or moves the one that the same key drew before.

        Args:
            key: What the line is; its label in the legend is `style["label"]`, if any.
            x: `[n]`.
            y: `[n]`.
            **style: As `matplotlib.lines.Line2D` takes it.
        """
        if key not in self._lines:
            (self._lines[key],) = self.axes.plot([], [])
        self._lines[key].set(data=(x, y), **style)
        self._shown.add(key)

    def text(self, key: str, x: float, y: float, text: str, **style):
        """Writes a text at a point, or moves and changes the one of the same key."""
        if key not in self._texts:
            self._texts[key] = self.axes.text(x, y, text, clip_on=True)
        self._texts[key].set(position=(x, y), text=text, **style)
        self._shown.add(key)

    def scale(self, name: str, low: float, high: float, logarithmic: bool, label: str):
        """Sets the range, ticks and label of an axis.

        Args:
            name: `"x"` or `"y"`.
            low: The least value to show.
            high: The greatest.
            logarithmic: Bool.
            label: What the axis shows, with its unit.
        """
        from matplotlib import ticker

        axis = self.axes.xaxis if name == "x" else self.axes.yaxis
        if axis.get_scale() != ("log" if logarithmic else "linear"):
            getattr(self.axes, f"set_{name}scale")("log" if logarithmic else "linear")
        if axis.get_label_text() != label:
            axis.set_label_text(label)
            # Without a fixed place the label's is found from the boxes of all tick labels.
            axis.set_label_coords(*((0.5, -0.095) if name == "x" else (-0.1, 0.5)))
        if logarithmic:
            low, high = low / 1.12, high * 1.12
            ticks = _logarithmic_ticks(low, high)
        else:
            margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
            low, high = low - margin, high + margin
            ticks = ticker.MaxNLocator(5).tick_values(low, high)
        ticks = [tick for tick in ticks if low <= tick <= high]
        axis.set_major_locator(ticker.FixedLocator(ticks))
        axis.set_minor_locator(ticker.NullLocator())
        axis.set_major_formatter(ticker.FixedFormatter([_tick_label(tick) for tick in ticks]))
        getattr(self.axes, f"set_{name}lim")(low, high)

    def picture(self, legend: bool = True) -> Image.Image:
        """Draws what was set since the last picture; lines and texts that were not are hidden.

        Args:
            legend: Bool. Whether a legend stands above the axes. Defaults to `True`.

        Returns:
            A picture, RGB.
        """
        for key, artist in {**self._lines, **self._texts}.items():
            artist.set_visible(key in self._shown)
        if legend:
            self._write_legend()
        self._shown = set()
        self._canvas.draw()
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3].copy())

    def _write_legend(self):
        labelled = {
            line.get_label(): line
            for key, line in self._lines.items()
            if key in self._shown and not line.get_label().startswith("_")
        }
        known = [text.get_text() for text in self._legend.get_texts()] if self._legend else None
        if known != list(labelled):
            # Above the axes it hides no point.
            self._legend = self.axes.legend(
                labelled.values(),
                labelled.keys(),
                loc="lower left",
                bbox_to_anchor=(-0.02, 0.99),
                ncols=max(1, len(labelled)),
                columnspacing=1.4,
                handlelength=1.6,
                fontsize=9,
                frameon=False,
            )


def loss_curves(
    steps,
    curves: Mapping[str, Sequence[float]],
    points: tuple | None = None,
    chart: Chart | None = None,
) -> Image.Image:
    """Losses against the training step, both axes logarithmic.

    Where a value is zero or negative, as the loss of a density may be, the losses' axis is linear.

    Args:
        steps: Training steps, counted from 1, `[n]`.
        curves: `{name: one value a step}`; `None` or NaN where there is none.
        points: The same for validation, `(steps, curves)`, drawn as rings in the colours of the
            curves. Defaults to `None`.
        chart: To draw into. Defaults to `None`: a new one.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart()
    point_steps, point_curves = points or ([], {})
    drawn = [(name, "", steps, values) for name, values in curves.items()]
    drawn += [(name, "validation", point_steps, values) for name, values in point_curves.items()]
    drawn = [(name, kind, *_finite(x, y)) for name, kind, x, y in drawn]
    drawn = [line for line in drawn if len(line[2])]
    colors = dict(zip(curves, _COLORS * len(curves), strict=False))
    for name, kind, x, y in drawn:
        if kind:
            style = {"marker": "o", "markerfacecolor": "white", "linestyle": "none"}
            style["label"] = "validation" if name == drawn[-1][0] else "_"
            style["zorder"] = 3
        else:
            style = {"linewidth": 1.6, "marker": ".", "markersize": 4, "label": _words(name)}
        chart.line(f"{name} {kind}", x, y, color=colors[name], **style)
    if drawn:
        x, y = (np.concatenate([line[axis] for line in drawn]) for axis in (2, 3))
        chart.scale("x", x.min(), max(x.max(), 2 * x.min()), True, "training step")
        chart.scale("y", y.min(), y.max(), bool(y.min() > 0), "loss")
    return chart.picture()


def rate_distortion(
    paths: Mapping[str, tuple], epochs: Sequence[int], chart: Chart | None = None
) -> Image.Image:
    """The path that training takes in the plane of rate and distortion, epoch by epoch.

    The rate is KL(q(z|x) || p(z)), the distortion -log p(x|z). Diagonals join the points of equal
    ELBO = -(rate + distortion), as in figure 1 of Alemi et al., "Fixing a Broken ELBO" (2018).

    Args:
        paths: `{name: (rates, distortions)}` in nats, one of each an epoch; NaN where there is
            none. The first path is training's. The last has the numbers of its first and last epoch
            written on it.
        epochs: Numbers of those epochs.
        chart: To draw into. Defaults to `None`: a new one.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart((520, 480))
    shown = [np.stack(_finite(*path), axis=1) for path in paths.values()]
    if len(epochs) > 3:
        # The mean of training's first epoch covers the start from nothing, beside which all else
        # would look alike: the path comes in from outside.
        shown[0] = shown[0][1:]
    shown = np.concatenate(shown)
    if not len(shown):
        return chart.picture()
    (left, bottom), (right, top) = shown.min(axis=0), shown.max(axis=0)
    chart.scale("x", left, right, False, "rate: KL(q(z|x) || p(z))  [nats]")
    chart.scale("y", bottom, top, False, "distortion: -log p(x|z)  [nats]")
    _diagonals(chart)
    for color, (name, path) in zip(_COLORS, paths.items(), strict=False):
        x, y = _finite(*path)
        chart.line(name, x, y, color=color, marker="o", markersize=4, linewidth=1.4, label=name)
    rates, distortions = list(paths.values())[-1]
    numbered = _finite(rates, distortions, epochs)
    for index in sorted({0, len(numbered[0]) - 1}) if len(numbered[0]) else ():
        x, y, epoch = (axis[index] for axis in numbered)
        on_the_left = x < sum(chart.axes.get_xlim()) / 2
        chart.text(
            f"end {index > 0}",
            x,
            y,
            f"  epoch {epoch:g}  ",
            horizontalalignment="left" if on_the_left else "right",
            verticalalignment="center",
            fontsize=9,
        )
    return chart.picture()


def rate_distortion_points(points: Mapping[str, tuple], chart: Chart | None = None) -> Image.Image:
    """Where trained models lie in the plane of rate and distortion, joined in the order given.

    Axes and diagonals are those of `rate_distortion`.

    Args:
        points: `{label: (rates, distortions)}` in nats, one of each a model: those of one label,
            such as the seeds of one beta, are drawn as dots, and their means are joined. Labels of
            means that lie too close to be told apart are written as one.
        chart: To draw into. Defaults to `None`: a new one.

    Returns:
        A picture, RGB.
    """
    chart = chart or Chart((640, 520))
    points = {label: np.stack(_finite(*pair), axis=1) for label, pair in points.items()}
    points = {label: models for label, models in points.items() if len(models)}
    if not points:
        return chart.picture(legend=False)
    everything = np.concatenate(list(points.values()))
    (left, bottom), (right, top) = everything.min(axis=0), everything.max(axis=0)
    chart.scale("x", left, right, False, "rate: KL(q(z|x) || p(z))  [nats]")
    chart.scale("y", bottom, top, False, "distortion: -log p(x|z)  [nats]")
    _diagonals(chart)
    means = np.stack([models.mean(axis=0) for models in points.values()])
    style = {"color": _COLORS[0], "linewidth": 1.4}
    chart.line("means", *means.T, **style, marker="o", markersize=5, label="mean")
    style = {"color": _COLORS[1], "linestyle": "none", "marker": ".", "markersize": 4}
    chart.line("models", *everything.T, **style, zorder=3, label="single models")
    size = np.maximum([right - left, top - bottom], 1e-9)
    while points:
        first = means[0]
        near = (np.abs(means - first) / size < 0.03).all(axis=1)
        label = ", ".join(name for name, close in zip(points, near, strict=True) if close)
        on_the_left = first[0] < (left + right) / 2
        chart.text(
            f"label {label}",
            first[0],
            first[1] + 0.015 * size[1],
            f"  {label}  ",
            horizontalalignment="left" if on_the_left else "right",
            verticalalignment="bottom",
            fontsize=10,
        )
        names = [name for name, close in zip(points, near, strict=True) if not close]
        points, means = {name: points[name] for name in names}, means[~near]
    return chart.picture()


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
    values = np.asarray(values, float).T
    finite = np.isfinite(values)
    highest = max(values[finite].max(initial=0.0), 1e-6)
    shades = np.where(finite, np.clip(values, 0, highest), 0) / highest
    colors = np.where(finite[..., None], _colors(shades), np.uint8(128))

    width, height = size
    left, top, right, bottom = 56, 36, width - 92, height - 48
    picture = Image.new("RGB", size, "white")
    cells = Image.fromarray(colors).resize((right - left, bottom - top), Image.Resampling.NEAREST)
    picture.paste(cells, (left, top))
    bar = Image.fromarray(_colors(np.linspace(1, 0, bottom - top)[:, None]))
    picture.paste(bar.resize((18, bottom - top)), (right + 20, top))

    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(13)

    def write(x, y, text, anchor):
        draw.text((x, y), text, fill=(30, 30, 30), font=font, anchor=anchor)

    for row in _some(len(values), 20):
        write(left - 8, top + (row + 0.5) * (bottom - top) / len(values), f"z{row}", "rm")
    for column in _some(len(epochs), 16):
        x = left + (column + 0.5) * (right - left) / len(epochs)
        write(x, bottom + 6, str(epochs[column]), "ma")
    write((left + right) / 2, height - 6, "epoch", "md")
    for share in np.linspace(0, 1, 5):
        y = bottom - share * (bottom - top)
        draw.line((right + 38, y, right + 42, y), fill=(30, 30, 30))
        write(right + 46, y, f"{share * highest:.3g}", "lm")
    write(left, 12, label, "la")
    return picture


def _colors(shades):
    """RGB bytes of shades in [0, 1], from black over red to pale yellow."""
    from matplotlib import colormaps

    return colormaps["magma"](shades, bytes=True)[..., :3]


def _some(count, most):
    """Evenly spaced indices below the count, at most so many."""
    return range(0, count, math.ceil(count / most))


def _diagonals(chart):
    """Lines of equal ELBO across the range that the axes show."""
    from matplotlib import ticker

    (left, right), (bottom, top) = chart.axes.get_xlim(), chart.axes.get_ylim()
    levels = ticker.MaxNLocator(6).tick_values(left + bottom, right + top)
    levels = [level for level in levels if left + bottom < level < right + top]
    box = chart.axes.get_window_extent()
    steepness = box.height / (top - bottom) / (box.width / (right - left))
    for index, level in enumerate(levels):
        chart.line(
            f"diagonal {index}",
            [left, right],
            [level - left, level - right],
            color=_MUTED,
            linewidth=0.8,
            linestyle="--",
            label="equal ELBO" if index == 0 else "_",
            zorder=1,
        )
        # Written along the diagonal where it enters the axes from the left or from above.
        x = max(left, level - top) + 0.015 * (right - left)
        if x > left + 0.8 * (right - left):
            continue
        chart.text(
            f"level {index}",
            x,
            level - x,
            f"ELBO {-level:g}",
            color=_MUTED,
            fontsize=8,
            rotation=-math.degrees(math.atan(steepness)),
            rotation_mode="anchor",
            verticalalignment="bottom",
        )


def _finite(*axes):
    """Float arrays of the points at which all axes are finite."""
    axes = np.broadcast_arrays(*(np.asarray(axis, float) for axis in axes))
    finite = np.isfinite(axes).all(axis=0)
    return [axis[finite] for axis in axes]


def _logarithmic_ticks(low, high):
    """Powers of ten, with 2 and 5 times those where the range is short."""
    decades = math.log10(high / low)
    digits = (1,) if decades > 2.5 else (1, 2, 5) if decades > 0.7 else range(1, 10)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    stride = max(1, math.ceil(len(exponents) / 9))
    ticks = [digit * 10.0**exponent for exponent in exponents[::stride] for digit in digits]
    inside = [tick for tick in ticks if low <= tick <= high]
    if len(inside) >= 3:
        return inside
    return np.linspace(low, high, 7)[1:-1]


def _tick_label(tick):
    if tick and (abs(tick) >= 1e6 or abs(tick) < 1e-4):
        return f"{tick:.3g}"
    return f"{tick:,.0f}" if abs(tick) >= 1000 else f"{tick:.4g}"


def _words(name):
    """A name in the logs as words: `reconstruction_loss` -> `reconstruction`, `kl_loss` -> `KL`."""
    words = name.removesuffix("_loss").replace("_", " ")
    return "KL" if words == "kl" else words
