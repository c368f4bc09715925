"""Finds a TFDS builder whose images are on this machine, or puts them there.

TensorFlow Datasets is imported on first use: it takes longer than all the rest of `keras_vae`.
"""

import contextlib
import difflib
import importlib
import io
import os
import random
import sys

import numpy as np

EMBEDDED = "typeset_digits"
SPRITES = "sprites"
_PROBE_SECONDS = 5


class DatasetUnavailableError(RuntimeError):
    """A known data set that is neither prepared on this machine nor downloadable now."""


def prepared_builder(name: str, data_dir: str | os.PathLike | None = None, download: bool = True):
    """The TFDS builder of an image set, prepared.

    Args:
        name: TFDS name such as `"mnist"`, `"cifar10"` or `"mnist:3.0.1"`; or `"typeset_digits"`,
            which needs no network.
        data_dir: Folder of prepared data. Defaults to `None`, TFDS's own: the environment variable
            `TFDS_DATA_DIR`, or `~/tensorflow_datasets`.
        download: Bool. Whether to download and prepare a set that is not there yet. Defaults to
            `True`.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: If the name is unknown, or the set has no feature `image`.
        DatasetUnavailableError: If the set is not prepared and cannot be downloaded, within
            seconds, where TFDS alone would retry for minutes; or if it cannot be written, or what
            is there cannot be read.
    """
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    if not isinstance(name, str):
        raise ValueError(
            f"Invalid value for argument `name`. Expected a string. Received: name={name!r}"
        )
    if name.split(":")[0].split("/")[0] == EMBEDDED:
        # Importing the module registers the builder with TFDS.
        importlib.import_module("keras_vae.datasets.typeset_digits")
    # Community data sets are left out: their index is somewhere on the network.
    elif name.split(":")[0].split("/")[0] not in (
        known := tfds.list_builders(with_community_datasets=False)
    ):
        close = difflib.get_close_matches(name, known, n=5)
        raise ValueError(
            f"Invalid value for argument `name`. Expected {EMBEDDED!r}, {SPRITES!r} or an "
            "image set of TensorFlow Datasets, such as 'mnist', 'fashion_mnist' or 'cifar10'. "
            f"Received: name={name!r}." + (f" Did you mean {' or '.join(close)}?" if close else "")
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except AssertionError as error:
        raise ValueError(f"Data set {name!r} has no such version: {error}") from None
    # TFDS raises a plain RuntimeError in place of some others, such as text that is no UTF-8.
    except (ParseError, OSError, RuntimeError) as error:
        where = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
        raise damaged(name, f"{where}/{name.replace(':', '/')}", error) from None
    features = builder.info.features
    if "image" not in features or not isinstance(features["image"], tfds.features.Image):
        raise ValueError(
            f"Data set {name!r} has no feature `image`. Expected an image set. "
            f"Received: features {sorted(features)}"
        )
    if builder.is_prepared():
        return builder
    if not download:
        raise DatasetUnavailableError(_unavailable(builder, "`download` is False"))
    with _undisturbed_generators():
        _prepare(builder)
    return builder


def available(name: str = "mnist", fallback: str = EMBEDDED) -> str:
    """The name of a data set if that is at hand, otherwise of one to take in its place.

    The set is at hand if it is prepared, or can be downloaded, which is done then. Where it is not,
    a printed line says so.

    Args:
        name: TFDS name of an image set. Defaults to `"mnist"`.
        fallback: Name of another. Defaults to `"typeset_digits"`, which needs no network.

    Returns:
        `name` or `fallback`.

    Raises:
        ValueError: If the name is unknown, or the set has no feature `image`.
    """
    if name == SPRITES:
        return name
    try:
        prepared_builder(name)
    except DatasetUnavailableError:
        print(
            f"{name.upper()} is neither prepared here nor downloadable: training on {fallback} "
            "instead.",
            flush=True,
        )
        return fallback
    return name


def damaged(name: str, folder: str | os.PathLike, error: Exception) -> DatasetUnavailableError:
    """The error that says that a prepared set cannot be read; for the caller to raise."""
    # TensorFlow begins with the operation that failed, in double braces.
    reason = str(error).rpartition("}} ")[2].partition(" [Op:")[0]
    return DatasetUnavailableError(
        f"Data set {name!r} in {folder} is damaged or cannot be read: {reason.rstrip('.')}. Remove "
        "that folder: the set is prepared anew when it is loaded next."
    )


def _prepare(builder):
    import requests
    import tensorflow as tf

    try:
        if builder.name == EMBEDDED:
            said = f"Typesetting digits into {builder.data_dir}, once ..."
            print(said, file=sys.stderr, flush=True)
            # TFDS announces a download, which is not what happens, and draws a bar for each part.
            unsaid = io.StringIO()
            with contextlib.redirect_stdout(unsaid), contextlib.redirect_stderr(unsaid):
                builder.download_and_prepare()
        else:
            _probe(builder)
            builder.download_and_prepare()
    except requests.RequestException as error:
        raise DatasetUnavailableError(
            _unavailable(builder, f"its files cannot be downloaded ({type(error).__name__})")
        ) from None
    except (OSError, tf.errors.OpError) as error:
        raise DatasetUnavailableError(
            f"Data set {builder.name!r} cannot be prepared in {builder.data_dir}: {error}. Choose "
            "a folder with room that you may write to, by `data_dir` or the environment variable "
            "TFDS_DATA_DIR."
        ) from None


@contextlib.contextmanager
def _undisturbed_generators():
    """Puts Python's and NumPy's generators back to where they were.

    TFDS draws names of temporary folders from them, and Keras its default seeds, so that a model
    made after a set was prepared would not be the one that is made when it is there already.
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _probe(builder):
    """Asks the set's host for its first file, because TFDS finds out in minutes what this does."""
    import requests

    urls = [url for url in builder.url_infos if url.startswith("http")]
    # Sets without registered checksums name no files beforehand; any large host will do.
    url = urls[0] if urls else "https://storage.googleapis.com"
    with requests.get(url, timeout=_PROBE_SECONDS, stream=True) as response:
        if urls:
            response.raise_for_status()


def _unavailable(builder, reason):
    return (
        f"Data set {builder.name!r} is not prepared in {builder.data_dir}, and {reason}. Prepare "
        f"it on a machine with a network (`tfds build {builder.name}`) and set the environment "
        f"variable TFDS_DATA_DIR to that folder, or use {EMBEDDED!r}, which needs no network."
    )
