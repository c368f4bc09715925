"""An importance-weighted VAE whose encoder learns from a looser bound than its decoder."""

import math

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.objectives.iwae import GRADIENTS, IWAE, with_scaled_gradient


@keras.saving.register_keras_serializable(package="keras_vae")
class PIWAE(IWAE):
    """The IWAE of M K samples, from which the decoder learns; the encoder from M bounds of K each.

    A tight bound helps the decoder and drowns the encoder's gradient in noise, so each gets its
    own. The value of the loss is the tight bound; what is logged is as of `IWAE`. At `num_bounds=1`
    it is the IWAE.

    Reference: Rainforth et al., "Tighter variational bounds are not necessarily better" (2018),
    equations 11 and 12.

    Args:
        num_samples: Int. K, of each bound of the encoder. Defaults to `5`.
        num_bounds: Int. M. Defaults to `5`.
        **kwargs: As `IWAE` takes them, but for `gradient` and `elbo_share`.

    Raises:
        ValueError: If an argument is invalid.
    """

    # Of weights, so that what divides by one stays finite.
    _least_weight = 1e-20

    def __init__(self, encoder, decoder, num_samples: int = 5, num_bounds: int = 5, **kwargs):
        # Of a saved model the gradient is that of its class.
        other = {name: value for name, value in kwargs.items() if value != GRADIENTS[0]}
        arguments.unused("PIWAE", other, "gradient", "elbo_share")
        super().__init__(encoder, decoder, num_samples, num_bounds=num_bounds, **kwargs)

    def for_gradient(self, posterior, z, factors):
        """Codes whose gradient is weighted anew where it comes from decoder and prior."""
        return posterior, z, with_scaled_gradient(z, factors)

    def bound(self, distortion, log_posterior, log_prior, factors):
        """The tight bound, whose gradient is that of the loose ones where the encoder learns."""
        joint = self.beta * log_prior - distortion
        log_weights = tf.stop_gradient(joint - self.beta * log_posterior)
        count = self.num_bounds * self.num_samples
        of_model = tf.maximum(tf.nn.softmax(log_weights, axis=0), self._least_weight)
        by_bound = tf.reshape(log_weights, [self.num_bounds, self.num_samples, -1])
        of_encoder = tf.reshape(tf.nn.softmax(by_bound, axis=1), tf.shape(log_weights))
        of_encoder /= self.num_bounds
        factors.append(of_encoder / of_model)
        value = tf.reduce_logsumexp(log_weights, axis=0) - math.log(count)
        gradient = of_model * joint - of_encoder * self.beta * log_posterior
        gradient = tf.reduce_sum(gradient, axis=0)
        return value + gradient - tf.stop_gradient(gradient)
