"""From network outputs to distributions: q(z|x), p(x|z) and the prior p(z).

The only place that constructs TensorFlow Probability distributions. Parameters are cast to
float32 first, so that every log-probability and divergence is a float32 number of nats whatever
the dtype policy of the networks.
"""

import abc
import math
from collections.abc import Mapping

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

_package = "keras_vae"


def diagonal_normal(loc: tf.Tensor, scale: tf.Tensor) -> tfd.Distribution:
    """The factorised Gaussian q(z|x) = N(z; loc, diag(scale^2)).

    Args:
        loc: Means, `[batch, latent]`.
        scale: Standard deviations, `[batch, latent]`, positive.

    Returns:
        A distribution of batch shape `[batch]` and event shape `[latent]`.
    """
    return tfd.Independent(
        tfd.Normal(tf.cast(loc, tf.float32), tf.cast(scale, tf.float32)),
        reinterpreted_batch_ndims=1,
    )


def standard_normal(shape, seed: tf.Tensor) -> tf.Tensor:
    """Draws from N(0, 1) by Box and Muller's method: a function of the seed alone.

    TensorFlow's own normal generator turns the same random bits into other numbers under XLA.

    Args:
        shape: Of the result, integers or scalar tensors.
        seed: int32 `[2]`.

    Returns:
        float32 of that shape.
    """
    bits = tf.random.stateless_uniform(
        [2, *shape], seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    # The upper 24 bits, which a float32 holds exactly; half a unit keeps the logarithm from 0.
    uniform = (tf.cast(bits // 256, tf.float32) + 0.5) * 2.0**-24
    return tf.sqrt(-2.0 * tf.math.log(uniform[0])) * tf.cos(2.0 * math.pi * uniform[1])


def reparameterized_sample(posterior: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    """Computes z = loc + scale * noise (Kingma & Welling, 2014, section 2.4).

    Args:
        posterior: A factorised Gaussian of batch shape `[batch]` and event shape `[latent]`.
        noise: Standard normal, `[batch, latent]`.

    Returns:
        `[batch, latent]`.
    """
    return posterior.mean() + posterior.stddev() * noise


def kl_per_dimension(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor:
    """KL(q(z_i|x) || p(z_i)) of each latent dimension of two factorised distributions.

    Args:
        posterior: `tfd.Independent` of batch shape `[batch]`, event shape `[latent]`.
        prior: `tfd.Independent` of event shape `[latent]`.

    Returns:
        Nats, `[batch, latent]`. Their sum over the latents is KL(q(z|x) || p(z)).
    """
    return tfd.kl_divergence(posterior.distribution, prior.distribution)


@keras.saving.register_keras_serializable(package=_package)
class StandardNormal(keras.layers.Layer):
    """The prior p(z) = N(0, I)."""

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """p(z), of event shape `[latent_dim]`."""
        return diagonal_normal(tf.zeros([latent_dim]), tf.ones([latent_dim]))


class Likelihood(keras.layers.Layer, abc.ABC):
    """Base class of p(x|z): turns what the decoder returns into a distribution over images.

    A subclass gives `distribution`, and `lower` and `upper` where its support is bounded. It is a
    layer, so it may own trainable weights. Register it with
    `keras.saving.register_keras_serializable` and pass an instance as `VAE(likelihood=...)`.
    """

    lower = -math.inf
    upper = math.inf

    @abc.abstractmethod
    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) for the decoder's output.

        Args:
            parameters: What the decoder returns for `[batch, latent]` codes.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """


def _over_pixels(distribution):
    """Makes all axes but the first one event, so that `log_prob` sums over an image's pixels."""
    return tfd.Independent(
        distribution, reinterpreted_batch_ndims=distribution.batch_shape.rank - 1
    )


class _BernoulliFromLogits(tfd.Bernoulli):
    """Bernoulli whose `log_prob` is one softplus: x * l - log(1 + e^l).

    TFP's own evaluates two softplus and two guarded products for the same value. This form stays
    finite for every finite logit, and for grey pixels in [0, 1] it is the negative cross-entropy.
    """

    def _log_prob(self, event):
        return event * self.logits - tf.nn.softplus(self.logits)


@keras.saving.register_keras_serializable(package=_package)
class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logit_i)), for pixels in [0, 1].

    The decoder returns logits `[batch, *event]`. On binary pixels this is a likelihood; on grey
    pixels its `log_prob` is the customary negative cross-entropy, which does not normalise over
    [0, 1] (see `ContinuousBernoulli`), so the two kinds of nats do not compare.
    """

    lower, upper = 0.0, 1.0

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logits `[batch, *event]`."""
        logits = tf.cast(parameters, tf.float32)
        return _over_pixels(_BernoulliFromLogits(logits=logits, dtype=tf.float32))


@keras.saving.register_keras_serializable(package=_package)
class ContinuousBernoulli(Likelihood):
    """The normalised Bernoulli relaxation for grey pixels in [0, 1].

    The decoder returns logits `[batch, *event]`.

    Reference: Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders" (2019), equation 5.
    """

    lower, upper = 0.0, 1.0

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logits `[batch, *event]`."""
        return _over_pixels(tfd.ContinuousBernoulli(logits=tf.cast(parameters, tf.float32)))


@keras.saving.register_keras_serializable(package=_package)
class Gaussian(Likelihood):
    """p(x|z) = prod_i N(x_i; loc_i, scale^2), for pixels of any finite value.

    The decoder returns loc `[batch, *event]`; or `{"loc": ..., "scale": ...}`, both of that shape,
    where it learns a standard deviation for every pixel, and `scale` here goes unused.

    Args:
        scale: Float. Standard deviation shared by all pixels, in pixel units. Defaults to `1.0`.
        learn_scale: Bool. Whether that shared standard deviation is a trainable weight, with
            `scale` its start (the sigma-VAE of Rybkin et al., "Simple and effective VAE training
            with calibrated decoders", 2021, section 3). Defaults to `False`.

    Raises:
        ValueError: If `scale` is not a positive finite number.
    """

    # A scale below a 255th of a grey level only chases quantisation, until the loss diverges.
    minimum_scale = 1e-3

    def __init__(self, scale: float = 1.0, learn_scale: bool = False, **kwargs):
        super().__init__(**kwargs)
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(
                "Invalid value for argument `scale`. Expected a positive finite number. "
                f"Received: scale={scale}"
            )
        if learn_scale and scale < self.minimum_scale:
            raise ValueError(
                f"A learned `scale` must start at {self.minimum_scale} or above, where it is "
                f"bounded. Received: scale={scale}"
            )
        self.scale = float(scale)
        self.learn_scale = bool(learn_scale)

    def build(self, input_shape):
        """Creates the log of the shared scale where it is learned."""
        if self.learn_scale:
            self.log_scale = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(math.log(self.scale)),
                dtype="float32",
                autocast=False,
                name="log_scale",
            )
        self.built = True

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from loc `[batch, *event]` or a dict of loc and scale."""
        if isinstance(parameters, Mapping):
            loc, scale = parameters["loc"], tf.cast(parameters["scale"], tf.float32)
        elif self.learn_scale:
            loc, scale = parameters, tf.exp(tf.convert_to_tensor(self.log_scale))
        else:
            loc, scale = parameters, tf.constant(self.scale)
        if isinstance(parameters, Mapping) or self.learn_scale:
            scale = tf.maximum(scale, self.minimum_scale)
        return _over_pixels(tfd.Normal(tf.cast(loc, tf.float32), scale))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "scale": self.scale, "learn_scale": self.learn_scale}


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}
PRIORS = {"standard_normal": StandardNormal}


def get_likelihood(identifier) -> Likelihood:
    """The likelihood of that name, or the `Likelihood` itself."""
    return _get(identifier, "likelihood", LIKELIHOODS, isinstance(identifier, Likelihood))


def get_prior(identifier) -> keras.layers.Layer:
    """The prior of that name, or the prior itself."""
    is_prior = hasattr(identifier, "distribution") and not isinstance(identifier, Likelihood)
    return _get(identifier, "prior", PRIORS, is_prior and isinstance(identifier, keras.Layer))


def _get(identifier, argument, known, fits):
    if isinstance(identifier, str) and identifier in known:
        return known[identifier]()
    if fits:
        return identifier
    raise ValueError(
        f"Invalid value for argument `{argument}`. Expected one of {sorted(known)} or a {argument} "
        f"layer with a `distribution` method. Received: {argument}={identifier!r}"
    )
