"""A preset's two files, looked at before anything of them is used: card, hash, and archive."""

import hashlib
import io
import json
import math
import zipfile
import zlib
from pathlib import Path

import h5py

CARD_FORMAT = 1
_REQUIRED = {"format": int, "name": str, "description": str, "sha256": str, "versions": dict}
_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_LARGEST_CARD = 2**20
_LARGEST_MODEL = 2**30


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(path: Path) -> dict:
    """What a card says.

    Raises:
        ValueError: If it cannot be read, is none, or is of a newer format.
    """
    contents = card_of_any_format(path)
    if not 1 <= contents["format"] <= CARD_FORMAT:
        raise ValueError(
            f"The card {path} is of format {contents['format']}, this version of keras_vae reads "
            f"1 to {CARD_FORMAT}. Upgrade keras_vae."
        )
    return contents


def card_of_any_format(path: Path) -> dict:
    """What a card says, whatever its format; raises a `ValueError` if it is none."""
    try:
        # A pipe without a writer would be waited for without end.
        if path.exists() and not path.is_file():
            raise ValueError("it is no regular file")
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError(f"it is larger than {_LARGEST_CARD} bytes")
        return parsed_card(path.read_text(encoding="utf-8"), path.stem)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"The card {path} cannot be read: {error}.") from None


def parsed_card(text: str, name: str) -> dict:
    """What a card's text says; a `ValueError` or `RecursionError` if they are none of that name."""
    if len(text) > _LARGEST_CARD:
        raise ValueError(f"it is larger than {_LARGEST_CARD} bytes")
    contents = json.loads(text, parse_constant=_no_number)
    if not isinstance(contents, dict):
        raise ValueError("it holds no object")
    for key, kind in _REQUIRED.items():
        if type(contents.get(key)) is not kind:
            raise ValueError(f"its entry {key!r} is missing or no {kind.__name__}")
    if contents["name"] != name:
        raise ValueError(f"it is the card of {contents['name']!r}")
    return contents


def _no_number(name):
    raise ValueError(f"{name} is no JSON")


def check_archive(path: Path):
    """Refuses what is no model, or unpacks to more than one may have, before it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            if names != sorted(_PARTS):
                raise zipfile.BadZipFile(f"it holds {names}, not {sorted(_PARTS)}")
            check_size(path, sum(entry.file_size for entry in archive.infolist()))
            weights = archive.read("model.weights.h5")
        with h5py.File(io.BytesIO(weights)) as file:
            check_size(path, _declared_size(file))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError) as error:
        raise ValueError(f"The file {path} is no Keras model: {error}.") from None


def _declared_size(file):
    """Bytes of all arrays as an HDF5 file declares them, which may be more than it holds."""
    sizes = []

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(math.prod(item.shape or ()) * item.dtype.itemsize)

    file.visititems(note)
    return sum(sizes)


def check_size(path: Path, size: int):
    """Refuses a model of more bytes than a preset may have."""
    if size > _LARGEST_MODEL:
        raise ValueError(
            f"The file {path} unpacks to {size} bytes, more than the {_LARGEST_MODEL} that a "
            "preset may have."
        )
