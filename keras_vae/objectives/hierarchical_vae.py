"""A VAE of two levels of latents."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.distributions import CouplingFlow, diagonal_normal, mixture, two_levels
from keras_vae.objectives.pseudo_inputs import add_pseudo_inputs, within_support
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class HierarchicalVAE(VAE):
    """-log p(x|z) + beta * (log q(z|x) - log p(z_2) - log p(z_1|z_2)), in nats, z = [z_2, z_1].

    The first half of the code is the top level z_2, the rest the bottom level z_1, whose posterior
    and prior depend on it: q(z|x) = q(z_2|x) q(z_1|x, z_2), a coupling layer that keeps z_2, and
    p(z_1|z_2), a Gaussian whose mean and scale are a network's. With pseudo-inputs u, p(z_2) is
    the mean of q(z_2|u_k), as in `VampPriorVAE`. Use it for likelihood and samples, where the prior
    of one level fits the codes badly. q(z_1|x, z_2) sees the image as the encoder's `loc` and
    `scale`, not by an encoder of its own.

    Reference: Tomczak & Welling, "VAE with a VampPrior" (2018), section 4.

    Args:
        num_pseudo_inputs: Int. 0 for p(z_2) = N(0, I). Defaults to `0`.
        hidden_sizes: Units of the hidden layers between the levels, in posterior and prior.
            Defaults to `(64,)`.
        **kwargs: As `VAE` takes them, but for `prior` and `posterior`.

    Raises:
        ValueError: If an argument is invalid, or when built for less than two latents.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_pseudo_inputs: int = 0,
        hidden_sizes: Sequence[int] = (64,),
        **kwargs,
    ):
        self.num_pseudo_inputs = arguments.count("num_pseudo_inputs", num_pseudo_inputs, least=0)
        self.hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)
        kwargs.setdefault("posterior", CouplingFlow(1, self.hidden_sizes))
        super().__init__(encoder, decoder, **kwargs)
        if not isinstance(self.posterior, CouplingFlow) or self.posterior.num_layers != 1:
            raise ValueError(
                "The posterior of two levels is a coupling of one layer, which is there without an "
                f"argument `posterior`. Received: posterior={type(self.posterior).__name__}"
            )

    def build(self, input_shape):
        """Builds both networks, the pseudo-inputs, and the network from top to bottom."""
        if self.built:
            return
        if self.num_pseudo_inputs:
            self.pseudo_inputs = add_pseudo_inputs(self, self.num_pseudo_inputs, input_shape[1:])
        super().build(input_shape)
        top = self.latent_dim // 2
        layers = [keras.layers.Dense(size, "relu") for size in self.hidden_sizes]
        outputs = keras.layers.Dense(2 * (self.latent_dim - top), kernel_initializer="zeros")
        self.top_to_bottom = keras.Sequential(
            [keras.layers.Input((top,)), *layers, outputs], name="top_to_bottom"
        )

    def prior_distribution(self):
        """p(z_2) p(z_1|z_2)."""
        top = self.latent_dim // 2
        if not self.num_pseudo_inputs:
            prior = diagonal_normal(tf.zeros([top]), tf.ones([top]))
        else:
            parameters = self.encoder(within_support(self))
            components = diagonal_normal(*(parameters[name][:, :top] for name in ("loc", "scale")))
            prior = mixture(tf.zeros([self.num_pseudo_inputs]), components)
        return two_levels(prior, self.top_to_bottom)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            "num_pseudo_inputs": self.num_pseudo_inputs,
            "hidden_sizes": self.hidden_sizes,
        }
        return {**super().get_config(), **config}
