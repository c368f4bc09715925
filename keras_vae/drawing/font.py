"""The font of everything that Pillow writes."""

import functools

from PIL import ImageFont


@functools.cache
def font(size: int):
    """The font that Pillow brings along.

    Args:
        size: Int. Height of a line in pixels, roughly.

    Returns:
        A Pillow font.
    """
    return ImageFont.load_default(size)
