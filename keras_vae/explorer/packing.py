"""Arrays as text that a page can hold: rounded to whole steps, compressed, in base 85."""

import base64
import gzip
from dataclasses import dataclass

import numpy as np

# As fine as single precision is beside the largest value.
FINEST = 24
# Base 85 takes 6% less room than base 64. These two of its characters mean something in HTML.
_ALPHABET = str.maketrans({"<": ",", "&": "."})


def rounded(array: np.ndarray, bits: int) -> tuple[np.ndarray, float, float]:
    """An array as whole numbers of steps, equal ones for all of it, from its least value on.

    The steps are laid so that 0 stays 0: most weights are near it.

    Args:
        array: Finite numbers.
        bits: Int, 2 to 24. How many steps there may be, as a power of 2.

    Returns:
        `(numbers, low, step)`, for which `low + step * numbers` is about `array`.
    """
    largest = float(np.max(np.abs(array), initial=0.0)) or 1.0
    half = 2 ** (bits - 1) - 1
    step = largest / half
    numbers = np.rint(np.asarray(array, np.float64) / step).astype(np.int64) + half
    return numbers.astype(np.uint32), -half * step, step


def restored(array: np.ndarray, bits: int) -> np.ndarray:
    """What a page makes of an array that was rounded to that many bits, float32."""
    numbers, low, step = rounded(array, bits)
    return (low + step * numbers).astype(np.float32)


@dataclass(frozen=True)
class Rounded:
    """An array that is to be rounded to so many bits."""

    array: np.ndarray
    bits: int


@dataclass(frozen=True)
class Shares:
    """An array of numbers in [0, 1], such as pixels, for which steps of 1/255 are fine enough."""

    array: np.ndarray


class Packer:
    """Collects arrays, and gives for each what a page needs to find it again."""

    def __init__(self):
        self._parts = []
        self._size = 0

    def add(self, array: np.ndarray, bits: int = FINEST) -> dict:
        """Adds numbers, rounded.

        Args:
            array: Finite numbers.
            bits: Int. As for `rounded`. Defaults to `24`.

        Returns:
            What `unpack` of the page's `arrays.js` takes.
        """
        return self._add(*rounded(array, bits), planes=-(-bits // 8))

    def add_shares(self, array: np.ndarray) -> dict:
        """Adds numbers in [0, 1], as multiples of 1/255."""
        numbers = np.rint(np.asarray(array, np.float64) * 255).astype(np.uint32)
        return self._add(numbers, 0.0, 1 / 255, planes=1)

    def text(self) -> str:
        """All arrays, in ASCII without `<`, `&`, quotes or backslashes."""
        packed = gzip.compress(b"".join(self._parts), 9, mtime=0)
        return base64.b85encode(packed).decode().translate(_ALPHABET)

    def _add(self, numbers, low, step, planes):
        found = {
            "shape": list(numbers.shape),
            "at": self._size,
            "planes": planes,
            "low": low,
            "step": step,
        }
        for plane in range(planes):
            # The lowest bytes of weights are noise, the highest much alike: apart they compress.
            part = (numbers >> (8 * plane)).astype(np.uint8).tobytes()
            self._parts.append(part)
            self._size += len(part)
        return found


def pack(tree, packer: Packer):
    """A tree of dicts, lists and plain values in which every array gave way to what finds it.

    Args:
        tree: Arrays are floating point, finite; `Rounded` and `Shares` say how exact they are.
        packer: Where they go.
    """
    if isinstance(tree, dict):
        return {name: pack(value, packer) for name, value in tree.items()}
    if isinstance(tree, list):
        return [pack(value, packer) for value in tree]
    if isinstance(tree, Rounded):
        return packer.add(tree.array, tree.bits)
    if isinstance(tree, Shares):
        return packer.add_shares(tree.array)
    if isinstance(tree, np.ndarray):
        return packer.add(tree)
    return tree
