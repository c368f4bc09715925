"""A second VAE over the codes of the first."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments, networks
from keras_vae.distributions import Gaussian
from keras_vae.samplers.trained_sampler import TrainedSampler
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class SecondStageSampler(TrainedSampler):
    """q(z) as a VAE with as many latents as there are in z: z is drawn from p(z|u), u from N(0, I).

    A first VAE may know the manifold of its images and still not how they lie on it; a second one,
    whose codes fill all dimensions, learns that (Dai & Wipf, "Diagnosing and enhancing VAE models",
    2019, section 4). Its Gaussian likelihood has one standard deviation, which is learned, as
    there.

    Args:
        latent_dim: Int. Of the second VAE. Defaults to `None`: as many as z has.
        hidden_sizes: Units of its encoder's hidden layers; the decoder has them in reverse.
            Defaults to `(256, 256)`.
        epochs: Int. Passes over the codes. Defaults to `40`.
        batch_size: Int. Codes a step. Defaults to `256`.
        learning_rate: Float. Of Adam at the start; it falls to a hundredth along a cosine. Defaults
            to `1e-3`.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        latent_dim: int | None = None,
        hidden_sizes: Sequence[int] = (256, 256),
        epochs: int = 40,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        **kwargs,
    ):
        super().__init__(epochs, batch_size, learning_rate, **kwargs)
        self.latent_dim = None if latent_dim is None else arguments.count("latent_dim", latent_dim)
        self.hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)

    def density_model(self, latent_dim: int, seed: int) -> VAE:
        """The second VAE, of codes as rows."""
        likelihood, latents = Gaussian(), self.latent_dim or latent_dim
        encoder = networks.mlp_encoder((latent_dim,), latents, self.hidden_sizes)
        decoder = networks.mlp_decoder(
            (latent_dim,), latents, self.hidden_sizes[::-1], likelihood=likelihood
        )
        return VAE(encoder, decoder, likelihood=likelihood, seed=seed)

    def draw(self, n: int, seed: tf.Tensor) -> np.ndarray:
        """Draws from p(z|u) at draws of its own prior."""
        of_u, of_z = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        u = self.density.prior_distribution().sample(n, seed=of_u)
        return self.density.decode(u).sample(seed=of_z).numpy()

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"latent_dim": self.latent_dim, "hidden_sizes": self.hidden_sizes}
        return {**super().get_config(), **config}
