"""Arrays in, picture out: image grids with Pillow, curves with matplotlib.

Nothing here knows of models or of files. Figures are made without `pyplot`, so no window opens, no
figure stays behind, and any thread may draw.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = 255
_LABEL_SIZE = 11


def image_grid(
    images,
    row_labels: Sequence[str] | None = None,
    title: str | None = None,
    scale: int | None = None,
    padding: int = 2,
) -> Image.Image:
    """Lays images out in rows and columns.

    Args:
        images: `[rows, columns, height, width, channels]`, floating point. 0 is black and 1 is
            white (or full colour) in every picture; values beyond are clipped, never rescaled, so
            pictures compare from epoch to epoch.
        row_labels: A label to stand left of each row. Defaults to `None`.
        title: A line above the grid. Defaults to `None`.
        scale: Int. Side of a pixel in the picture. Defaults to `None`: so that an image is about 56
            pixels high.
        padding: Int. Gap between images. Defaults to `2`.

    Returns:
        A picture, RGB.

    Raises:
        ValueError: If `images` has another rank, or not 1 or 3 channels.
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 5 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "`images` must be [rows, columns, height, width, channels] with 1 or 3 channels. "
            f"Received: shape {images.shape}"
        )
    rows, columns, height, width, _ = images.shape
    scale = scale or max(1, round(56 / height))
    pixels = np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (*images.shape[:-1], 3))
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    cell_height, cell_width = height * scale + padding, width * scale + padding

    font = ImageFont.load_default(_LABEL_SIZE)
    left = padding + max((round(font.getlength(text)) + 6 for text in row_labels or ()), default=0)
    top = padding + (_LABEL_SIZE + 7 if title else 0)
    picture_width = left + columns * cell_width
    if title:
        picture_width = max(picture_width, round(font.getlength(title)) + 2 * padding)
    canvas = np.full((top + rows * cell_height, picture_width, 3), _BACKGROUND, np.uint8)
    for row in range(rows):
        for column in range(columns):
            y, x = top + row * cell_height, left + column * cell_width
            canvas[y : y + height * scale, x : x + width * scale] = pixels[row, column]
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((padding + 1, padding), title, fill=0, font=font)
    for row, text in enumerate(row_labels or ()):
        middle = top + row * cell_height + height * scale / 2
        draw.text((padding + 1, middle), text, fill=0, font=font, anchor="lm")
    return picture


def loss_curves(steps, curves: Mapping[str, Sequence[float]], title: str | None = None):
    """Losses against the training step, both axes logarithmic.

    Args:
        steps: Training steps, counted from 1.
        curves: `{name: one value a step}`. Values that a logarithm does not take are left out.
        title: Defaults to `None`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=100, layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="training step", ylabel="loss")
    steps = np.asarray(steps, float)
    for name, values in curves.items():
        values = np.asarray(values, float)
        shown = np.isfinite(values) & (values > 0)
        axes.plot(steps[shown], values[shown], marker="o", markersize=3, label=name)
    axes.grid(which="both", alpha=0.25)
    axes.legend()
    if title:
        axes.set_title(title)
    return figure


def png(picture) -> bytes:
    """A picture or a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, format="png")
    else:
        picture.savefig(buffer, format="png")
    return buffer.getvalue()
