"""Events of any kind in rows and columns: images as they are, series as lines, rows as bars."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from keras_vae.drawing.image_grid import image_grid
from keras_vae.drawing.palette import GRID, MUTED, PALETTE
from keras_vae.event_kinds import event_kind

# Drawn so many times as large and then reduced, which smooths the lines.
_FINER = 3
_WIDTH, _NARROWEST, _WIDEST = 850, 72, 260
_MARGIN = 0.06


def event_grid(
    events,
    row_labels: Sequence[str] | None = None,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    **labels,
) -> Image.Image:
    """Lays events out in rows and columns.

    Args:
        events: `[rows, columns, *event]`, floating point: images as `image_grid` takes them, series
            `[time, features]`, each feature a line, or rows `[columns]`, each column a bar; see
            `keras_vae.event_kinds`. NaN is not drawn.
        row_labels: A label to stand left of each row. Defaults to `None`.
        title: A line above the grid. Defaults to `None`.
        limits: Values at the bottom and the top of series and rows, the same in all of them; what
            is beyond is cut off. Defaults to `None`: those of the events. The title tells them.
            Images have none: 0 is black and 1 is white.
        **labels: Further arguments of `image_grid`.

    Returns:
        A picture: mode `"L"` (grey) of grey images, otherwise `"RGB"`.

    Raises:
        ValueError: If events are of no kind that can be drawn, or there is not one label a row or
            a column.
    """
    events = np.asarray(events, np.float32)
    kind = event_kind(events.shape[2:])
    if kind == "images":
        return image_grid(events, row_labels, title, **labels)
    low, high = limits or span(events)
    width = int(np.clip(_WIDTH // events.shape[1], _NARROWEST, _WIDEST))
    draw = _lines if kind == "series" else _bars
    panels = [[_panel(event, draw, low, high, width) for event in row] for row in events]
    scale = f"{'lines' if kind == 'series' else 'bars'} from {low:.3g} to {high:.3g}"
    title = f"{title} ({scale})" if title else scale
    return image_grid(
        np.asarray(panels, np.float32) / 255, row_labels, title, scale=1, padding=6, **labels
    )


def span(*several, with_zero: bool = False) -> tuple[float, float]:
    """The least and the greatest of all values that are finite, and a little beyond.

    Args:
        *several: Arrays.
        with_zero: Bool. Whether 0 is to lie between them. Defaults to `False`.
    """
    finite = np.concatenate([values[np.isfinite(values)] for values in several])
    if with_zero or not finite.size:
        finite = np.append(finite, 0.0)
    low, high = float(finite.min()), float(finite.max())
    margin = _MARGIN * (high - low) or 0.5
    return low - margin, high + margin


def _panel(event, draw, low, high, width):
    """One event as pixels `[height, width, 3]`."""
    size = width * _FINER, max(48, width * 5 // 8) * _FINER
    picture = Image.new("RGB", size, "white")
    canvas = ImageDraw.Draw(picture)
    if np.isfinite(event).any():
        canvas.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=GRID, width=_FINER)

        def height(value):
            return (high - np.clip(value, low, high)) / (high - low) * (size[1] - 1)

        if low < 0 < high:
            canvas.line((0, height(0.0), size[0], height(0.0)), fill=GRID, width=_FINER)
        draw(canvas, event, height, size[0])
    return np.asarray(picture.resize((width, size[1] // _FINER), Image.Resampling.BOX))


def _lines(canvas, event, height, width):
    """A line for each feature, broken where nothing was observed."""
    places = (np.arange(len(event)) + 0.5) / len(event) * width
    for feature in reversed(range(event.shape[1])):
        colour = PALETTE[feature % len(PALETTE)]
        values = event[:, feature]
        ends = np.flatnonzero(np.diff(np.isfinite(values).astype(int))) + 1
        for part in np.split(np.arange(len(values)), ends):
            if not np.isfinite(values[part[0]]):
                continue
            points = list(zip(places[part], height(values[part]), strict=True))
            if len(points) == 1:
                (x, y), radius = points[0], _FINER
                canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
            else:
                canvas.line(points, fill=colour, width=2 * _FINER, joint="curve")


def _bars(canvas, event, height, width):
    """A bar for each column, from 0; a short stroke where nothing was observed."""
    room = width / len(event)
    for column, value in enumerate(event):
        left, right = (column + 0.15) * room, (column + 0.85) * room
        if np.isfinite(value):
            top, bottom = sorted((height(value), height(0.0)))
            canvas.rectangle((left, top, right, bottom), fill=PALETTE[0])
        else:
            middle = height(0.0)
            canvas.line((left, middle, right, middle), fill=MUTED, width=_FINER)
