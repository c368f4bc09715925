"""A model as a TensorFlow SavedModel that serves without this package."""

import abc
import os
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

__all__ = ["HasSignatures", "vae_signatures"]

# `{name: (function of tensors, [tf.TensorSpec, ...])}`, the one that is served by default first.
Signatures = Mapping[str, tuple[Callable, list]]


class HasSignatures(keras.Model):
    """A model that a SavedModel serves by signatures of its own."""

    @abc.abstractmethod
    def signatures(self) -> Signatures:
        """What is served, of a built model."""

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool = True,
        **kwargs,
    ):
        """Exports the model for inference.

        A TensorFlow SavedModel gets the signatures that `signatures` lists, and serves without this
        package; any other format gets what `keras.Model.export` writes. Both are deterministic.

        Args:
            filepath: Where to.
            format: As `keras.Model.export` takes it. Defaults to `"tf_saved_model"`.
            verbose: Bool. Whether to print the signatures. Defaults to `True`.
            **kwargs: For other formats, passed on.

        Raises:
            ValueError: If the model is not built.
        """
        if not self.built:
            raise ValueError(
                "`export` needs a built model. Call the model on a batch of images, or "
                "`build((None, height, width, channels))`, first."
            )
        if format != "tf_saved_model":
            super().export(filepath, format=format, verbose=verbose, **kwargs)
            return
        archive = keras.export.ExportArchive()
        archive.track(self)
        for name, (function, inputs) in self.signatures().items():
            archive.add_endpoint(name, function, inputs)
        archive.write_out(filepath, verbose=verbose)


def vae_signatures(vae) -> Signatures:
    """Those of a VAE.

    - `serving_default` and `reconstruct`: images `[n, *event]` -> images;
    - `encode`: images -> `loc` and `scale` of q(z|x), `[n, latent]`;
    - `decode`: codes `[n, latent]` -> images, the mean of p(x|z);
    - `sample`: `n` and `seed`, int32 scalars -> `[n, *event]`, decoded samples of the prior.

    Args:
        vae: A built `keras_vae.VAE`.
    """
    images = tf.TensorSpec((None, *vae.event_shape), tf.float32, name="images")
    codes = tf.TensorSpec((None, vae.latent_dim), tf.float32, name="codes")

    def reconstruct(images):
        return vae(images, training=False)

    def encode(images):
        posterior = vae.encode(images)
        return {"loc": posterior.mean(), "scale": posterior.stddev()}

    def decode(codes):
        return vae.decode(codes).mean()

    def sample(n, seed):
        return decode(vae.prior_distribution().sample(n, seed=tf.stack([seed, 0])))

    return {
        "reconstruct": (reconstruct, [images]),
        "encode": (encode, [images]),
        "decode": (decode, [codes]),
        "sample": (sample, count_and_seed()),
    }


def count_and_seed() -> list[tf.TensorSpec]:
    """What a signature that draws takes."""
    return [tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed")]
