"""The page of a trained model that ships with the package, or that a user saved."""

import os
from pathlib import Path

import keras
import numpy as np

from keras_vae import datasets, presets
from keras_vae.explorer import explore
from keras_vae.explorer.description import MOST_CODES


def write(model: str | os.PathLike, path: str | os.PathLike, overwrite: bool = False) -> Path:
    """Writes the page of a model, with codes of the images that its card says it was measured on.

    Where those images are neither on this machine nor downloadable, or no data set is called so, a
    printed line says so, and the page goes without.

    Args:
        model: A preset, as `presets.load` takes it, or a `.keras` file.
        path: As `VAE.explore` takes it.
        overwrite: Bool. Whether to replace a file that is there. Defaults to `False`.

    Returns:
        The file's path.

    Raises:
        ValueError: If there is no such model, or no page can be made of it.
        OSError: If the page cannot be written, or is there.
    """
    if str(model).endswith(".keras"):
        vae, card = keras.saving.load_model(model), {"name": Path(model).stem}
        if not hasattr(vae, "explore"):
            raise ValueError(f"{model} is a {type(vae).__name__}. Expected: a VAE.")
    else:
        vae, card = presets.load(model), presets.card(model)
    images, labels = _measured_on(card)
    explore(vae, path, images, labels, card=card, overwrite=overwrite)
    return Path(path)


def _measured_on(card):
    """Images and labels of the set that a card names, or neither."""
    settings = card.get("evaluation", {})
    if "dataset" not in settings:
        return None, None
    try:
        batches = datasets.load(
            settings["dataset"],
            settings.get("split", "test"),
            batch_size=MOST_CODES,
            # Some sets are in order; which images are taken follows from the seed, 0.
            shuffle=True,
            binarize=settings.get("binarize"),
            with_labels=True,
        )
    except (datasets.DatasetUnavailableError, ValueError) as error:
        print(f"The page goes without images. {error}", flush=True)
        return None, None
    images, labels = next(batches.as_numpy_iterator())
    # Of several factors the first, which for sprites is the shape.
    return images, labels if np.ndim(labels) == 1 else labels[:, 0]
