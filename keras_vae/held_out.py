"""A function of a model, applied to all batches of data that are held out from its training.

What evaluation and anomaly scores share: whatever holds images is checked as `fit` checks it, read
batch by batch so that memory does not grow with it, and what comes out is finite or an error.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.training import given_data


def over_batches(
    function: Callable, model, dataset, seed: int, progress: bool, batch_size: int = 1000
) -> list[np.ndarray]:
    """Applies a function to all batches, and joins what it returns.

    Args:
        function: Of a seed (int32 of shape `[2]`, another one for each batch), images, and for a
            conditional model their conditions; returns arrays `[batch, ...]`.
        model: A built `keras_vae.VAE`.
        dataset: Images `[n, *event]`, or a data set of batches of them, with or without labels.
        seed: Int. Of whatever the function draws.
        progress: Bool. Whether to show a progress bar.
        batch_size: Int. How many of an array's images make a batch. Defaults to `1000`.

    Returns:
        The arrays, float64 `[n, ...]`.

    Raises:
        ValueError: If there are no images, they do not fit the model, or a value is not finite.
    """
    arguments.seed("seed", seed)
    check, batches = checked(model, dataset, batch_size)
    count = int(batches.cardinality())
    bar = keras.utils.Progbar(count if count > 0 else None, unit_name="batch") if progress else None
    results = []
    with check.errors_made_clear():
        for index, batch in enumerate(batches):
            noise_seed = tf.constant([seed, index], tf.int32)
            values = function(noise_seed, *inputs_of(model, check, batch))
            results.append([np.asarray(value) for value in values])
            if bar:
                bar.update(index + 1)
    if not results:
        raise ValueError("There are no images to evaluate. Received: an empty data set")
    joined = [np.concatenate(values) for values in zip(*results, strict=True)]
    if not all(np.isfinite(values).all() for values in joined):
        raise ValueError(
            "A term of the bound is not finite on these images. The model has diverged, or the "
            "images are not of the kind that it was trained on."
        )
    # Summed over many images in float64.
    return [values.astype(np.float64) for values in joined]


def checked(model, dataset, batch_size: int | None) -> tuple:
    """The check of a model's images, and batches that it has been added to."""
    check_built(model)
    check = model.data_check()
    if not isinstance(dataset, tf.data.Dataset):
        # A list is no pair of images and labels, but an array, as for `fit`.
        images, *others = dataset if isinstance(dataset, tuple) and dataset else (dataset,)
        if isinstance(dataset, Iterator | keras.utils.PyDataset):
            raise ValueError(
                "Evaluation needs images as an array, or batches of them as a `tf.data.Dataset`, "
                f"which can be read again. Received: {type(dataset).__name__}. Collect the images "
                "by `np.concatenate`."
            )
        checked_images = check.wrap_images(images, takes="labels as `(images, labels)`")
        arrays: Any = np.asarray(checked_images, np.float32)
        if others and others[0] is not None:
            arrays = (arrays, *others)
        dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)
    return check, check.wrap(dataset)


def inputs_of(model, check, batch) -> tuple:
    """The images of a batch, and for a conditional model their conditions."""
    check.check_labels(given_data.labels_of(batch))
    images, *condition = model.inputs_of(batch)
    return tf.cast(images, tf.float32), *condition


def check_built(model):
    """Refuses what is no built VAE, and one that has no density q(z|x)."""
    if getattr(model, "has_discrete_codes", False):
        raise ValueError(
            "Evaluation needs a `keras_vae.VAE`, which has a density q(z|x). "
            f"Received: {type(model).__name__}, whose codes are integers. Its own `evaluate` gives "
            "the bound as `elbo`: that under its `code_prior`, or without one under the uniform "
            "prior."
        )
    if getattr(model, "event_shape", None) is None:
        raise ValueError(
            "Evaluation needs a built `keras_vae.VAE`. "
            f"Received: {type(model).__name__}. Call a model that is not built on a batch of "
            "images, or `build((None, height, width, channels))`, first."
        )
