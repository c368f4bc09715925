"""The plain autoencoder."""

import keras

from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class Autoencoder(VAE):
    """-log p(x|z) at the code z = loc(x), in nats: a deterministic autoencoder.

    Beta is 0 and nothing is drawn (Hinton & Salakhutdinov, "Reducing the dimensionality of data
    with neural networks", 2006). Reach for it as the baseline of a VAE: it reconstructs best and
    generates worst, because its codes follow no prior. `kl_loss` is that of a posterior which
    nothing trains, and `elbo` bounds nothing.

    Args:
        beta: Float. Defaults to `0.0`.
        **kwargs: As `VAE` takes them.
    """

    def __init__(self, encoder, decoder, beta: float = 0.0, **kwargs):
        super().__init__(encoder, decoder, beta=beta, **kwargs)

    def reparameterize(self, posterior, noise):
        """The mean of the posterior, whatever the noise."""
        del noise
        return posterior.mean()
