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
import tempfile
import zipfile
import zlib
from pathlib import Path

import h5py
import keras

from keras_vae import arguments
from keras_vae.files import write_whole

CARD_FORMAT = 1
_REQUIRED = {"format": int, "name": str, "description": str, "sha256": str, "versions": dict}
# What the card says by itself, and nobody else may say.
_OWN = ("format", "name", "class", "num_parameters", "versions", "sha256")
_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_LARGEST_CARD = 2**20
_LARGEST_MODEL = 2**30


class HasPresets(keras.Model):
    """A model that loads from a preset, and saves itself as one."""

    @classmethod
    def from_preset(cls, preset: str | os.PathLike):
        """Loads a trained model.

        Args:
            preset: A name from `keras_vae.presets.names()`, which means the model that ships with
                the package whatever folders there are; or a folder that `save_to_preset` wrote,
                such as `"runs/mine"`. A folder with a name of those is `"./mnist_mlp"` or a `Path`.

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
            **details: What else the card should say, such as `description`, a string, or `figures`:
                anything that JSON takes.

        Raises:
            ValueError: Before anything is written, if the card could not be read again, or the
                folder holds another preset.
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
        preset: A name from `names()`, or a folder that `save_to_preset` wrote; see
            `HasPresets.from_preset`.

    Returns:
        What its JSON file holds.

    Raises:
        ValueError: If there is no such preset, or its card is damaged or of a newer format.
    """
    return _read_card(_card_path(preset))


def load(preset: str | os.PathLike) -> keras.Model:
    """Loads a preset.

    Args:
        preset: A name from `names()`, or a folder that `save_to_preset` wrote; see
            `HasPresets.from_preset`.

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

    Raises:
        ValueError: Before anything is written, if the card could not be read again, or the folder
            holds another preset.
    """
    directory = Path(directory)
    name = directory.resolve().name
    others = sorted(path.name for path in directory.glob("*.json") if path.stem != name)
    if others:
        raise ValueError(
            f"A preset's folder holds one card, a .json file. Received: {str(directory)!r} with "
            f"{others}. Choose another folder."
        )
    return write(model, directory, name, details)


def write(model: keras.Model, directory: Path, name: str, details: dict) -> Path:
    """Writes `NAME.keras` and `NAME.json` into a folder: both whole, or neither.

    Raises:
        ValueError: Before anything is written, if the card could not be read again.
    """
    model_path, card_path = directory / f"{name}.keras", directory / f"{name}.json"
    _card_text(model, name, details, sha256="0" * 64)
    for path in (model_path, card_path):
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is in the way: it is no file. Choose another folder.")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=directory) as folder:
        new_model, new_card = Path(folder, model_path.name), Path(folder, card_path.name)
        without_optimizer_state(model).save(new_model)
        digest = hashlib.sha256(new_model.read_bytes()).hexdigest()
        new_card.write_text(_card_text(model, name, details, digest), encoding="utf-8")
        before = model_path.read_bytes() if model_path.exists() else None
        os.replace(new_model, model_path)
        try:
            os.replace(new_card, card_path)
        except BaseException:
            # The card that is still there vouches for the model from before.
            if before is None:
                model_path.unlink()
            else:
                write_whole(model_path, before)
            raise
    return card_path


def _card_text(model, name, details, sha256):
    """The card as it is written, which is sure to be read again."""
    import numpy as np
    import tensorflow as tf

    import keras_vae

    taken = sorted(set(details) & set(_OWN))
    if taken:
        raise ValueError(
            f"A card says by itself what these are: {list(_OWN)}. Received: {taken} among the "
            "details. Give them other names."
        )
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
        "sha256": sha256,
    }
    try:
        text = json.dumps(contents, indent=2) + "\n"
        _parsed_card(text, name)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"The card of {name!r} could not be read again: {error}. Expected: details that JSON "
            "takes, such as strings, finite numbers and lists and dictionaries of them."
        ) from None
    return text


def _card_path(preset):
    known = names()
    if not isinstance(preset, str | os.PathLike):
        raise arguments.invalid("preset", f"one of {known} or a folder", preset)
    if isinstance(preset, str) and preset in known:
        return folder() / f"{preset}.json"
    if Path(preset).is_dir():
        cards = [*Path(preset).glob("*.json")]
        if len(cards) != 1:
            raise ValueError(
                f"A preset's folder holds one card, a .json file. Received: {preset!s} with "
                f"{len(cards)}"
            )
        return cards[0]
    close = difflib.get_close_matches(str(preset), known, n=1)
    raise ValueError(
        f"Unknown preset. Expected one of {known} or a folder. Received: {str(preset)!r}."
        + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _read_card(path):
    try:
        # A pipe without a writer would be waited for without end.
        if path.exists() and not path.is_file():
            raise ValueError("it is no regular file")
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError(f"it is larger than {_LARGEST_CARD} bytes")
        contents = _parsed_card(path.read_text(encoding="utf-8"), path.stem)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"The card {path} cannot be read: {error}.") from None
    if not 1 <= contents["format"] <= CARD_FORMAT:
        raise ValueError(
            f"The card {path} is of format {contents['format']}, this version of keras_vae reads "
            f"1 to {CARD_FORMAT}. Upgrade keras_vae."
        )
    return contents


def _parsed_card(text, name):
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


def without_optimizer_state(model: keras.Model) -> keras.Model:
    """A copy of a built model with its own weights, which is not compiled."""
    copy = type(model).from_config(model.get_config())
    if not copy.built:
        copy.build((None, *model.event_shape))
    copy.set_weights(model.get_weights())
    return copy
