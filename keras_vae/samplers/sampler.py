"""What all samplers have in common: codes in, codes out."""

import abc
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.files import write_whole

# Of codes drawn at once, so that memory does not grow with their number.
_CODES = 10_000


class Sampler(keras.Model, abc.ABC):
    """Base class of what learns a density of codes and draws from it.

    It is a Keras model for what that brings, weights and a file, and is not called. Codes are
    standardised latent by latent before a subclass sees them, as those of an autoencoder may have
    any scale.
    """

    def fit(self, codes, seed: int = 0, verbose: int = 0) -> "Sampler":
        """Learns from codes, from the beginning each time.

        Args:
            codes: `[n, latent]`, finite, at least two; see `codes_of`.
            seed: Int. Of all that is drawn meanwhile. Defaults to `0`.
            verbose: 0, 1 or 2, as `keras.Model.fit` takes it. Defaults to `0`: nothing is shown.

        Returns:
            Itself.

        Raises:
            ValueError: If the codes or the seed are invalid, or what was learned is not finite.
        """
        codes = checked_codes(codes)
        seed = arguments.seed("seed", seed)
        if self.built and codes.shape[1] != self.loc.shape[0]:
            raise ValueError(
                f"This {type(self).__name__} was fitted to codes of {self.loc.shape[0]} latents. "
                f"Received: codes of shape {codes.shape}. Fit a new one."
            )
        self.check_codes(codes)
        if not self.built:
            self.build((None, codes.shape[1]))
        loc, scale = self.units_of(codes)
        self.loc.assign(loc)
        self.scale.assign(scale)
        self.learn(((codes - loc) / scale).astype(np.float32), seed, verbose)
        if not all(np.isfinite(weight).all() for weight in self.get_weights()):
            raise ValueError(
                f"What this {type(self).__name__} has learned is not finite: it diverged. Fit it "
                "with a smaller `learning_rate`, or look for codes far away from all others."
            )
        return self

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Draws new codes.

        Args:
            n: Int. How many.
            seed: Int. The same seed and number give the same codes. Defaults to `0`.

        Returns:
            `[n, latent]`, float32.

        Raises:
            ValueError: If an argument is invalid, or nothing was fitted yet.
        """
        self._check_fitted("sample")
        n, seed = arguments.count("n", n), arguments.seed("seed", seed)
        parts = [
            self.draw(min(_CODES, n - start), tf.constant([seed, index]))
            for index, start in enumerate(range(0, n, _CODES))
        ]
        return np.concatenate(parts) * self.scale.numpy() + self.loc.numpy()

    def save(self, filepath: str | os.PathLike, overwrite: bool = True):
        """Writes a `.keras` file, whole or not at all; `keras.saving.load_model` reads it.

        Args:
            filepath: The file, whose name ends in `.keras`, such as one in the folder of the
                model's preset.
            overwrite: Bool. Whether to replace a file that is there. Defaults to `True`.

        Raises:
            ValueError: If nothing was fitted yet, or the name ends in anything else.
            OSError: If the file cannot be written, or is there and may not be replaced.
        """
        self._check_fitted("save")
        path = Path(arguments.path("filepath", filepath))
        if path.suffix != ".keras":
            raise arguments.invalid("filepath", "a name that ends in `.keras`", str(filepath))
        if path.exists() and not arguments.flag("overwrite", overwrite):
            raise FileExistsError(f"{path} is there. Choose another name, or `overwrite=True`.")
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, path.name)
            super().save(whole)
            write_whole(path, whole.read_bytes())

    def build(self, input_shape: tuple):
        """Creates the units of codes `(None, latent)`; a subclass adds what it learns."""
        for name in ("loc", "scale"):
            weight = self.add_weight(shape=input_shape[-1:], trainable=False, name=name)
            setattr(self, name, weight)

    # What a sampler defines ----------------------------------------------------------------

    @abc.abstractmethod
    def learn(self, codes: np.ndarray, seed: int, verbose: int):
        """Learns from standardised codes `[n, latent]`, float32."""

    @abc.abstractmethod
    def draw(self, n: int, seed: tf.Tensor) -> np.ndarray:
        """Draws standardised codes `[n, latent]`.

        Args:
            n: Int.
            seed: int32 `[2]`.
        """

    def check_codes(self, codes: np.ndarray):
        """Raises a `ValueError` if a sampler cannot learn from such codes; any will do."""

    def units_of(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each latent, `[latent]`; 1 of one that is always equal."""
        scale = codes.std(axis=0)
        return codes.mean(axis=0), np.where(scale > 1e-6 * (1 + abs(codes).max(axis=0)), scale, 1)

    def _check_fitted(self, method):
        if not self.built:
            raise ValueError(f"`{method}` needs a fitted sampler. Call `fit(codes)` first.")


def checked_codes(codes) -> np.ndarray:
    """Codes as float64 `[n, latent]`.

    Raises:
        ValueError: If they are not finite numbers of such a shape, or fewer than two.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "fiu" or codes.ndim != 2 or len(codes) < 2 or not codes.shape[1]:
        raise ValueError(
            "Expected codes [n, latent], numbers, at least two. Received: shape "
            f"{list(codes.shape)}, dtype {codes.dtype.name}. "
            "`keras_vae.samplers.codes_of(model, images)` gives those of images."
        )
    if not np.isfinite(codes).all():
        raise ValueError(
            f"Codes must be finite. Received: {np.sum(~np.isfinite(codes))} values that are NaN or "
            "infinite. Look for what made them: the model may have diverged."
        )
    return codes.astype(np.float64)
