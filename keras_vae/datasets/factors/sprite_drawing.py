"""Sprites as dSprites has them, computed instead of stored.

dSprites (Matthey et al., 2017, https://github.com/google-deepmind/dsprites-dataset) are 737,280
black-and-white images of a square, an ellipse or a heart in six sizes, 40 orientations and 32 x 32
places. Every pixel of one is black or white by whether its centre lies within an outline that has a
formula, so that any of them can be drawn when it is asked for.

The constants below were fitted to 320 frames of the original data set's own animation, of which
they give most bit for bit: `python benchmarks/drawn_sprites.py --frames PATH`.
"""

import numpy as np

IMAGE_SIZE = 64
SHAPES = ("square", "ellipse", "heart")

# What a factor's value indices stand for. Both ends of the orientations are the same picture, as
# they are in the original.
SCALES = np.linspace(0.5, 1, 6)
ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)  # radians, anticlockwise
POSITIONS = np.linspace(0, 1, 32)  # of the centre, from 16 to 48 pixels, rightwards and downwards

# In pixels, at scale 1.
_SQUARE = 9.599  # half a side
_ELLIPSE = (12.768, 7.2125)  # half-axes
_HEART_WIDTH = 9.595
_HEART_HEIGHT = 0.662
_HEART_CENTRE = 2.17
# No outline is farther from its centre: a square's corner is 13.58 pixels away.
_REACH = 14
_WINDOW = np.arange(-_REACH, _REACH + 1)


def render(factors: np.ndarray) -> np.ndarray:
    """Draws sprites.

    Args:
        factors: Ints `[n, 5]`: indices of shape, scale, orientation, x and y.

    Returns:
        Bool `[n, 64, 64]`: what is white.
    """
    shape, scale, orientation, x, y = np.asarray(factors).T
    cos = np.cos(ORIENTATIONS)[orientation] / SCALES[scale]
    sin = np.sin(ORIENTATIONS)[orientation] / SCALES[scale]
    # All that can be white is in a window around the centre.
    column, dx = _window(x)
    row, dy = _window(y)
    u = (cos[:, None] * dx)[:, None, :] - (sin[:, None] * dy)[:, :, None]
    v = (sin[:, None] * dx)[:, None, :] + (cos[:, None] * dy)[:, :, None]

    inside = np.empty(u.shape, bool)
    for index, within in enumerate((_in_square, _in_ellipse, _in_heart)):
        chosen = shape == index
        inside[chosen] = within(u[chosen], v[chosen])
    images = np.zeros((len(u), IMAGE_SIZE, IMAGE_SIZE), bool)
    images[np.arange(len(u))[:, None, None], row[:, :, None], column[:, None, :]] = inside
    return images


def _window(position):
    """Indices of the pixels around a centre, and how far from it theirs are, `[n, window]`."""
    centre = 16 + 32 * POSITIONS[position][:, None]
    pixels = np.floor(centre).astype(np.int64) + _WINDOW
    return pixels, pixels + 0.5 - centre


def _in_square(u, v):
    return np.maximum(np.abs(u), np.abs(v)) <= _SQUARE


def _in_ellipse(u, v):
    return (u / _ELLIPSE[0]) ** 2 + (v / _ELLIPSE[1]) ** 2 <= 1


def _in_heart(u, v):
    """Whether points are inside of u = w sin^3 a, v = -h (c + f(a)), w, h, c as above.

    f(a) = 13 cos a - 5 cos 2a - 2 cos 3a - cos 4a.

    At each u the curve has two points, of the same sine and opposite cosines.
    """
    sine_squared = np.cbrt(u / _HEART_WIDTH) ** 2
    cosine_squared = np.maximum(1 - sine_squared, 0)
    # The cosines of the even multiples, which both points share, and those of the odd ones.
    even = -5 * (1 - 2 * sine_squared) - (8 * cosine_squared * (cosine_squared - 1) + 1)
    odd = np.sqrt(cosine_squared) * (13 - 2 * (4 * cosine_squared - 3))
    from_centre = v / -_HEART_HEIGHT - _HEART_CENTRE - even
    return (np.abs(from_centre) <= odd) & (sine_squared <= 1)
