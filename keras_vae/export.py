"""A model as a TensorFlow SavedModel that serves without this package."""

import os
from collections.abc import Mapping

import keras
import tensorflow as tf


def saved_model(vae, filepath: str | os.PathLike, verbose: bool = True):
    """Writes a SavedModel with the signatures of a VAE.

    - `serving_default` and `reconstruct`: images `[n, *event]` -> images;
    - `encode`: images -> `loc` and `scale` of q(z|x), `[n, latent]`;
    - `decode`: codes `[n, latent]` -> images, the mean of p(x|z);
    - `sample`: `n` and `seed`, int32 scalars -> `[n, *event]`, decoded samples of the prior.

    Args:
        vae: A built `keras_vae.VAE`.
        filepath: Folder of the SavedModel.
        verbose: Bool. Whether to print the signatures. Defaults to `True`.
    """
    images = tf.TensorSpec((None, *vae.event_shape), tf.float32, name="images")
    codes = tf.TensorSpec((None, vae.latent_dim), tf.float32, name="codes")
    count, seed = (tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed"))

    def reconstruct(images):
        return vae(images, training=False)

    def encode(images):
        posterior = vae.encode(images)
        return {"loc": posterior.mean(), "scale": posterior.stddev()}

    def decode(codes):
        return vae.decode(codes).mean()

    def sample(n, seed):
        return decode(vae.prior_distribution().sample(n, seed=tf.stack([seed, 0])))

    endpoints = {
        "reconstruct": (reconstruct, [images]),
        "encode": (encode, [images]),
        "decode": (decode, [codes]),
        "sample": (sample, [count, seed]),
    }
    write(vae, endpoints, filepath, verbose)


def write(model: keras.Model, endpoints: Mapping, filepath: str | os.PathLike, verbose: bool):
    """Writes a SavedModel with signatures.

    Args:
        model: Whose weights they use.
        endpoints: `{name: (function of tensors, [tf.TensorSpec, ...])}`; the first is the one that
            is served by default.
        filepath: Folder of the SavedModel.
        verbose: Bool. Whether to print the signatures.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, signature)
    archive.write_out(filepath, verbose=verbose)
