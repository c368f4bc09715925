"""q(z|x): from what the encoder returns to a distribution over codes."""

import abc
import math
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.noise import standard_normal

_package = "keras_vae"


class Posterior(keras.layers.Layer, abc.ABC):
    """Base class of q(z|x): turns what the encoder returns into a distribution over codes.

    It is a layer, so it may own trainable weights. Its distribution is either factorised, as
    `tfd.Independent`, or standard normal noise pushed through a bijector, as
    `tfd.TransformedDistribution`: that is all that reparameterisation needs.
    """

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
class CouplingFlow(Posterior):
    """q(z|x) of any shape: the factorised Gaussian pushed through invertible coupling layers.

    Each layer shifts and scales one half of the code by functions of the other half and of the
    encoder's `loc` and `scale` (Dinh et al., "Density estimation using Real NVP", 2017, equations
    7 and 8), as Rezende & Mohamed, "Variational inference with normalizing flows" (2015), build
    posteriors. At the start the flow is the identity. The KL is estimated from one sample.

    Such a distribution has no closed moments: its `mean()` is where the flow takes `loc`, and its
    `stddev()` is that of 64 fixed draws.

    Args:
        num_layers: Int. Coupling layers; two of them change every latent. Defaults to `4`.
        hidden_sizes: Units of the hidden layers of each. Defaults to `(64,)`.

    Raises:
        ValueError: If an argument is invalid, or when built for less than two latents.
    """

    def __init__(self, num_layers: int = 4, hidden_sizes: Sequence[int] = (64,), **kwargs):
        super().__init__(**kwargs)
        self.num_layers = arguments.count("num_layers", num_layers)
        self.hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)

    def build(self, input_shape):
        """Creates the networks of the coupling layers for codes `(batch, latent)`."""
        latents = input_shape[-1]
        if latents < 2:
            raise ValueError(f"A coupling flow needs two latents or more. Received: {latents}")
        kept = latents // 2
        moved = latents - kept
        self.networks = [
            keras.Sequential(
                [
                    keras.layers.Input((kept + 2 * latents,)),
                    *(keras.layers.Dense(size, "relu") for size in self.hidden_sizes),
                    keras.layers.Dense(2 * moved, kernel_initializer="zeros"),
                ],
                name=f"coupling_{index}",
            )
            for index in range(self.num_layers)
        ]
        self.built = True

    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """The flow of the Gaussian of `loc` and `scale`."""
        loc, scale = (tf.cast(parameters[name], tf.float32) for name in ("loc", "scale"))
        latents = loc.shape[-1]
        context = tf.concat([loc, scale], axis=-1)
        bijectors = [tfb.Shift(loc)(tfb.ScaleMatvecDiag(scale))]
        for index, network in enumerate(self.networks):
            # The halves take turns: a negative number keeps that many latents at the end.
            kept = latents // 2 * (-1) ** index
            coupling = tfb.RealNVP(kept, shift_and_log_scale_fn=_coupling(network, context))
            bijectors.append(coupling)
        noise = diagonal_normal(tf.zeros_like(loc), tf.ones_like(loc))
        return _Flow(noise, tfb.Chain(bijectors[::-1]), name="coupling_flow")

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"num_layers": self.num_layers, "hidden_sizes": self.hidden_sizes}
        return {**super().get_config(), **config}


class _Flow(tfd.TransformedDistribution):
    """Standard normal noise `[batch, latent]` pushed through a bijector."""

    def _mean(self):
        return self.bijector.forward(self.distribution.mean())

    def _stddev(self):
        zeros = self.distribution.mean()
        noise = standard_normal([64, 1, zeros.shape[-1]], tf.constant([0, 0]))
        return tf.math.reduce_std(self.bijector.forward(zeros + noise), axis=0)


def _coupling(network, context):
    """What a coupling layer does to one half, as TFP asks for it: of the other half and x."""

    def shift_and_log_scale(kept, moved_size):
        shape = tf.concat([tf.shape(kept)[:-1], [context.shape[-1]]], axis=0)
        inputs = tf.concat([kept, tf.broadcast_to(context, shape)], axis=-1)
        flat = tf.reshape(inputs, [-1, inputs.shape[-1]])
        outputs = tf.cast(network(flat), tf.float32)
        outputs = tf.reshape(outputs, tf.concat([shape[:-1], [2 * moved_size]], axis=0))
        shift, raw = tf.split(outputs, 2, axis=-1)
        # Bounded, so that no layer stretches more than e-fold and none overflows.
        return shift, tf.tanh(raw)

    return shift_and_log_scale


def _triangle(latents):
    """`(length, start)` of every row below the diagonal in the flat list of entries."""
    return [(row, math.comb(row, 2)) for row in range(latents)]


#: Classes of posteriors by the names that `posterior=` takes.
POSTERIORS = {
    "diagonal_normal": DiagonalNormal,
    "full_covariance_normal": FullCovarianceNormal,
    "coupling_flow": CouplingFlow,
}
