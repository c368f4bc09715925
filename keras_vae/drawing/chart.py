"""One pair of axes that is drawn again and again."""

import numpy as np
from PIL import Image

from keras_vae.drawing.palette import GRID

_LEFT, _BOTTOM, _RIGHT, _TOP = 82, 54, 24, 16
_LEGEND_LINE = 19


class Chart:
    """One pair of axes that remembers its lines, so that drawing again only moves them.

    A chart that is passed again is drawn again in a fraction of the time that a new one takes,
    which is what a callback that draws after every epoch needs.

    Args:
        size: Width and height in pixels. Defaults to `(640, 440)`.
    """

    def __init__(self, size: tuple[int, int] = (640, 440)):
        # Imported here because it takes a third of a second.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="white")
        self._size = size
        self._canvas = FigureCanvasAgg(figure)
        self.axes = figure.add_axes(self._box(legend_lines=1))
        self.axes.grid(color=GRID, linewidth=0.7)
        self.axes.set_axisbelow(True)
        self.axes.tick_params(labelsize=9)
        for side in ("top", "right"):
            self.axes.spines[side].set_visible(False)
        self._lines: dict = {}
        self._texts: dict = {}
        self._shown: set = set()
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
            self._place_label(axis, name)
        if logarithmic:
            low, high = low / 1.12, high * 1.12
            ticks, minor, formatter = _logarithmic_ticks(low, high)
        else:
            margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
            low, high = low - margin, high + margin
            ticks, minor, formatter = _linear_ticks(low, high)
        # Fixed, because a locator is asked several times a picture.
        axis.set_major_locator(ticker.FixedLocator(_within(ticks, low, high)))
        axis.set_minor_locator(ticker.FixedLocator(_within(minor, low, high)))
        axis.set_major_formatter(formatter)
        axis.set_minor_formatter(ticker.NullFormatter())
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

    def _place_label(self, axis, name):
        """Puts an axis's label at the edge: elsewhere its place is found from all tick labels."""
        from matplotlib.transforms import IdentityTransform, blended_transform_factory

        pixels, middle = IdentityTransform(), self.axes.transAxes
        if name == "x":
            axis.set_label_coords(0.5, 19, blended_transform_factory(middle, pixels))
        else:
            axis.set_label_coords(19, 0.5, blended_transform_factory(pixels, middle))

    def _box(self, legend_lines):
        """Where the axes stand. Margins are fixed: finding them takes longer than drawing."""
        width, height = self._size
        top = _TOP + legend_lines * _LEGEND_LINE
        across, up = width - _LEFT - _RIGHT, height - _BOTTOM - top
        return _LEFT / width, _BOTTOM / height, across / width, up / height

    def _write_legend(self):
        labelled = {
            line.get_label(): line
            for key, line in self._lines.items()
            if key in self._shown and not line.get_label().startswith("_")
        }
        known = [text.get_text() for text in self._legend.get_texts()] if self._legend else None
        if known == list(labelled):
            return
        # As many columns as fit: at least one.
        for columns in range(max(1, len(labelled)), 0, -1):
            # Above the axes it hides no point, on the right not the exponent of the losses' axis.
            self._legend = self.axes.legend(
                labelled.values(),
                labelled.keys(),
                loc="lower right",
                bbox_to_anchor=(1.01, 0.99),
                ncols=columns,
                columnspacing=1.4,
                handlelength=1.6,
                fontsize=9,
                frameon=False,
            )
            if self._legend.get_window_extent().width < self._size[0] - _LEFT:
                break
        self.axes.set_position(self._box(legend_lines=-(-len(labelled) // columns)))


def finite(*axes):
    """Float arrays `[n]` of the points at which all axes are finite."""
    axes = np.broadcast_arrays(*(np.asarray(axis, float) for axis in axes))
    everywhere = np.isfinite(axes).all(axis=0)
    return [axis[everywhere] for axis in axes]


def _linear_ticks(low, high):
    """Ticks, minor ticks and how to write the first."""
    from matplotlib import ticker

    formatter = ticker.ScalarFormatter()
    formatter.set_powerlimits((-3, 5))
    return ticker.MaxNLocator(5).tick_values(low, high), [], formatter


def _logarithmic_ticks(low, high):
    """Ticks, minor ticks and how to write the first."""
    from matplotlib import ticker

    # Within a decade 1, 2 and 5 may leave one tick.
    if high < 10 * low:
        return _linear_ticks(low, high)
    # Beyond three decades powers of ten are enough, and minor ticks would take most of the time.
    few = high < 1000 * low
    ticks = ticker.LogLocator(subs=(1, 2, 5) if few else (1,), numticks=10).tick_values(low, high)
    minor = ticker.LogLocator(subs=range(2, 10)).tick_values(low, high) if few else []
    if few or (low >= 1e-3 and high < 1e5):
        return ticks, minor, ticker.StrMethodFormatter("{x:g}")
    return ticks, minor, ticker.LogFormatterSciNotation()


def _within(ticks, low, high):
    return [tick for tick in ticks if low <= tick <= high]
