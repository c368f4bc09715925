"""A VAE as a TensorFlow SavedModel that serves without this package."""

import os

import keras
import tensorflow as tf

__all__ = ["saved_model"]


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

    archive = keras.export.ExportArchive()
    archive.track(vae)
    # The first endpoint is the one served by default.
    archive.add_endpoint("reconstruct", reconstruct, [images])
    archive.add_endpoint("encode", encode, [images])
    archive.add_endpoint("decode", decode, [codes])
    archive.add_endpoint("sample", sample, [count, seed])
    archive.write_out(filepath, verbose=verbose)
