"""Images in rows and columns."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from keras_vae.drawing.font import font

_BACKGROUND = 255
_GAP = 6
# Pixels. What a grid's width aims at, and what neither side exceeds if its images allow.
_WIDTH, _LARGEST = 850, 1800
_LARGEST_SCALE = 8


def image_grid(
    images,
    row_labels: Sequence[str] | None = None,
    title: str | None = None,
    scale: int | None = None,
    padding: int = 2,
    column_labels: Sequence[str] | None = None,
    row_title: str | None = None,
    column_title: str | None = None,
) -> Image.Image:
    """Lays images out in rows and columns.

    Args:
        images: `[rows, columns, height, width, channels]`, floating point; grey ones may leave out
            the last axis. 0 is black and 1 is white (or full colour) in every picture; values
            beyond are clipped, never rescaled, so pictures compare from epoch to epoch.
        row_labels: A label to stand left of each row. Defaults to `None`.
        title: A line above the grid. Defaults to `None`.
        scale: Int. Side of a pixel in the picture. Defaults to `None`: from 1 to 8, so that the
            grid is about 850 pixels wide.
        padding: Int. Gap between images. Defaults to `2`.
        column_labels: A label to stand above each column, such as the values of a walk. Where they
            are too wide for their columns, every second is left out, or more. Defaults to `None`.
        row_title: What changes from row to row, upright on the left. Defaults to `None`.
        column_title: What changes from column to column, above their labels. Defaults to `None`.

    Returns:
        A picture: mode `"L"` (grey) for one channel, `"RGB"` for three.

    Raises:
        ValueError: If `images` has another rank, or not 1 or 3 channels, or if there is not one
            label a row or a column.
    """
    images = np.asarray(images, np.float32)
    shape = images.shape
    if images.ndim == 4:
        images = images[..., None]
    if images.ndim != 5 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Invalid value for argument `images`. Expected [rows, columns, height, width, "
            f"channels] with 1 or 3 channels. Received: shape {shape}"
        )
    rows, columns, height, width, channels = images.shape
    row_labels = _labels(row_labels, "row_labels", rows)
    column_labels = _labels(column_labels, "column_labels", columns)
    scale = scale or _scale(rows * height, columns * width)
    pixels = np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    cell_height, cell_width = height * scale + padding, width * scale + padding

    letters = font(min(max(11, cell_height // 5), 16))
    line = round(letters.size) + _GAP
    title_left = padding + (line if row_title else 0)
    left = title_left + max((_length(letters, text) + _GAP for text in row_labels), default=0)
    labels_top = padding + line * (bool(title) + bool(column_title))
    top = labels_top + (line if column_labels else 0)
    grid_width, grid_height = columns * cell_width, rows * cell_height
    picture_width = max(
        left + grid_width,
        _length(letters, title or "") + 2 * padding,
        left + _length(letters, column_title or "") + padding,
    )
    picture_height = max(top + grid_height, top + _length(letters, row_title or "") + padding)
    canvas = np.full((picture_height, picture_width, channels), _BACKGROUND, dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            y, x = top + row * cell_height, left + column * cell_width
            canvas[y : y + height * scale, x : x + width * scale] = pixels[row, column]
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((padding + 1, padding), title, fill=0, font=letters)
    if column_title:
        middle = left + max(grid_width - padding, _length(letters, column_title)) / 2
        at = middle, labels_top - _GAP / 2
        draw.text(at, column_title, fill=0, font=letters, anchor="md")
    if row_title:
        upright = _upright(row_title, letters, line)
        below = max(0, grid_height - padding - upright.height) // 2
        picture.paste(upright.convert(picture.mode), (padding, top + below))
    for row, text in enumerate(row_labels):
        middle = top + row * cell_height + height * scale / 2
        draw.text((left - _GAP, middle), text, fill=0, font=letters, anchor="rm")
    widest = max((_length(letters, text) + _GAP for text in column_labels), default=0)
    every = -(-widest // cell_width) or 1
    for column in range(0, len(column_labels), every):
        middle = left + column * cell_width + width * scale / 2
        at = middle, top - _GAP / 2
        draw.text(at, column_labels[column], fill=0, font=letters, anchor="md")
    return picture


def _scale(height, width):
    """Side of a pixel in a grid whose images are so high and wide together."""
    scale = min(_LARGEST_SCALE, round(_WIDTH / width), _LARGEST // height)
    return max(1, scale)


def _labels(labels, argument, count):
    labels = list(labels or ())
    if labels and len(labels) != count:
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected {count} labels, one for each. "
            f"Received: {len(labels)}"
        )
    return labels


def _length(letters, text):
    return round(letters.getlength(text))


def _upright(text, letters, line):
    """A picture of the text, to be read from below."""
    picture = Image.new("L", (_length(letters, text), line), _BACKGROUND)
    ImageDraw.Draw(picture).text((0, 0), text, fill=0, font=letters)
    return picture.transpose(Image.Transpose.ROTATE_90)
