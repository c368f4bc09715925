"""`load`: a factor data set by its name."""

import os

from keras_vae import arguments
from keras_vae.datasets.factors.digits import Digits
from keras_vae.datasets.factors.factor_data import FactorData
from keras_vae.datasets.factors.prepared import SETS, prepared
from keras_vae.datasets.factors.sprites import Sprites
from keras_vae.datasets.source import EMBEDDED, SPRITES

DRAWN = {SPRITES: Sprites, EMBEDDED: Digits}


def load(name: str, data_dir: str | os.PathLike | None = None, download: bool = True) -> FactorData:
    """A set of images by the factors that they were made from.

    Args:
        name: `"sprites"` or `"typeset_digits"`, which are drawn; or `"dsprites"`, `"shapes3d"` or
            `"smallnorb"` of TensorFlow Datasets, of which the larger are copied once into the
            folder where they were prepared: see `keras_vae.datasets.factors.prepared`.
        data_dir: Folder of prepared TFDS data. Defaults to `None`: TFDS's own.
        download: Bool. Whether to download and prepare a set that is not there. Defaults to `True`.

    Raises:
        ValueError: If the name is unknown.
        DatasetUnavailableError: If the set is neither prepared nor downloadable, or its files are
            damaged.
    """
    arguments.one_of("name", name, [*DRAWN, *SETS])
    return DRAWN[name]() if name in DRAWN else prepared(name, data_dir, download)
