"""q(z|x): from what the encoder returns to a distribution over codes."""

import abc
import math
from collections.abc import Mapping

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.distributions.von_mises_fisher import VonMisesFisherDistribution

_package = "keras_vae"


class Posterior(keras.layers.Layer, abc.ABC):
    """Base class of q(z|x): turns what the encoder returns into a distribution over codes.

    It is a layer, so it may own trainable weights. Its distribution is either factorised, as
    `tfd.Independent`, or standard normal noise pushed through a bijector, as
    `tfd.TransformedDistribution`, or has a method `from_noise`: that is all that reparameterisation
    needs.
    """

    # Whether codes are points of the unit sphere: those of the prior must be, too.
    on_sphere = False

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of a code, which `summary` shows."""
        return tuple(input_shape)

    @abc.abstractmethod
    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """q(z|x) for the encoder's output.

        Args:
            parameters: A dict with at least `loc` and `scale`, both `[batch, latent]`.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[latent]`.
        """


@keras.saving.register_keras_serializable(package=_package)
class DiagonalNormal(Posterior):
    """q(z|x) = N(z; loc, diag(scale^2)), the usual one (Kingma & Welling, 2014, equation 9)."""

    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """The factorised Gaussian of `loc` and `scale`."""
        return diagonal_normal(parameters["loc"], parameters["scale"])


@keras.saving.register_keras_serializable(package=_package)
class FullCovarianceNormal(Posterior):
    """q(z|x) = N(z; loc, L L^T), whose latents may depend on each other given an image.

    L is lower triangular: `scale` on its diagonal, below it the encoder's third output
    `off_diagonal`, `[batch, latent * (latent - 1) / 2]`, each entry in units of its row's scale,
    which the encoders of `keras_vae.networks` return with `full_covariance=True`. They return
    zeros there at first, so that it begins as the factorised Gaussian that it contains: with
    entries in units of the prior, drawn at random, it stayed 7 nats behind that one on MNIST. Its
    KL to the standard normal prior is in closed form.

    Args:
        relative: Bool. Whether entries are in units of their row's scale. Defaults to `True`; a
            model that was saved before there was a choice keeps entries in units of the prior.

    Reference: Kingma et al., "Improving variational inference with inverse autoregressive flow"
    (2016), appendix A.
    """

    def __init__(self, relative: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.relative = arguments.flag("relative", relative)

    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """The Gaussian of `loc`, `scale` and `off_diagonal`.

        Raises:
            ValueError: If the encoder does not return `off_diagonal`.
        """
        if "off_diagonal" not in parameters:
            raise ValueError(
                "A full covariance needs an encoder that returns `off_diagonal` besides `loc` and "
                "`scale`. Build it with `full_covariance=True`. "
                f"Received: an encoder that returns {sorted(parameters)}"
            )
        loc, scale, below = (
            tf.cast(parameters[name], tf.float32) for name in ("loc", "scale", "off_diagonal")
        )
        latents = loc.shape[-1]
        # Row by row: XLA cannot compile the gradient of `set_diag` over batches of dynamic size.
        rows = []
        for row, start in _triangle(latents):
            own_scale = scale[:, row : row + 1]
            unit = own_scale if self.relative else 1.0
            entries = [unit * below[:, start : start + row], own_scale]
            rows.append(tf.pad(tf.concat(entries, 1), [[0, 0], [0, latents - row - 1]]))
        return tfd.MultivariateNormalTriL(loc, tf.stack(rows, axis=1))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "relative": self.relative}

    @classmethod
    def from_config(cls, config: dict):
        """The posterior that `get_config` describes, also where it was another one's."""
        return cls(**{"relative": False, **config})


@keras.saving.register_keras_serializable(package=_package)
class VonMisesFisher(Posterior):
    """q(z|x) = vMF(z; mu, kappa), whose codes are points of the unit sphere.

    mu is the direction of the encoder's `loc`, and the concentration kappa is 1 over the mean of
    the squares of `scale`, for that is what `scale`, in the limit of small ones, is the standard
    deviation of. Its prior is `"spherical_uniform"`, to which the KL is in closed form: codes need
    not crowd at an origin, and there is none that a collapsed one could lie at. Of m latents m - 1
    are free.

    A code that is moved along one latent lies off the sphere. A decoder that begins with
    `keras.layers.UnitNormalization()` takes it back.

    Reference: Davidson et al., "Hyperspherical variational auto-encoders" (2018), section 3.

    Raises:
        ValueError: When built for less than three latents.
    """

    on_sphere = True

    def build(self, input_shape):
        """Looks at the dimension of codes `(batch, latent)`."""
        if input_shape[-1] < 3:
            raise ValueError(
                "Codes on a sphere need three latents or more, of which one is not free. "
                f"Received: {input_shape[-1]}"
            )
        self.built = True

    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """The distribution around the direction of `loc`."""
        loc, scale = (tf.cast(parameters[name], tf.float32) for name in ("loc", "scale"))
        concentration = 1 / tf.reduce_mean(scale**2, axis=-1)
        return VonMisesFisherDistribution(tf.math.l2_normalize(loc, axis=-1), concentration)


def _triangle(latents):
    """`(length, start)` of every row below the diagonal in the flat list of entries."""
    return [(row, math.comb(row, 2)) for row in range(latents)]
