"""Trained models to load: the registry over `saved_models/`, folders, and models on hubs.

A preset is two files: `NAME.keras`, the model, and `NAME.json`, its card, which says what data and
command made it, what it is worth, and the SHA-256 of the model's file; `docs/presets.md` has the
format. Loading checks that hash first, then what the archive holds and how large it says it is,
before any of it is unpacked. No code from either file runs: Keras's `safe_mode` stays on, and only
classes of Keras or registered ones are built.
"""

import difflib
import hashlib
import importlib.resources
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import keras

from keras_vae import arguments, hubs, model_card, preset_files
from keras_vae.files import write_whole
from keras_vae.renamed import warn_renamed

__all__ = ["card", "descriptions", "folder", "load", "names", "save", "upload_preset"]

# What the card says by itself, and nobody else may say.
_OWN = ("format", "name", "class", "num_parameters", "versions", "sha256")
# Of a preset's files, those that a hub gets: with the model's picture and explorer.
_UPLOADED = (".json", ".keras", ".png", ".html")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


class HasPresets(keras.Model):
    """A model that loads from a preset, and saves itself as one."""

    @classmethod
    def from_preset(cls, preset: str | os.PathLike):
        """Loads a trained model.

        Args:
            preset: A name from `keras_vae.presets.names()`, which means the model that ships with
                the package whatever folders there are; or a folder that `save_to_preset` wrote,
                such as `"runs/mine"`, of which one with a name of those is `"./mnist_mlp"` or a
                `Path`; or an address on a hub: `"hf://USER/NAME"`, `"hf://USER/NAME@REVISION"`,
                `"kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"` or that with `"/VERSION"`. What was
                fetched from a hub stays in the cache of the hub's client.

        Returns:
            The model, compiled with Adam at a learning rate of 0.001: ready to `fit`.

        Raises:
            ValueError: If there is no such preset, it is damaged or altered, or it is no `cls`.
            ImportError: If it is on a hub whose client is not installed.
            OSError: If a hub has none of that address, does not give it or does not answer.
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
            **details: What else the card should say, such as `description`, a string, `license`,
                or `figures`: anything that JSON takes. `docs/presets.md` lists what is read.

        Raises:
            ValueError: Before anything is written, if the card could not be read again, or the
                folder holds another preset.
        """
        save(self, directory, **details)


def folder() -> Path:
    """The folder of the presets that ship with the package."""
    return Path(str(importlib.resources.files("keras_vae.saved_models")))


def names(cls: type | None = None) -> list[str]:
    """The names of the presets that ship with the package.

    Args:
        cls: A class, such as `keras_vae.VAE` or `keras_vae.quantized.VQVAE`, whose models alone are
            meant. Defaults to `None`: all.
    """
    found = sorted(path.stem for path in folder().glob("*.json"))
    return [name for name in found if cls is None or issubclass(_class_of(name), cls)]


def __getattr__(name):
    # `list` hid Python's own.
    if name == "list":
        warn_renamed("presets.list()", "presets.descriptions()", until="0.4")
        return lambda: [f"{preset}  {text}" for preset, text in descriptions().items()]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def descriptions() -> dict[str, str]:
    """What each preset that ships with the package is, in a sentence, by its name."""
    return {name: card(name)["description"] for name in names()}


def card(preset: str | os.PathLike) -> dict:
    """The card of a preset.

    Args:
        preset: A name from `names()`, a folder that `save_to_preset` wrote, or an address on a
            hub; see `HasPresets.from_preset`.

    Returns:
        What its JSON file holds.

    Raises:
        ValueError: If there is no such preset, or its card is damaged or of a newer format.
        ImportError, OSError: Of hubs, as `HasPresets.from_preset` raises them.
    """
    return preset_files.read_card(_card_path(preset))


def load(preset: str | os.PathLike) -> keras.Model:
    """Loads a preset.

    Args:
        preset: A name from `names()`, a folder that `save_to_preset` wrote, or an address on a
            hub; see `HasPresets.from_preset`.

    Returns:
        The model, compiled with Adam at a learning rate of 0.001: ready to `fit`.

    Raises:
        ValueError: If there is no such preset, or a file is damaged, altered or of a newer format.
        ImportError, OSError: Of hubs, as `HasPresets.from_preset` raises them.
    """
    return _load(preset, _card_path(preset))


def _load(preset, card_path):
    contents = preset_files.read_card(card_path)
    model_path = card_path.with_suffix(".keras")
    if not model_path.is_file():
        raise ValueError(f"Preset {preset!s} lacks its model: there is no file {model_path}.")
    preset_files.check_size(model_path, model_path.stat().st_size)
    digest = preset_files.digest(model_path)
    if digest != contents["sha256"]:
        advice = "Fetch both files anew"
        if hubs.is_address(preset):
            advice = f"They were fetched twice: tell who uploaded {preset}"
        raise ValueError(
            f"The file {model_path} is not the one that its card describes: it was damaged or "
            f"altered. Expected: SHA-256 {contents['sha256']}. Received: {digest}. {advice}; "
            "`keras.saving.load_model` loads the model without a card, if you trust it."
        )
    preset_files.check_archive(model_path)
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


def upload_preset(
    address: str,
    preset: str | os.PathLike,
    *,
    license: str | None = None,
    private: bool | None = None,
    message: str | None = None,
) -> str:
    """Uploads a preset to a hub, with a model card that is written from the preset's own.

    The hub gets the card, the model and, where they are beside them, `NAME.png`, which the model
    card shows, and `NAME.html`, the explorer that it links to; nothing else of the folder. A
    `README.md` of a preset's own folder is taken as the model card in place of the written one.

    Args:
        address: `"hf://USER/NAME"` or `"kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"`; what is not
            there is made.
        preset: As `HasPresets.from_preset` takes it.
        license: The licence's identifier in the form of the hub, such as `"apache-2.0"`. By default
            the `license` of the card, if it has one.
        private: Bool. Whether a repository that is made for it is private. By default as the hub
            does it: Hugging Face for the most part not, Kaggle always.
        message: What is said of the change, in a line. By default the preset's name.

    Returns:
        The address of what was uploaded; on Hugging Face with the commit, which always means these
        files.

    Raises:
        ValueError: If it is no such address, the preset does not load, or there is another preset.
        ImportError: If the hub's client is not installed.
        OSError: If the hub does not take it or does not answer.
    """
    hubs.check_upload(address)
    private = private if private is None else arguments.flag("private", private)
    card_path = _card_path(preset)
    model, contents = _load(preset, card_path), preset_files.read_card(card_path)
    if not isinstance(model, HasPresets):
        raise ValueError(f"Preset {preset!s} is a {type(model).__name__}. Expected: a VAE.")
    license = contents.get("license") if license is None else license
    if license is not None and not (isinstance(license, str) and _LICENSE.fullmatch(license)):
        raise arguments.invalid("license", 'an identifier such as "apache-2.0" or "mit"', license)
    with tempfile.TemporaryDirectory(prefix="keras_vae.") as directory:
        staged = Path(directory)
        for path in map(card_path.with_suffix, _UPLOADED):
            if path.is_file():
                shutil.copy(path, staged)
        own = card_path.with_name("README.md")
        if own.is_file() and card_path.parent != folder():
            shutil.copy(own, staged)
        else:
            names = {path.name for path in staged.iterdir()}
            text = model_card.text(model, {**contents, "license": license}, address, names)
            (staged / "README.md").write_text(text, encoding="utf-8")
        return hubs.upload(address, staged, message or contents["name"], private)


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


def _class_of(name):
    return keras.saving.get_registered_object(card(name)["class"])


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
        "format": preset_files.CARD_FORMAT,
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
        preset_files.parsed_card(text, name)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"The card of {name!r} could not be read again: {error}. Expected: details that JSON "
            "takes, such as strings, finite numbers and lists and dictionaries of them."
        ) from None
    return text


def _card_path(preset):
    known = names()
    if not isinstance(preset, str | os.PathLike):
        raise arguments.invalid("preset", f"one of {known}, a folder or an address", preset)
    if isinstance(preset, str) and preset in known:
        return folder() / f"{preset}.json"
    if hubs.is_address(preset):
        return _only_card(preset, _fetched(preset))
    if Path(preset).is_dir():
        return _only_card(preset, Path(preset))
    close = difflib.get_close_matches(str(preset), known, n=1)
    raise ValueError(
        f"Unknown preset. Expected one of {known}, a folder or an address such as hf://USER/NAME. "
        f"Received: {str(preset)!r}." + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _only_card(preset, directory):
    cards = [*directory.glob("*.json")]
    if len(cards) != 1:
        raise ValueError(
            f"A preset's folder holds one card, a .json file. Received: {preset!s} with "
            f"{len(cards)}"
        )
    return cards[0]


def _fetched(address):
    """The folder of a preset from a hub.

    What was damaged on its way into the cache would stay there for good: it is fetched once more.
    """
    directory = hubs.download(address)
    return directory if _is_whole(directory) else hubs.download(address, anew=True)


def _is_whole(directory):
    """Whether a card there vouches for its model, or there is not the one card to ask."""
    cards = [*directory.glob("*.json")]
    if len(cards) != 1:
        return True
    try:
        return (
            preset_files.digest(cards[0].with_suffix(".keras"))
            == preset_files.card_of_any_format(cards[0])["sha256"]
        )
    except (OSError, ValueError):
        return False


def without_optimizer_state(model: keras.Model) -> keras.Model:
    """A copy of a built model with its own weights, which is not compiled."""
    copy = type(model).from_config(model.get_config())
    if not copy.built:
        copy.build((None, *model.event_shape))
    copy.set_weights(model.get_weights())
    return copy
