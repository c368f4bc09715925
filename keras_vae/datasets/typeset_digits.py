"""Typeset digits: an MNIST-shaped data set whose generative factors are known.

Every image is a digit from one of the typefaces that ship with matplotlib, drawn under a random
size, rotation, shear, shift and stroke weight. Nothing is downloaded, so the set works offline,
and as each example carries the factors it was drawn from, a learned representation can be
compared with the true one.

Each glyph is kept as a *signed distance field*: a grid that stores, at every point, how far inside
the glyph's outline the point lies. Sampling the field through an affine map draws the glyph at any
pose, adding a constant to it changes the stroke weight, and clipping it to one pixel around the
outline gives smooth edges. All factors are therefore continuous, and a whole batch of images is a
single array expression.
"""

import functools
import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw, ImageFont

IMAGE_SIZE = 28

SPLITS = {"train": 60_000, "test": 10_000}

# The faces bundled with matplotlib that hold all ten digits and differ by more than another factor.
# Left out are the symbol and "display" faces, which have no digits; cmmi10, whose digits are
# old-style; and the DejaVu obliques, which are the upright faces under a shear of 0.2.
FONTS = {
    "DejaVu Sans": "DejaVuSans.ttf",
    "DejaVu Sans Bold": "DejaVuSans-Bold.ttf",
    "DejaVu Sans Mono": "DejaVuSansMono.ttf",
    "DejaVu Sans Mono Bold": "DejaVuSansMono-Bold.ttf",
    "DejaVu Serif": "DejaVuSerif.ttf",
    "DejaVu Serif Bold": "DejaVuSerif-Bold.ttf",
    "STIX General": "STIXGeneral.ttf",
    "STIX General Italic": "STIXGeneralItalic.ttf",
    "STIX General Bold": "STIXGeneralBol.ttf",
    "STIX General Bold Italic": "STIXGeneralBolIta.ttf",
    "Computer Modern Roman": "cmr10.ttf",
    "Computer Modern Italic": "cmti10.ttf",
    "Computer Modern Bold": "cmb10.ttf",
    "Computer Modern Sans": "cmss10.ttf",
    "Computer Modern Typewriter": "cmtt10.ttf",
}

# Each factor is uniform over its range and independent of all the others. The ranges keep every
# glyph inside the frame, even when all factors are extreme at once.
RANGES = {
    "size": (14.0, 19.0),  # height of the upright glyph, pixels
    "rotation": (-12.0, 12.0),  # degrees, positive is anticlockwise
    "shear": (-0.15, 0.15),  # sideways slide per unit of height, positive leans to the right
    "shift_x": (-1.5, 1.5),  # pixels, positive is to the right
    "shift_y": (-1.5, 1.5),  # pixels, positive is down
    "stroke": (-0.2, 1.0),  # change of the width of every line, pixels
}

_SEED = 20_240_229
_BLOCK = 1_000  # examples drawn at a time: large enough to vectorise, small enough for the cache
_CELLS = 128  # height of a glyph in cells of its distance field
_MARGIN = 16  # cells around a glyph, and the distance at which the field saturates
_GRID = _CELLS + 2 * _MARGIN


def draw_factors(split: str, start: int, stop: int) -> dict[str, np.ndarray]:
    """Draws the generative factors of a range of examples.

    Example `i` of a split always has the same factors, whichever range it is drawn in.

    Args:
        split: `"train"` or `"test"`.
        start: Index of the first example.
        stop: Index one past the last example.

    Returns:
        Arrays of shape `(stop - start,)`: `label` and `font` (int64, `font` indexes `FONTS`), and
        the factors of `RANGES` (float32, in the units given there).
    """
    names = ["label", "font", *RANGES]
    bits = np.random.PCG64(np.random.SeedSequence(_SEED, spawn_key=(list(SPLITS).index(split),)))
    # One double takes one step of the generator, so skipping ahead lands on any example directly.
    bits.advance(start * len(names))
    draws = np.random.Generator(bits).random((stop - start, len(names)))
    uniform = dict(zip(names, draws.T, strict=True))
    factors = {
        "label": (uniform["label"] * 10).astype(np.int64),
        "font": (uniform["font"] * len(FONTS)).astype(np.int64),
    }
    for name, (low, high) in RANGES.items():
        factors[name] = (low + (high - low) * uniform[name]).astype(np.float32)
    return factors


def render(factors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Renders images from their factors.

    The upright glyph is scaled, its stroke weighted, and is then sheared, rotated about the
    centre of its bounding box, and shifted from the centre of the frame.

    Args:
        factors: Arrays of shape `(n,)`, as from `draw_factors`. Values outside `RANGES` are fine,
            but may leave the frame.

    Returns:
        White digits on black, uint8 of shape `(n, 28, 28, 1)`.
    """
    fields = _distance_fields()
    column = {name: np.asarray(factors[name], np.float32)[:, None, None] for name in RANGES}
    glyph = np.asarray(factors["font"]) * 10 + np.asarray(factors["label"])

    # Take every pixel back to the upright glyph's own grid, undoing the last step first.
    axis = np.arange(IMAGE_SIZE, dtype=np.float32) - (IMAGE_SIZE - 1) / 2
    x, y = axis - column["shift_x"], axis[:, None] - column["shift_y"]
    angle = np.deg2rad(column["rotation"])
    sin, cos = np.sin(angle), np.cos(angle)
    x, y = cos * x - sin * y, sin * x + cos * y
    x = x + column["shear"] * y
    cells = _CELLS / column["size"]  # per pixel
    # Beyond the grid there is only background, which its border rows and columns already hold.
    x = np.clip(cells * x + (_GRID - 1) / 2, 0, _GRID - 1.001)
    y = np.clip(cells * y + (_GRID - 1) / 2, 0, _GRID - 1.001)

    # Sample the field bilinearly.
    left, top = x.astype(np.int32), y.astype(np.int32)
    x, y = x - left, y - top
    at = (glyph[:, None, None] * _GRID + top) * _GRID + left
    upper = fields.take(at) * (1 - x) + fields.take(at + 1) * x
    lower = fields.take(at + _GRID) * (1 - x) + fields.take(at + _GRID + 1) * x
    depth = (upper * (1 - y) + lower * y) / cells

    coverage = np.clip(depth + column["stroke"] / 2 + 0.5, 0, 1)
    return np.rint(255 * coverage).astype(np.uint8)[..., None]


@functools.cache
def _distance_fields() -> np.ndarray:
    """Builds the signed distance field of every glyph.

    Returns:
        Depth inside the outline in cells, negative outside, float32: one flat array ordered by
        font, digit, row and column.
    """
    import matplotlib  # Only for its fonts; slow to import.

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    fields = np.empty((len(FONTS), 10, _GRID, _GRID), np.float32)
    for i, filename in enumerate(FONTS.values()):
        font = ImageFont.truetype(
            folder / filename, size=4 * _CELLS, layout_engine=ImageFont.Layout.BASIC
        )
        for digit in range(10):
            inside = _glyph_mask(font, str(digit))
            # Cells just inside and just outside are each half a cell away from the outline.
            fields[i, digit] = np.where(inside, _distance(~inside) - 0.5, 0.5 - _distance(inside))
    return fields.ravel()


def _glyph_mask(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray:
    """Draws text `_CELLS` high in the middle of the grid: bool of shape `(_GRID, _GRID)`."""
    left, top, right, bottom = map(int, font.getbbox(text))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    image = image.crop(image.getbbox())
    width = round(image.width * _CELLS / image.height)
    grid = Image.new("L", (_GRID, _GRID))
    grid.paste(image.resize((width, _CELLS)), ((_GRID - width) // 2, _MARGIN))
    return np.asarray(grid) >= 128


def _distance(mask: np.ndarray) -> np.ndarray:
    """Measures the distance from each cell to the nearest true cell, up to `_MARGIN`."""
    squared = np.where(mask, 0, _MARGIN**2).astype(np.int16)
    # The squared distance separates into rows and columns, so two sweeps of shifts suffice.
    for axis in (0, 1):
        squared = np.min(
            [np.roll(squared, k, axis) + np.int16(k * k) for k in range(-_MARGIN, _MARGIN + 1)],
            axis=0,
        )
    return np.sqrt(squared, dtype=np.float32)


class TypesetDigits(tfds.core.GeneratorBasedBuilder):
    """Digits 0 to 9, typeset in the fonts that ship with matplotlib."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(IMAGE_SIZE, IMAGE_SIZE, 1), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(num_classes=10),
                    "font": tfds.features.ClassLabel(names=list(FONTS)),
                    **{name: np.float32 for name in RANGES},
                }
            ),
            supervised_keys=("image", "label"),
            # Examples are independent draws: they are in random order as they come.
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        starts = range(0, SPLITS[split], _BLOCK)
        # Drawn and encoded by other threads, while this one writes what they have done.
        with ThreadPoolExecutor() as pool:
            blocks = pool.map(functools.partial(_encoded_block, split), starts)
            for start, (factors, images) in zip(starts, blocks, strict=True):
                for i, image in enumerate(images):
                    example = {name: values[i] for name, values in factors.items()}
                    yield start + i, {"image": image, **example}


def _encoded_block(split, start):
    """The factors of up to `_BLOCK` examples, and their images as PNG."""
    factors = draw_factors(split, start, min(start + _BLOCK, SPLITS[split]))
    return factors, [_png(image[..., 0]) for image in render(factors)]


def _png(image):
    """A grey image as PNG, in a fifth of the time that Pillow takes for one so small."""
    height, width = image.shape
    # Before each row stands a byte that says how it is filtered: 0 is not at all.
    rows = np.zeros((height, 1 + width), np.uint8)
    rows[:, 1:] = image
    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        # The check is of the kind and the content together.
        + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
        for kind, content in chunks
    )
