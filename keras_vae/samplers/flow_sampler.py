"""A masked autoregressive flow over codes."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.samplers.autoregressive_flow import AutoregressiveFlow
from keras_vae.samplers.trained_sampler import TrainedSampler


@keras.saving.register_keras_serializable(package="keras_vae")
class FlowSampler(TrainedSampler):
    """q(z) as a masked autoregressive flow, trained on -log q(z) of the codes.

    It takes any shape of q(z), and has a density to be judged by. Papamakarios et al., "Masked
    autoregressive flow for density estimation" (2017), here without batch normalisation between
    layers. To draw takes as many passes through every layer as there are latents.

    Args:
        num_layers: Int. Defaults to `5`.
        hidden_sizes: Units of the hidden layers of each layer's network. Defaults to `(128, 128)`.
        epochs: Int. Passes over the codes. Defaults to `20`.
        batch_size: Int. Codes a step. Defaults to `256`.
        learning_rate: Float. Of Adam at the start; it falls to a hundredth along a cosine. Defaults
            to `1e-3`.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        num_layers: int = 5,
        hidden_sizes: Sequence[int] = (128, 128),
        epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        **kwargs,
    ):
        super().__init__(epochs, batch_size, learning_rate, **kwargs)
        self.num_layers = arguments.count("num_layers", num_layers)
        self.hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)

    def density_model(self, latent_dim: int, seed: int) -> AutoregressiveFlow:
        """The flow."""
        return AutoregressiveFlow(latent_dim, self.num_layers, self.hidden_sizes, seed)

    def draw(self, n: int, seed: tf.Tensor) -> np.ndarray:
        """Pushes noise through the flow."""
        return self.density.distribution().sample(n, seed=seed).numpy()

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"num_layers": self.num_layers, "hidden_sizes": self.hidden_sizes}
        return {**super().get_config(), **config}
