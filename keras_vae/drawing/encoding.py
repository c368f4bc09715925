"""Pictures as the bytes of PNG and GIF files."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from keras_vae.drawing.font import font

_CAPTION_SIZE = 13
_CAPTION_HEIGHT = _CAPTION_SIZE + 7
_GREY_LEVELS = [round(round(level * 63 / 255) * 255 / 63) for level in range(256)]


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
    top = _CAPTION_HEIGHT if captions else 0
    for index, frame in enumerate(frames):
        frames[index] = canvas = Image.new(mode, (width, top + height), "white")
        canvas.paste(frame, (0, top))
        if captions:
            ImageDraw.Draw(canvas).text((3, 2), captions[index], fill=0, font=font(_CAPTION_SIZE))
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
