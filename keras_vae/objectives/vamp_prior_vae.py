"""A VAE whose prior is a mixture of its own posteriors."""

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.distributions import mixture
from keras_vae.objectives.pseudo_inputs import add_pseudo_inputs, within_support
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class VampPriorVAE(VAE):
    """-log p(x|z) + beta * (log q(z|x) - log 1/K sum_k q(z|u_k)), in nats.

    The prior is the mean of the posteriors of K pseudo-inputs u_k, images that are trained with the
    networks: it lies where codes are, so the KL costs less and latents collapse less than with
    N(0, I). Use it for samples and likelihood, with 500 pseudo-inputs for MNIST; each step encodes
    them too. Start them at training images with `vae.pseudo_inputs.assign(images[:K])`.

    Reference: Tomczak & Welling, "VAE with a VampPrior" (2018), equation 9.

    Args:
        num_pseudo_inputs: Int. K. Defaults to `500`.
        **kwargs: As `VAE` takes them, but for `prior`.

    Raises:
        ValueError: If `num_pseudo_inputs` is not positive, or an argument of `VAE` is invalid.
    """

    def __init__(self, encoder, decoder, num_pseudo_inputs: int = 500, **kwargs):
        self.num_pseudo_inputs = arguments.count("num_pseudo_inputs", num_pseudo_inputs)
        super().__init__(encoder, decoder, **kwargs)

    def build(self, input_shape):
        """Creates the pseudo-inputs, uniformly grey, and builds both networks."""
        if not self.built:
            self.pseudo_inputs = add_pseudo_inputs(self, self.num_pseudo_inputs, input_shape[1:])
        super().build(input_shape)

    def prior_distribution(self):
        """The mixture of the pseudo-inputs' posteriors."""
        return mixture(tf.zeros([self.num_pseudo_inputs]), self.encode(within_support(self)))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "num_pseudo_inputs": self.num_pseudo_inputs}
