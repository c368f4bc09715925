"""Arrays in, picture out: image grids with Pillow, curves and maps with matplotlib.

Nothing here knows of models or of files. Figures are made without `pyplot`, so no window opens, no
figure stays behind, and any thread may draw.
"""

import functools
import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = 255
_LABEL_SIZE = 11
_TITLE_HEIGHT = _LABEL_SIZE + 7
_GREY_LEVELS = [round(round(level * 63 / 255) * 255 / 63) for level in range(256)]


def image_grid(
    images,
    row_labels: Sequence[str] | None = None,
    title: str | None = None,
    scale: int | None = None,
    padding: int = 2,
) -> Image.Image:
    """Lays images out in rows and columns.

    Args:
        images: `[rows, columns, height, width, channels]`, floating point; grey ones may leave out
            the last axis. 0 is black and 1 is white (or full colour) in every picture; values
            beyond are clipped, never rescaled, so pictures compare from epoch to epoch.
        row_labels: A label to stand left of each row. Defaults to `None`.
        title: A line above the grid. Defaults to `None`.
        scale: Int. Side of a pixel in the picture. Defaults to `None`: so that an image is about 56
            pixels high.
        padding: Int. Gap between images. Defaults to `2`.

    Returns:
        A picture: mode `"L"` (grey) for one channel, `"RGB"` for three.

    Raises:
        ValueError: If `images` has another rank, or not 1 or 3 channels.
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
    scale = scale or max(1, round(56 / height))
    pixels = np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    cell_height, cell_width = height * scale + padding, width * scale + padding

    font = _font()
    left = padding + max((round(font.getlength(text)) + 6 for text in row_labels or ()), default=0)
    top = padding + (_TITLE_HEIGHT if title else 0)
    picture_width = left + columns * cell_width
    if title:
        picture_width = max(picture_width, round(font.getlength(title)) + 2 * padding)
    canvas = np.full(
        (top + rows * cell_height, picture_width, channels), _BACKGROUND, dtype=np.uint8
    )
    for row in range(rows):
        for column in range(columns):
            y, x = top + row * cell_height, left + column * cell_width
            canvas[y : y + height * scale, x : x + width * scale] = pixels[row, column]
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((padding + 1, padding), title, fill=0, font=font)
    for row, text in enumerate(row_labels or ()):
        middle = top + row * cell_height + height * scale / 2
        draw.text((padding + 1, middle), text, fill=0, font=font, anchor="lm")
    return picture


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
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    # Axes at fixed places: a layout engine would double the time that a picture takes.
    figure = Figure(figsize=(5.4, 4.9), dpi=100)
    axes = figure.add_axes((0.12, 0.1, 0.735, 0.81), xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set_xlabel(axis_labels[0], labelpad=2)
    axes.set_ylabel(axis_labels[1], labelpad=0)
    names, indices = [], np.zeros(len(points), int)
    if labels is not None:
        names, indices = np.unique(labels, return_inverse=True)
    colours = np.array(colormaps["tab10" if len(names) <= 10 else "tab20"].colors)
    # One call, in the order of the points: label by label, the last would lie above all others.
    axes.scatter(*np.asarray(points, np.float32).T, s=6, c=colours[indices], linewidths=0)
    for name, colour in zip(names, colours, strict=False):
        axes.plot([], [], "o", markersize=4, color=colour, label=str(name))
    if labels is not None:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, handletextpad=0)
    if title:
        axes.set_title(title, fontsize="medium")
    return figure


def rendered(figure) -> Image.Image:
    """A matplotlib figure as a picture, RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def png(picture) -> bytes:
    """A picture or a matplotlib figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        # Twice as fast as Pillow's own level 6, for files a tenth larger.
        picture.save(buffer, format="png", compress_level=3)
    else:
        picture.savefig(buffer, format="png")
    return buffer.getvalue()


def gif(
    pictures: Iterable[Image.Image], duration: float, captions: Sequence[str] | None = None
) -> bytes:
    """Pictures one after the other, as the bytes of a GIF file that repeats forever.

    Smaller pictures are padded on the right and below. All share one palette, so that no colour
    flickers: 64 evenly spaced levels if all are grey, otherwise 256 colours.

    Args:
        pictures: At least one.
        duration: Float. Seconds that each stays.
        captions: A line above each. Defaults to `None`.

    Returns:
        The file's content.
    """
    frames = [_grey_or_rgb(picture) for picture in pictures]
    mode = "L" if all(frame.mode == "L" for frame in frames) else "RGB"
    width = max(frame.width for frame in frames)
    height = max(frame.height for frame in frames)
    top = _TITLE_HEIGHT if captions else 0
    for index, frame in enumerate(frames):
        background = (_BACKGROUND,) * len(mode)
        frames[index] = canvas = Image.new(mode, (width, top + height), background)
        canvas.paste(frame, (0, top))
        if captions:
            ImageDraw.Draw(canvas).text((3, 2), captions[index], fill=0, font=_font())
    if mode == "RGB":
        palette = _shared_palette(frames)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    else:
        # Two thirds of the size with all 256 levels, and hardly to be told from them.
        frames = [frame.point(_GREY_LEVELS) for frame in frames]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="gif",
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 * duration),
        loop=0,
    )
    return buffer.getvalue()


def _grey_or_rgb(picture):
    """The picture in mode `"L"` if it has no colour, otherwise in mode `"RGB"`."""
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    picture = picture.convert("RGB")
    red, green, blue = (np.asarray(channel) for channel in picture.split())
    grey = np.array_equal(red, green) and np.array_equal(green, blue)
    return Image.fromarray(red) if grey else picture


def _shared_palette(frames, most=16):
    """A picture whose palette suits frames from the first to the last."""
    chosen = [frames[index] for index in np.linspace(0, len(frames) - 1, most, dtype=int)]
    pixels = np.concatenate([np.asarray(frame)[::2, ::2] for frame in chosen])
    palette = Image.fromarray(pixels).quantize(254)
    colours = np.zeros((256, 3), np.uint8)
    found = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[:254]
    colours[: len(found)] = found
    # Pillow takes any of several close colours, which would tint a background of pure white.
    colours[(colours >= 248).all(axis=1)] = 255
    colours[-1] = 255
    palette.putpalette(colours.tobytes())
    return palette


@functools.cache
def _font():
    return ImageFont.load_default(_LABEL_SIZE)
