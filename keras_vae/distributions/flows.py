"""q(z|x) of any shape: the factorised Gaussian pushed through invertible layers."""

import abc
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.gaussians import diagonal_normal
from keras_vae.distributions.masked_networks import masked_network
from keras_vae.distributions.posteriors import Posterior
from keras_vae.noise import standard_normal

_package = "keras_vae"


class Flow(Posterior):
    """Base class of a normalizing flow (Rezende & Mohamed, 2015): N(loc, scale^2), then layers.

    Each layer is an invertible function that also depends on the encoder's `loc` and `scale`. The
    KL is estimated from one sample. Such a distribution has no closed moments: its `mean()` is
    where the flow takes `loc`, and its `stddev()` is that of 64 fixed draws.

    Args:
        num_layers: Int.

    Raises:
        ValueError: If `num_layers` is not a positive integer.
    """

    # What messages call it.
    kind = "flow"

    def __init__(self, num_layers: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = arguments.count("num_layers", num_layers)

    @abc.abstractmethod
    def layers_of(self, context: tf.Tensor) -> Sequence[tfb.Bijector]:
        """The layers, from the Gaussian outwards.

        Args:
            context: `loc` and `scale` side by side, `[batch, 2 * latent]`, float32.
        """

    def distribution(self, parameters: Mapping) -> tfd.Distribution:
        """The flow of the Gaussian of `loc` and `scale`."""
        loc, scale = (tf.cast(parameters[name], tf.float32) for name in ("loc", "scale"))
        layers = self.layers_of(tf.concat([loc, scale], axis=-1))
        bijectors = [tfb.Shift(loc)(tfb.ScaleMatvecDiag(scale)), *layers]
        noise = diagonal_normal(tf.zeros_like(loc), tf.ones_like(loc))
        return _Flow(noise, tfb.Chain(bijectors[::-1]), name=self.kind)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}


@keras.saving.register_keras_serializable(package=_package)
class CouplingFlow(Flow):
    """q(z|x) by affine coupling layers.

    Each layer shifts and scales one half of the code by functions of the other half and of the
    encoder's `loc` and `scale` (Dinh et al., "Density estimation using Real NVP", 2017, equations
    7 and 8). At the start the flow is the identity.

    Args:
        num_layers: Int. Coupling layers; two of them change every latent. Defaults to `4`.
        hidden_sizes: Units of the hidden layers of each. Defaults to `(64,)`.

    Raises:
        ValueError: If an argument is invalid, or when built for less than two latents.
    """

    kind = "coupling_flow"

    def __init__(self, num_layers: int = 4, hidden_sizes: Sequence[int] = (64,), **kwargs):
        super().__init__(num_layers, **kwargs)
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

    def layers_of(self, context):
        """Couplings whose halves take turns."""
        kept = context.shape[-1] // 4
        for index, network in enumerate(self.networks):
            # A negative number keeps that many latents at the end.
            function = _shift_and_log_scale(network, context)
            yield tfb.RealNVP(kept * (-1) ** index, shift_and_log_scale_fn=function)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "hidden_sizes": self.hidden_sizes}


@keras.saving.register_keras_serializable(package=_package)
class InverseAutoregressiveFlow(Flow):
    """q(z|x) by inverse autoregressive layers.

    Each layer shifts and scales every latent by functions of those before it and of the encoder's
    `loc` and `scale`, the order turning round from layer to layer; all latents at once, by a masked
    network. A code that was not drawn from it is undone latent by latent. At the start the flow is
    the identity.

    Reference: Kingma et al., "Improving variational inference with inverse autoregressive flow"
    (2016), equation 10, with the shift taken off and the scale divided by, as in the inverse of
    Papamakarios et al., "Masked autoregressive flow for density estimation" (2017).

    Args:
        num_layers: Int. Defaults to `4`.
        hidden_sizes: Units of the hidden layers of each. Defaults to `(64,)`.

    Raises:
        ValueError: If an argument is invalid.
    """

    kind = "inverse_autoregressive_flow"

    def __init__(self, num_layers: int = 4, hidden_sizes: Sequence[int] = (64,), **kwargs):
        super().__init__(num_layers, **kwargs)
        self.hidden_sizes = arguments.counts("hidden_sizes", hidden_sizes)

    def build(self, input_shape):
        """Creates the masked networks of the layers for codes `(batch, latent)`."""
        latents = input_shape[-1]
        self.networks = [
            masked_network(
                latents, 2 * latents, self.hidden_sizes, index % 2 == 1, name=f"masked_{index}"
            )
            for index in range(self.num_layers)
        ]
        self.built = True

    def layers_of(self, context):
        """Inverses of masked autoregressive layers."""
        for network in self.networks:
            function = _shift_and_log_scale(network, context)
            yield tfb.Invert(tfb.MaskedAutoregressiveFlow(lambda z, f=function: f(z, z.shape[-1])))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "hidden_sizes": self.hidden_sizes}


@keras.saving.register_keras_serializable(package=_package)
class HouseholderFlow(Flow):
    """q(z|x) by reflections: a Gaussian of any covariance, for a few numbers a layer.

    Each layer reflects the code at a plane whose normal vector is a linear function of that of the
    layer before, the first one of the encoder's `loc` and `scale`. Reflections keep volumes, so a
    sample costs little more than one of the factorised Gaussian; as many layers as there are
    latents make any rotation.

    Reference: Tomczak & Welling, "Improving variational auto-encoders using Householder flow"
    (2016).

    Args:
        num_layers: Int. Reflections. Defaults to `4`.

    Raises:
        ValueError: If `num_layers` is not a positive integer.
    """

    kind = "householder_flow"

    def build(self, input_shape):
        """Creates the linear functions for codes `(batch, latent)`."""
        latents = input_shape[-1]
        # A normal vector has a direction from the first step on.
        self.normals = [
            keras.layers.Dense(latents, bias_initializer="random_normal", name=f"normal_{index}")
            for index in range(self.num_layers)
        ]
        for index, layer in enumerate(self.normals):
            layer.build((None, latents if index else 2 * latents))
        self.built = True

    def layers_of(self, context):
        """Reflections."""
        normal = context
        for layer in self.normals:
            normal = tf.cast(layer(normal), tf.float32)
            yield tfb.Householder(tf.math.l2_normalize(normal, axis=-1))


def two_levels(top: tfd.Distribution, network: keras.Model) -> tfd.Distribution:
    """p(z_2) p(z_1|z_2), the latter a Gaussian.

    Args:
        top: p(z_2), of event shape `[top]`.
        network: From z_2 to shift and unbounded log-scale of z_1, `[n, top] -> [n, 2 * bottom]`.

    Returns:
        A distribution of event shape `[top + bottom]`, z_2 first.
    """
    bottom = network.output_shape[-1] // 2
    noise = diagonal_normal(tf.zeros([bottom]), tf.ones([bottom]))
    coupling = tfb.RealNVP(
        top.event_shape[0], shift_and_log_scale_fn=_shift_and_log_scale(network, tf.zeros([0]))
    )
    return tfd.TransformedDistribution(tfd.Blockwise([top, noise]), coupling, name="two_levels")


class _Flow(tfd.TransformedDistribution):
    """Standard normal noise `[batch, latent]` pushed through a bijector."""

    def _mean(self):
        return self.bijector.forward(self.distribution.mean())

    def _stddev(self):
        zeros = self.distribution.mean()
        noise = standard_normal([64, 1, zeros.shape[-1]], tf.constant([0, 0]))
        return tf.math.reduce_std(self.bijector.forward(zeros + noise), axis=0)


def _shift_and_log_scale(network, context):
    """What a layer does to latents, as TFP asks for it: of latents, and how many it moves."""

    def shift_and_log_scale(latents, moved_size):
        shape = tf.concat([tf.shape(latents)[:-1], [context.shape[-1]]], axis=0)
        inputs = tf.concat([latents, tf.broadcast_to(context, shape)], axis=-1)
        flat = tf.reshape(inputs, [-1, inputs.shape[-1]])
        outputs = tf.cast(network(flat), tf.float32)
        outputs = tf.reshape(outputs, tf.concat([shape[:-1], [2 * moved_size]], axis=0))
        shift, raw = tf.split(outputs, 2, axis=-1)
        # Bounded, so that no layer stretches more than e-fold and none overflows.
        return shift, tf.tanh(raw)

    return shift_and_log_scale
