"""The von Mises-Fisher distribution, a Gaussian's like on the sphere, as a function of noise."""

import functools
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.noise import standard_normal


class VonMisesFisherDistribution(tfd.Distribution):
    """Density exp(concentration * <mean_direction, z>) / Z on the unit sphere of R^m, m at least 3.

    All follows from the cosine w = <mean_direction, z>, of density exp(k w) (1 - w^2)^((m - 3) / 2)
    for concentration k. Wood, "Simulation of the von Mises Fisher distribution" (1994), draws w as
    a function of a Beta variable and rejects some. Here the function is kept, and the Beta variable
    that of a standard normal x; then what Wood accepts with is a smooth positive weight of x, by
    which integrals are sums over a fixed grid of x, to the precision of float32: the normaliser,
    the moments, and the cumulative distribution, whose inverse takes noise to w. So samples are
    exact but for the grid's spacing, are reparameterised, and compile. There is no Bessel function.

    As `mean()` it gives the mean direction, which is on the sphere, as all codes are; the mean
    itself is inside.

    Args:
        mean_direction: `[batch, m]`, of length 1.
        concentration: `[batch]`, positive.
    """

    def __init__(self, mean_direction, concentration, name: str = "von_mises_fisher"):
        self.mean_direction = tf.convert_to_tensor(mean_direction)
        self.concentration = tf.convert_to_tensor(concentration)
        self.dimension = self.mean_direction.shape[-1]
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"mean_direction": mean_direction, "concentration": concentration},
            name=name,
        )
        nodes, complements, log_weights = _grid(self.dimension)
        # Half the degrees of freedom that w leaves, Wood's b, and what the grid is in terms of w.
        self._half = (self.dimension - 1) / 2
        concentration = self.concentration[..., None]
        b = self._half / (concentration + tf.sqrt(concentration**2 + self._half**2))
        self._log_b = tf.math.log(b[..., 0])
        # 1 - w, which is small where w has no digits left to tell.
        self._gaps = 2 * b * nodes / (complements + b * nodes)
        log_ratio = 2 * self._half * tf.math.log(2 * b + (1 - b) * self._gaps)
        self._log_masses = log_weights + log_ratio - concentration * self._gaps

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {"mean_direction": properties(event_ndims=1), "concentration": properties()}

    def _event_shape(self):
        return tf.TensorShape([self.dimension])

    def _event_shape_tensor(self):
        return tf.constant([self.dimension])

    def from_noise(self, noise: tf.Tensor) -> tf.Tensor:
        """A draw as a differentiable function of noise.

        Args:
            noise: Standard normal, `[..., batch, m]`. Its first number gives w, the direction of
                the others that of what is at right angles.

        Returns:
            `[..., batch, m]`, of length 1.
        """
        gap = self._gap_of_share(0.5 * tf.math.erfc(-noise[..., 0] / math.sqrt(2)))[..., None]
        sine = tf.sqrt(tf.maximum(gap * (2 - gap), 1e-12))
        around = tf.math.l2_normalize(noise[..., 1:], axis=-1)
        upright = tf.concat([1 - gap, sine * around], axis=-1)
        # The reflection that takes the first axis to the mean direction.
        first = tf.one_hot(0, self.dimension)
        normal = tf.math.l2_normalize(first - self.mean_direction, axis=-1)
        return upright - 2 * normal * tf.reduce_sum(normal * upright, axis=-1, keepdims=True)

    def kl_to_uniform(self) -> tf.Tensor:
        """KL to the uniform distribution on the sphere, nats, `[batch]`."""
        return -self.concentration * self._mean_of(self._gaps) - self._log_normalizer()

    def _log_prob(self, z):
        distance = tf.reduce_sum(tf.math.squared_difference(z, self.mean_direction), axis=-1)
        uniform = tfd.SphericalUniform(self.dimension).log_prob(z)
        return uniform - 0.5 * self.concentration * distance - self._log_normalizer()

    def _sample_n(self, n, seed=None):
        noise = standard_normal([n, *tf.unstack(tf.shape(self.mean_direction))], seed)
        return self.from_noise(noise)

    def _mean(self):
        return self.mean_direction

    def _stddev(self):
        mean = self._mean_of(self._gaps)
        along = self._mean_of(self._gaps**2) - mean**2
        across = self._mean_of(self._gaps * (2 - self._gaps)) / (self.dimension - 1)
        share = self.mean_direction**2
        return tf.sqrt(share * along[..., None] + (1 - share) * across[..., None])

    def _mean_of(self, values):
        """The mean of a function of w that is given on the grid."""
        return tf.reduce_sum(tf.nn.softmax(self._log_masses, axis=-1) * values, axis=-1)

    def _log_normalizer(self):
        """Log of the mean over the sphere of exp(concentration * (w - 1))."""
        half = self._half
        # B(a, a) / (2 B(a, 1/2)) = 2^(-2 a).
        return (
            tf.reduce_logsumexp(self._log_masses, axis=-1)
            - half * self._log_b
            - 2 * half * math.log(2)
        )

    def _gap_of_share(self, share):
        """The 1 - w that this share of the distribution is below, by linear interpolation."""
        masses = tf.nn.softmax(self._log_masses, axis=-1)
        masses = 0.5 * (masses[..., 1:] + masses[..., :-1])
        masses /= tf.reduce_sum(masses, axis=-1, keepdims=True)
        # A running sum as a product, which XLA does in a fraction of the time.
        count = masses.shape[-1]
        below = tf.linalg.matvec(np.tri(count, k=-1, dtype="float32"), masses)
        # How far the share reaches into each cell of the grid.
        into = tf.clip_by_value((share[..., None] - below) / tf.maximum(masses, 1e-12), 0.0, 1.0)
        steps = self._gaps[..., 1:] - self._gaps[..., :-1]
        return self._gaps[..., 0] + tf.reduce_sum(into * steps, axis=-1)


@functools.cache
def _grid(dimension):
    """Quantiles of Beta(a, a), a = (m - 1) / 2, at those of N(0, 1); 1 minus them; log-weights."""
    x = np.linspace(-6.0, 6.0, 257)
    lower = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x[:129]])
    half = np.float64((dimension - 1) / 2)
    with tf.init_scope():
        nodes = tfp.math.betaincinv(half, half, lower).numpy()
    # Symmetric about 1/2, and told from 1 as well as from 0.
    complements = 1 - nodes
    both = (
        np.concatenate([nodes, complements[-2::-1]]),
        np.concatenate([complements, nodes[-2::-1]]),
    )
    weights = np.exp(-0.5 * x**2)
    return *(values.astype("float32") for values in both), np.log(weights / weights.sum()).astype(
        "float32"
    )
