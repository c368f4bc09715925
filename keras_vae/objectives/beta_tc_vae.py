"""A VAE whose KL is taken apart, to weight the dependence between latents alone."""

import keras

from keras_vae import arguments
from keras_vae.objectives.aggregate_posterior import log_densities
from keras_vae.vae import VAE

SAMPLINGS = ("weighted", "stratified")


@keras.saving.register_keras_serializable(package="keras_vae")
class BetaTCVAE(VAE):
    """-log p(x|z) + alpha * I(x; z) + beta * TC(z) + gamma * sum_j KL(q(z_j) || p(z_j)), in nats.

    The three terms, logged as `mutual_information`, `total_correlation` and `dimension_wise_kl`,
    sum to log q(z|x) - log p(z): at 1, 1, 1 it is the VAE with a sampled KL. A high beta asks for
    independent latents without paying for the information that they carry, as a beta-VAE does. Use
    it where that matters, with beta 2 to 10; the dependence is estimated from the batch, so batches
    should have 64 images or more.

    Reference: Chen et al., "Isolating sources of disentanglement in variational autoencoders"
    (2018), equations 2 and 4, and appendix C for the two ways of sampling.

    Args:
        alpha: Float. Weight of the mutual information. Defaults to `1.0`.
        beta: Float. Weight of the total correlation. Defaults to `6.0`.
        gamma: Float. Weight of the dimension-wise KL, a variable. Defaults to `1.0`.
        sampling: `"weighted"`, which is biased but in which the data's size is a mere constant, or
            `"stratified"`. Defaults to `"weighted"`.
        dataset_size: Int. Images that the batches are drawn from; `"stratified"` needs it. Defaults
            to `None`: the batch is taken for the data.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid, or posterior or prior does not factorise.
    """

    def __init__(
        self,
        encoder,
        decoder,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        sampling: str = "weighted",
        dataset_size: int | None = None,
        **kwargs,
    ):
        arguments.unused("BetaTCVAE", kwargs, "free_bits", "kl_balance")
        coefficients = {"alpha": alpha, "gamma": gamma}
        super().__init__(encoder, decoder, beta=beta, coefficients=coefficients, **kwargs)
        if sampling not in SAMPLINGS or (sampling == "stratified" and not dataset_size):
            raise ValueError(
                f"Invalid value for argument `sampling`. Expected one of {list(SAMPLINGS)}, the "
                "latter with `dataset_size`, the number of training images. Received: "
                f"sampling={sampling!r}, dataset_size={dataset_size}"
            )
        self.sampling, self.dataset_size = sampling, dataset_size

    def regularizers(self, posterior, z, kl, training):
        """The three terms, each an estimate from the one sample an image."""
        given_image, joint, product = log_densities(
            posterior, z, self.dataset_size, self.sampling == "stratified"
        )
        log_prior = self.prior_distribution().log_prob(z)
        return {
            "mutual_information": (self.alpha, given_image - joint),
            "total_correlation": (self.beta, joint - product),
            "dimension_wise_kl": (self.gamma, product - log_prior),
        }

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"sampling": self.sampling, "dataset_size": self.dataset_size}
        return {**super().get_config(), **config}
