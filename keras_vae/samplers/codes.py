"""The codes of a trained model."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.held_out import over_batches
from keras_vae.model_functions import ModelFunctions
from keras_vae.noise import standard_normal
from keras_vae.training.given_data import images_of
from keras_vae.vae import VAE


def codes_of(
    model,
    data,
    sample: bool = True,
    seed: int = 0,
    encode: Callable | None = None,
) -> np.ndarray:
    """The codes of images, one each, for a sampler to learn from.

    By default each is drawn from q(z|x) as in training. Together they are draws of the aggregate
    posterior, q(z) = E[q(z|x)] over the images, from which the decoder has learned to make images.
    The means alone are narrower than that, and leave holes between them that the decoder never saw
    as such. A model that draws nothing in training, such as `objectives.Autoencoder`, gives its
    means in any case.

    Args:
        model: A built `keras_vae.VAE`, or any Keras model that tells how to encode; see
            `keras_vae.model_functions`. Where such a model tells no standard deviation, its code is
            taken as it is.
        data: Images `[n, *event]`, or a `tf.data.Dataset` of batches of them, with or without
            labels, which are the conditions of a `ConditionalVAE`. Training images.
        sample: Bool. Whether codes are drawn from q(z|x), instead of being its means. Defaults to
            `True`.
        seed: Int. Of what is drawn. Defaults to `0`.
        encode: Function from images to codes, for a model that does not tell how. Defaults to
            `None`.

    Returns:
        `[n, latent]`, float32.

    Raises:
        ValueError: If an argument is invalid, there are no images, or they do not fit the model.
    """
    arguments.flag("sample", sample)
    arguments.seed("seed", seed)
    if encode is None and isinstance(model, VAE):
        return _of_vae(model, data, sample, seed)
    functions = ModelFunctions(model, encode=encode)
    is_batched = isinstance(data, tf.data.Dataset)
    batches = [images_of(batch).numpy() for batch in data] if is_batched else [images_of(data)]
    if not sum(len(images) for images in batches):
        raise ValueError("There are no images to encode. Received: empty data")
    encoded = [functions.encode(np.asarray(images)) for images in batches]
    codes = np.concatenate([posterior.loc for posterior in encoded])
    if sample and encoded[0].scale is not None:
        scale = np.concatenate([posterior.scale for posterior in encoded])
        codes = codes + scale * np.random.default_rng(seed).standard_normal(codes.shape, np.float32)
    return codes.astype(np.float32)


def _of_vae(model, data, sample, seed):
    """Drawn as the model draws them in training: its means, if it draws nothing."""

    @tf.function(reduce_retracing=True)
    def codes(noise_seed, images, *condition):
        posterior = model.encode(images, *condition)
        if not sample:
            return (posterior.mean(),)
        noise = standard_normal([tf.shape(images)[0], model.latent_dim], noise_seed)
        return (model.reparameterize(posterior, noise),)

    (found,) = over_batches(codes, model, data, seed, progress=False)
    return found.astype(np.float32)
