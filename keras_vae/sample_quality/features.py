"""Features of digits, from a classifier that ships with the package."""

import functools
from pathlib import Path

import keras
import numpy as np

from keras_vae import presets

FOLDER = Path(__file__).parent / "mnist_features"
_SHAPE = (28, 28, 1)


def mnist_features(images, batch_size: int = 1024) -> np.ndarray:
    """The features of digits in which sets of images are compared.

    They are the 64 units before the last layer of `mnist_features`, a small convolutional
    classifier trained on MNIST; its card beside its file says what it gets right. It knows digits:
    of other images it tells little.

    Args:
        images: `[n, 28, 28, 1]` in [0, 1], white on black, as MNIST is.
        batch_size: Int. How many pass through the network at once. Defaults to `1024`.

    Returns:
        `[n, 64]`, float32, at least 0.

    Raises:
        ValueError: If the images are of another shape or range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != _SHAPE or images.dtype.kind != "f":
        raise ValueError(
            "`mnist_features` takes images [n, 28, 28, 1], floating point. Received: shape "
            f"{list(images.shape)}, dtype {images.dtype.name}. Of other images, take the features "
            "of a network that knows them: `evaluate(real, generated, features=function)`."
        )
    if not (len(images) and np.isfinite(images).all() and 0 <= images.min() <= images.max() <= 1):
        raise ValueError(
            "`mnist_features` takes images in [0, 1], at least one. Received: "
            f"{len(images)} images"
            + (f" from {images.min():.3g} to {images.max():.3g}" if len(images) else "")
            + ". Scale bytes by 1/255."
        )
    return _network().predict(images.astype(np.float32), batch_size=batch_size, verbose=0)


@functools.cache
def _network():
    classifier = presets.load(FOLDER)
    return keras.Model(classifier.input, classifier.get_layer("features").output)
