"""p(z): what codes are like before an image is seen."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.gaussians import diagonal_normal

_package = "keras_vae"


@keras.saving.register_keras_serializable(package=_package)
class StandardNormal(keras.layers.Layer):
    """The prior p(z) = N(0, I)."""

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of a code, which `summary` shows."""
        return tuple(input_shape)

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """p(z), of event shape `[latent_dim]`."""
        return diagonal_normal(tf.zeros([latent_dim]), tf.ones([latent_dim]))


@keras.saving.register_keras_serializable(package=_package)
class SphericalUniform(keras.layers.Layer):
    """The prior of codes on the unit sphere, all of which are equally likely."""

    on_sphere = True

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of a code, which `summary` shows."""
        return tuple(input_shape)

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """p(z), of event shape `[latent_dim]`."""
        return tfd.SphericalUniform(latent_dim)


@keras.saving.register_keras_serializable(package=_package)
class GaussianMixture(keras.layers.Layer):
    """A learned prior p(z) = sum_k pi_k N(z; loc_k, diag(scale_k^2)).

    Weights, means and standard deviations are trained with the networks. The KL to it has no
    closed form and is estimated from one sample of q(z|x).

    Reference: the mixture-of-Gaussians baseline of Tomczak & Welling, "VAE with a VampPrior"
    (2018), equation 8.

    Args:
        num_components: Int. Defaults to `10`.

    Raises:
        ValueError: If `num_components` is not a positive integer.
    """

    # A component that narrows onto one code would make its density, and the bound, infinite.
    minimum_scale = 1e-2

    def __init__(self, num_components: int = 10, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.count("num_components", num_components)

    def build(self, input_shape):
        """Creates the components' parameters for codes `(batch, latent)`."""
        shape = (self.num_components, input_shape[-1])
        # Standard deviations of about 1 around scattered means: near N(0, I), yet all different.
        starts = {"loc": keras.initializers.RandomNormal(stddev=1.0), "raw_scale": 0.54}
        for name, start in starts.items():
            if isinstance(start, float):
                start = keras.initializers.Constant(start)
            setattr(self, name, self._parameter(shape, start, name))
        self.logits = self._parameter((self.num_components,), "zeros", "logits")
        self.built = True

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of a code, which `summary` shows."""
        return tuple(input_shape)

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """p(z), of event shape `[latent_dim]`."""
        del latent_dim  # Known since `build`.
        scale = tf.nn.softplus(tf.convert_to_tensor(self.raw_scale)) + self.minimum_scale
        return mixture(tf.convert_to_tensor(self.logits), diagonal_normal(self.loc.value, scale))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "num_components": self.num_components}

    def _parameter(self, shape, initializer, name):
        return self.add_weight(
            shape=shape, initializer=initializer, dtype="float32", autocast=False, name=name
        )


def mixture(logits: tf.Tensor, components: tfd.Distribution) -> tfd.Distribution:
    """sum_k softmax(logits)_k components_k.

    Args:
        logits: `[num_components]`.
        components: A distribution of batch shape `[num_components]`, event shape `[latent]`.
    """
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components)


#: Classes of priors by the names that `prior=` takes.
PRIORS = {
    "standard_normal": StandardNormal,
    "gaussian_mixture": GaussianMixture,
    "spherical_uniform": SphericalUniform,
}
