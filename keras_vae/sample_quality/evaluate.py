"""Every measure of two sets of images."""

from collections.abc import Callable

import numpy as np

from keras_vae import arguments
from keras_vae.sample_quality.features import mnist_features
from keras_vae.sample_quality.frechet_distance import frechet_distance
from keras_vae.sample_quality.precision_recall import precision_recall
from keras_vae.sample_quality.two_sample_test import two_sample_test


def evaluate(
    real,
    generated,
    features: Callable | None = None,
    num_neighbors: int = 3,
    num_folds: int = 5,
    seed: int = 0,
) -> dict[str, float]:
    """All measures of generated images, in the features of a network.

    Args:
        real: Images `[n, *event]` that the model was not trained on.
        generated: As many samples, `[n, *event]`: all measures depend on the sizes of both sets.
        features: Function from images to features `[n, features]`. Defaults to `None`:
            `mnist_features`, for digits.
        num_neighbors: Int. Of `precision_recall`. Defaults to `3`.
        num_folds: Int. Of `two_sample_test`. Defaults to `5`.
        seed: Int. Of `two_sample_test`. Defaults to `0`.

    Returns:
        What `frechet_distance`, `precision_recall` and `two_sample_test` return, in one dict.

    Raises:
        ValueError: If an argument is invalid, or there are not as many images of both.
        ImportError: If scikit-learn is not installed.

    Example:
    >>> keras_vae.sample_quality.evaluate(test_images, vae.sample(len(test_images), seed=0))
    """
    real, generated = np.asarray(real), np.asarray(generated)
    if real.shape != generated.shape:
        raise ValueError(
            "Compare as many images of the same shape: all measures depend on the size of both "
            f"sets. Received: {list(real.shape)} real, {list(generated.shape)} generated"
        )
    if features is not None and not callable(features):
        raise arguments.invalid("features", "a function from images to features", features)
    pair = [np.asarray((features or mnist_features)(images)) for images in (real, generated)]
    return {
        **frechet_distance(pair[0], pair[1]),
        **precision_recall(pair[0], pair[1], num_neighbors=num_neighbors),
        **two_sample_test(pair[0], pair[1], num_folds=num_folds, seed=seed),
    }
