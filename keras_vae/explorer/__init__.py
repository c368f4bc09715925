"""A model as one HTML file: drag a latent, watch the picture change.

`explore` describes the model as plain steps and arrays (`layers`, `priors`, `latents`, `card`),
packs the arrays (`rounding`, `packing`), and puts them beside the programs of `static/` (`page`),
which run the networks in the browser.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_vae import arguments
from keras_vae.explorer.description import describe
from keras_vae.explorer.page import Page, assembled
from keras_vae.files import check_writable

__all__ = ["Page", "explore"]


def explore(
    vae,
    path: str | os.PathLike | None = None,
    images=None,
    labels=None,
    names: Sequence[str | None] | None = None,
    title: str | None = None,
    card: Mapping | None = None,
    encoder: bool = True,
    overwrite: bool = False,
) -> Page | Path:
    """Makes the page of a model.

    Args:
        vae: A built `keras_vae.VAE`.
        path: As for `VAE.explore`, like all that follows.
        images: See there.
        labels: See there.
        names: See there.
        title: See there.
        card: See there.
        encoder: See there.
        overwrite: See there.

    Returns:
        The file's path, or the page where there is no `path`.

    Raises:
        ValueError: As `VAE.explore` does.
        OSError: As `VAE.explore` does.
    """
    arguments.flag("overwrite", overwrite)
    if path is not None:
        path = _free_path(path, overwrite)
    page = assembled(describe(vae, images, labels, names, title, card, encoder))
    return page if path is None else page.write(path)


def _free_path(path, overwrite):
    """Where the page will be written, looked at before any work is done."""
    path = Path(arguments.path("path", path))
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            "Invalid value for argument `path`. Expected a name that ends in .html, by which "
            f"browsers know what it is. Received: path={str(path)!r}"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Choose another name.")
    if path.exists() and not overwrite:
        # With its number and file name, as Python's own has them.
        raise FileExistsError(
            errno.EEXIST,
            "The file is there, and stays as it is. Choose another name, or pass `overwrite=True`",
            str(path),
        )
    check_writable(path.parent)
    return path
