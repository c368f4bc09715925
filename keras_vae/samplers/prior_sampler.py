"""The model's own prior, as a sampler."""

import keras
import numpy as np
import tensorflow as tf

from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.presets import without_optimizer_state
from keras_vae.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="keras_vae")
class PriorSampler(Sampler):
    """Draws from p(z): the baseline, and right where the codes of all images follow the prior.

    Args:
        model: A built `keras_vae.VAE`, whose `prior_distribution()` it draws from, and which its
            file holds as a whole, as it is now. Defaults to `None`: N(0, I), for any other model.

    Raises:
        ValueError: If the model has no `prior_distribution`, or is not built.
    """

    def __init__(self, model: keras.Model | None = None, **kwargs):
        super().__init__(**kwargs)
        if model is not None and not (hasattr(model, "prior_distribution") and model.built):
            raise ValueError(
                "`PriorSampler` needs a built `keras_vae.VAE`, or no model for N(0, I). "
                f"Received: {type(model).__name__}"
            )
        # A copy: an optimizer's state would make the file three times as large, and training that
        # goes on would change what is drawn.
        self.source = None if model is None else without_optimizer_state(model)

    def check_codes(self, codes: np.ndarray):
        """Refuses codes of another size than the model's."""
        if self.source is not None and codes.shape[1] != self.source.latent_dim:
            raise ValueError(
                f"The model has {self.source.latent_dim} latents. Received: codes of shape "
                f"{codes.shape}. Pass `codes_of(model, images)` of the same model."
            )

    def units_of(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes as they are: a prior has units of its own."""
        return np.zeros(codes.shape[1]), np.ones(codes.shape[1])

    def learn(self, codes: np.ndarray, seed: int, verbose: int):
        """Nothing: of the codes only their size is used."""

    def draw(self, n: int, seed: tf.Tensor) -> np.ndarray:
        """Draws from the prior."""
        if self.source is not None:
            return self.source.prior_distribution().sample(n, seed=seed).numpy()
        return diagonal_normal(self.loc.value, self.scale.value).sample(n, seed=seed).numpy()

    def get_config(self) -> dict:
        """The constructor's arguments, the model with its own configuration."""
        # Of `None` it makes `None`.
        return {**super().get_config(), "model": keras.saving.serialize_keras_object(self.source)}

    @classmethod
    def from_config(cls, config: dict):
        """The sampler that `get_config` describes."""
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})
