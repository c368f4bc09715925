"""The Wasserstein autoencoder with a maximum mean discrepancy."""

import keras

from keras_vae.objectives.info_vae import InfoVAE


@keras.saving.register_keras_serializable(package="keras_vae")
class WAE(InfoVAE):
    """-log p(x|z) + lambda * MMD(q(z), p(z)) at z = loc(x): an autoencoder whose codes fill p(z).

    The limit of `InfoVAE` at alpha 1 with a deterministic encoder: single images' posteriors are
    not pulled to the prior, only all codes together are. Use it for samples almost as good as a
    VAE's from reconstructions almost as sharp as an autoencoder's.

    Reference: Tolstikhin et al., "Wasserstein auto-encoders" (2018), algorithm 2, of which the
    kernel is taken, too.

    Args:
        mmd_weight: Float, lambda of the paper. Defaults to `1000.0`.
        kernel: As for `InfoVAE`. Defaults to `"imq"`.
        **kwargs: As `InfoVAE` takes them.
    """

    def __init__(self, encoder, decoder, mmd_weight=1000.0, kernel: str = "imq", **kwargs):
        super().__init__(encoder, decoder, mmd_weight=mmd_weight, kernel=kernel, **kwargs)

    def reparameterize(self, posterior, noise):
        """The mean of the posterior, whatever the noise."""
        del noise
        return posterior.mean()
