"""A VAE whose reconstructions are to have the structure of the images."""

import math

import keras

from keras_vae import arguments
from keras_vae.objectives.holes import filled_in
from keras_vae.objectives.structural_similarity import multiscale_similarity, num_scales
from keras_vae.training import Term
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class MSSSIMVAE(VAE):
    """-log p(x|z) + beta * KL + ms_ssim_weight * (1 - MS-SSIM(x, x')), x' the mean of p(x|z).

    The multi-scale structural similarity compares local means, contrasts and patterns of images at
    several scales, and so asks for edges where pixels alone agree best with what is blurred. What
    it lacks to 1 is logged as `ms_ssim_loss`, which has no unit, from 0 to 1: its weight must bring
    it to the scale of nats. Use it for sharper images without a second network.

    Reference: Snell et al., "Learning to generate images with perceptual similarity metrics"
    (2017), where it takes the place of the pixels' likelihood, which stays here.

    Args:
        ms_ssim_weight: Float. Defaults to `100.0`.
        filter_size: Int, at least 2. Side of the window in which images are compared. There are as
            many scales, each half the one before and five at most, as it fits into. Defaults to
            `11`.
        dynamic_range: Float. The greatest value of a pixel less the least. Defaults to `None`: that
            of the likelihood, which must have one.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid, the likelihood has no bounds and there is no
            `dynamic_range`, or the window is larger than the images.
    """

    def __init__(
        self,
        encoder,
        decoder,
        ms_ssim_weight: float = 100.0,
        filter_size: int = 11,
        dynamic_range: float | None = None,
        **kwargs,
    ):
        self.filter_size = arguments.count("filter_size", filter_size, least=2)
        if dynamic_range is not None:
            dynamic_range = arguments.positive("dynamic_range", dynamic_range)
        self.dynamic_range = dynamic_range
        coefficients = {"ms_ssim_weight": ms_ssim_weight}
        super().__init__(encoder, decoder, coefficients=coefficients, **kwargs)

    def build(self, input_shape):
        """Builds both networks, for images that the window fits into."""
        event_shape = tuple(input_shape[1:])
        if len(event_shape) != 3 or num_scales(event_shape, self.filter_size) == 0:
            raise ValueError(
                "The structural similarity needs images [height, width, channels] that its window "
                f"fits into. Received: images {list(event_shape)}, a window of side "
                f"{self.filter_size}. Pass a smaller `filter_size`."
            )
        self._range = self.dynamic_range or self.likelihood.upper - self.likelihood.lower
        if not math.isfinite(self._range):
            raise ValueError(
                "The structural similarity needs to know how far apart the darkest and the "
                "brightest pixel may be, and the likelihood has no bounds. Pass `dynamic_range`. "
                f"Received: dynamic_range=None with likelihood {type(self.likelihood).__name__}"
            )
        super().build(input_shape)

    def forward(self, x, condition, training):
        """The terms of the VAE, and what the reconstruction lacks in similarity."""
        result = super().forward(x, condition, training)
        similarity = multiscale_similarity(
            filled_in(x, result.output), result.output, self._range, self.filter_size
        )
        term = Term(self.ms_ssim_weight, 1.0 - similarity)
        return result._replace(terms={**result.terms, "ms_ssim_loss": term})

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"filter_size": self.filter_size, "dynamic_range": self.dynamic_range}
        return {**super().get_config(), **config}
