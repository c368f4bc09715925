"""What the card of a trained model says, by its codes: latents, or integers of a codebook."""

import keras_vae
from keras_vae import evaluation
from keras_vae.quantized import VQVAE

import numpy as np
import tensorflow as tf


def of(model):
    """The description of one model.

    Args:
        model: A trained model of the family.

    Returns:
        `OfIntegers` for a VQ-VAE, `OfLatents` for all others. Both have the same methods.
    """
    return OfIntegers(model) if isinstance(model, VQVAE) else OfLatents(model)


class OfLatents:
    """What is said of a model with a posterior over latents."""

    def __init__(self, vae):
        self.vae = vae

    def settings(self) -> dict:
        """Of its loss and size."""
        return {
            "beta": self.vae.get_config()["beta"],
            "reduction": self.vae.reduction,
            "latent_dim": self.vae.latent_dim,
        }

    def figures(self, evaluated: dict) -> dict:
        """What it is worth, as `evaluation.evaluate_all` measures it.

        Args:
            evaluated: On what, and how, as a card says it.
        """
        return evaluation.evaluate_all(self.vae, **evaluated)

    def pinned(self) -> np.ndarray:
        """Images of fixed codes, `[3, height, width, channels]`."""
        codes = np.linspace(-1.5, 1.5, 3 * self.vae.latent_dim, dtype=np.float32)
        return self.vae.decode(codes.reshape(3, self.vae.latent_dim)).mean().numpy()


class OfIntegers:
    """What is said of a VQ-VAE with its prior, which has no importance samples to draw."""

    def __init__(self, vqvae: VQVAE):
        self.vqvae = vqvae

    def settings(self) -> dict:
        """Of its loss and size."""
        names = ("commitment", "num_codes", "decay")
        settings = {name: self.vqvae.get_config()[name] for name in names}
        return {**settings, "grid_shape": list(self.vqvae.grid_shape)}

    def figures(self, evaluated: dict) -> dict:
        """The bound and what it is made of, in nats an image.

        Args:
            evaluated: On what, as a card says it.
        """
        batches = keras_vae.datasets.load(
            evaluated["dataset"],
            evaluated["split"],
            1000,
            shuffle=False,
            binarize=evaluated["binarize"],
            seed=evaluated["seed"],
        )
        measured: dict = {"elbo": [], "distortion": [], "rate": [], "mean_squared_error": []}
        codes = []
        for images in batches:
            result = self.vqvae(images, return_pass=True)
            distortion = result.terms["reconstruction_loss"].value
            elbo = result.logged["elbo"].value
            error = tf.reduce_mean((images - result.output) ** 2, axis=[1, 2, 3])
            values = (elbo, distortion, -elbo - distortion, error)
            for key, value in zip(measured, values, strict=True):
                measured[key].append(value)
            codes.append(self.vqvae.encode_codes(images))
        figures = {}
        for key, parts in measured.items():
            values = np.float64(np.concatenate(parts))
            figures[key] = values.mean()
            figures[f"{key}_standard_error"] = values.std() / np.sqrt(len(values))
        codes = np.concatenate(codes)
        return {
            **figures,
            "bits_per_code": figures["rate"] / codes[0].size / np.log(2),
            "codes_in_use": len(np.unique(codes)),
            "num_images": len(codes),
        }

    def pinned(self) -> np.ndarray:
        """Images of fixed codes, `[3, height, width, channels]`."""
        codes = np.arange(3 * self.vqvae.code_prior.length) % self.vqvae.num_codes
        return self.vqvae.decode_codes(codes.reshape(3, *self.vqvae.grid_shape)).numpy()
