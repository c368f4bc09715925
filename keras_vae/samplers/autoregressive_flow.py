"""The masked autoregressive flow as a density model that trains by itself."""

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.distributions.masked_networks import masked_network
from keras_vae.training import Pass, Term, TermTrainer
from keras_vae.training.data_checks import DataCheck


class AutoregressiveFlow(TermTrainer):
    """p(z): N(0, I) pushed through affine autoregressive layers; trained on -log p(z) in nats.

    z_i = u_i * exp(alpha_i) + mu_i, alpha_i and mu_i being functions of z_1 ... z_{i-1}
    (Papamakarios et al., "Masked autoregressive flow for density estimation", 2017, equations 3 and
    4). From layer to layer the order of the latents is reversed. At the start it is N(0, I).

    Args:
        latent_dim: Int.
        num_layers: Int.
        hidden_sizes: Units of the hidden layers of each.
        seed: As `TermTrainer` takes it.
    """

    def __init__(self, latent_dim: int, num_layers: int, hidden_sizes: tuple, seed: int):
        super().__init__(seed=seed)
        self.latent_dim = latent_dim
        self.networks = [
            masked_network(latent_dim, 0, hidden_sizes, index % 2 == 1, name=f"layer_{index}")
            for index in range(num_layers)
        ]
        self.build((None, latent_dim))

    def build(self, input_shape: tuple):
        """Everything is built by then."""
        del input_shape
        self.built = True

    def distribution(self) -> tfd.Distribution:
        """p(z), of event shape `[latent]`."""
        noise = diagonal_normal(tf.zeros([self.latent_dim]), tf.ones([self.latent_dim]))
        layers = [
            tfb.MaskedAutoregressiveFlow(_shift_and_log_scale(network)) for network in self.networks
        ]
        return tfd.TransformedDistribution(noise, tfb.Chain(layers[::-1]))

    def call(self, x, training: bool = False, return_pass: bool = False):
        """-log p(z) of codes `[batch, latent]`, nats `[batch]`; or the pass whose term it is."""
        del training
        nats = -self.distribution().log_prob(x)
        return Pass(x, {"negative_log_likelihood": Term(1.0, nats)}, {}) if return_pass else nats

    def symbolic_inputs(self) -> tuple:
        """Symbolic codes."""
        return (keras.KerasTensor((None, self.latent_dim)),)

    def data_check(self) -> DataCheck:
        """Codes of that size."""
        return DataCheck((self.latent_dim,))


def _shift_and_log_scale(network):
    """What TFP asks of a layer, of codes of any batch shape."""

    def function(codes):
        shift, raw = tf.split(tf.cast(network(codes), tf.float32), 2, axis=-1)
        # Bounded, so that no layer stretches more than e-fold and none overflows.
        return shift, tf.tanh(raw)

    return function
