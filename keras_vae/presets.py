"""Trained models to load: the registry over `saved_models/`.

A preset is two files: `NAME.keras`, the model, and `NAME.json`, its card, which says what data and
command made it, what it is worth, and the SHA-256 of the model's file. Loading checks that hash
first, then what the archive holds and how large it says it is, before any of it is unpacked. No
code from either file runs: Keras's `safe_mode` stays on, and only classes of Keras or registered
ones are built.
"""

import difflib
import hashlib
import importlib.resources
import io
import json
import math
import os
import zipfile
import zlib
from pathlib import Path

import h5py
import keras

from keras_vae.files import write_whole

CARD_FORMAT = 1
_REQUIRED = {"format": int, "name": str, "description": str, "sha256": str, "versions": dict}
_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_LARGEST_CARD = 2**20
_LARGEST_MODEL = 2**30


class HasPresets(keras.Model):
    """A model that loads from a preset, and saves itself as one."""

    @classmethod
    def from_preset(cls, preset: str):
        """Loads a trained model.

        Args:
            preset: A name from `keras_vae.presets.names()`, or a folder that `save_to_preset`
                wrote.

        Returns:
            The model, compiled with Adam at a learning rate of 0.001: ready to `fit`.

        Raises:
            ValueError: If there is no such preset, it is damaged or altered, or it is no `cls`.
        """
        model = load(preset)
        if not isinstance(model, cls):
            raise ValueError(
                f"Preset {preset!s} is a {type(model).__name__}. Expected: a {cls.__name__}. Load "
                f"it with `{type(model).__name__}.from_preset`."
            )
        return model

    def save_to_preset(self, directory, **details):
        """Saves the model, without its optimizer's state, with a card that describes it.

        Args:
            directory: The preset's folder, made if need be; its name is the preset's name.
            **details: What else the card should say, such as `description` or `figures`.
        """
        save(self, directory, **details)


def folder() -> Path:
    """The folder of the presets that ship with the package."""
    return Path(str(importlib.resources.files("keras_vae.saved_models")))


def names() -> list[str]:
    """The names of the presets that ship with the package."""
    return sorted(path.stem for path in folder().glob("*.json"))


def descriptions() -> dict[str, str]:
    """What each preset that ships with the package is, in a sentence, by its name."""
    return {name: card(name)["description"] for name in names()}


def card(preset: str | os.PathLike) -> dict:
    """The card of a preset.

    Args:
        preset: A name from `names()`, or a folder that `save_to_preset` wrote.

    Returns:
        What its JSON file holds.

    Raises:
        ValueError: If there is no such preset, or its card is damaged or of a newer format.
    """
    return _read_card(_card_path(preset))


def load(preset: str | os.PathLike) -> keras.Model:
    """Loads a preset.

    Args:
        preset: A name from `names()`, or a folder that `save_to_preset` wrote.

    Returns:
        The model, compiled with Adam at a learning rate of 0.001: ready to `fit`.

    Raises:
        ValueError: If there is no such preset, or a file is damaged, altered or of a newer format.
    """
    card_path = _card_path(preset)
    contents = _read_card(card_path)
    model_path = card_path.with_suffix(".keras")
    if not model_path.is_file():
        raise ValueError(f"Preset {preset!s} lacks its model: there is no file {model_path}.")
    _check_size(model_path, model_path.stat().st_size)
    digest = hashlib.sha256(model_path.read_bytes()).hexdigest()
    if digest != contents["sha256"]:
        raise ValueError(
            f"The file {model_path} is not the one that its card describes: it was damaged or "
            f"altered. Expected: SHA-256 {contents['sha256']}. Received: {digest}. Fetch both "
            "files anew; `keras.saving.load_model` loads the model without a card, if you trust it."
        )
    _check_archive(model_path)
    try:
        model = keras.saving.load_model(model_path, safe_mode=True)
    except Exception as error:  # Of whatever type: an altered configuration raises many.
        raise ValueError(
            f"Preset {preset!s} does not load with these versions. Made with: "
            f"{contents['versions']}. Keras says: {error}"
        ) from error
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    return model


def save(model: keras.Model, directory: str | os.PathLike, **details) -> Path:
    """Saves a model as a preset, without the state of its optimizer.

    Args:
        model: A built model.
        directory: The preset's folder, made if need be; its name is the preset's name.
        **details: What else the card should say, such as `description`, `data` or `figures`;
            anything that JSON takes.

    Returns:
        The path of the card.
    """
    directory = Path(directory)
    return write(model, directory, directory.resolve().name, details)


def write(model: keras.Model, directory: Path, name: str, details: dict) -> Path:
    """Writes `NAME.keras` and `NAME.json` into a folder, each whole or not at all."""
    import numpy as np
    import tensorflow as tf

    import keras_vae

    directory.mkdir(parents=True, exist_ok=True)
    model_path = directory / f"{name}.keras"
    temporary = directory / f".{name}.tmp.keras"
    _without_optimizer_state(model).save(temporary)
    contents = {
        "format": CARD_FORMAT,
        "name": name,
        "description": f"A {type(model).__name__}.",
        "class": keras.saving.get_registered_name(type(model)),
        **details,
        "num_parameters": model.count_params(),
        "versions": {
            "keras_vae": keras_vae.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
        },
        "sha256": hashlib.sha256(temporary.read_bytes()).hexdigest(),
    }
    text = json.dumps(contents, indent=2) + "\n"
    os.replace(temporary, model_path)
    card_path = directory / f"{name}.json"
    write_whole(card_path, text)
    return card_path


def _card_path(preset):
    if Path(preset).is_dir():
        cards = [*Path(preset).glob("*.json")]
        if len(cards) != 1:
            raise ValueError(
                f"A preset's folder holds one card, a .json file. Received: {preset!s} with "
                f"{len(cards)}"
            )
        return cards[0]
    path = folder() / f"{preset}.json"
    if str(preset) not in names():
        close = difflib.get_close_matches(str(preset), names(), n=1)
        raise ValueError(
            f"Unknown preset. Expected one of {names()} or a folder. Received: {str(preset)!r}."
            + (f" Did you mean {close[0]!r}?" if close else "")
        )
    return path


def _read_card(path):
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError(f"it is larger than {_LARGEST_CARD} bytes")
        contents = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        if not isinstance(contents, dict):
            raise ValueError("it holds no object")
        for key, kind in _REQUIRED.items():
            if type(contents.get(key)) is not kind:
                raise ValueError(f"its entry {key!r} is missing or no {kind.__name__}")
        if contents["name"] != path.stem:
            raise ValueError(f"it is the card of {contents['name']!r}")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"The card {path} cannot be read: {error}.") from None
    if not 1 <= contents["format"] <= CARD_FORMAT:
        raise ValueError(
            f"The card {path} is of format {contents['format']}, this version of keras_vae reads "
            f"1 to {CARD_FORMAT}. Upgrade keras_vae."
        )
    return contents


def _no_number(name):
    raise ValueError(f"{name} is no JSON")


def _check_archive(path):
    """Refuses what is no model, or unpacks to more than one may have, before it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            if names != sorted(_PARTS):
                raise zipfile.BadZipFile(f"it holds {names}, not {sorted(_PARTS)}")
            _check_size(path, sum(entry.file_size for entry in archive.infolist()))
            weights = archive.read("model.weights.h5")
        with h5py.File(io.BytesIO(weights)) as file:
            _check_size(path, _declared_size(file))
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


def _check_size(path, size):
    if size > _LARGEST_MODEL:
        raise ValueError(
            f"The file {path} unpacks to {size} bytes, more than the {_LARGEST_MODEL} that a "
            "preset may have."
        )


def _without_optimizer_state(model):
    copy = type(model).from_config(model.get_config())
    if not copy.built:
        copy.build((None, *model.event_shape))
    copy.set_weights(model.get_weights())
    return copy
