"""A mixture of Gaussians over codes."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.disentanglement.scikit_learn import require_scikit_learn
from keras_vae.distributions.priors import mixture
from keras_vae.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="keras_vae")
class GaussianMixtureSampler(Sampler):
    """q(z) as sum_k pi_k N(z; mu_k, Sigma_k), fitted by expectation maximisation.

    scikit-learn's `GaussianMixture` with full covariances, as Ghosh et al., "From variational to
    deterministic autoencoders" (2020), section 4, sample from autoencoders with ten components. It
    takes seconds, and is what to try first.

    Args:
        num_components: Int. Defaults to `10`.
        covariance: `"full"`, or `"diag"` for latents that are independent within a component, of
            which fewer codes are enough. Defaults to `"full"`.
        max_iterations: Int. Of expectation maximisation. Defaults to `200`.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: When fitted, if scikit-learn is not installed. To draw, it is not needed.
    """

    def __init__(
        self,
        num_components: int = 10,
        covariance: str = "full",
        max_iterations: int = 200,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_components = arguments.count("num_components", num_components)
        self.covariance = arguments.one_of("covariance", covariance, ("full", "diag"))
        self.max_iterations = arguments.count("max_iterations", max_iterations)

    def build(self, input_shape: tuple):
        """Creates weights, means and Cholesky factors for codes `(None, latent)`."""
        super().build(input_shape)
        components, latents = self.num_components, input_shape[-1]
        shapes = {
            "logits": (components,),
            "means": (components, latents),
            "scale_tril": (components, latents, latents),
        }
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(shape=shape, trainable=False, name=name))

    def check_codes(self, codes: np.ndarray):
        """Refuses fewer codes than components, and a machine without scikit-learn."""
        require_scikit_learn("GaussianMixtureSampler")
        if len(codes) < self.num_components:
            raise ValueError(
                f"A mixture of {self.num_components} components needs at least as many codes. "
                f"Received: {len(codes)}. Pass more codes, or a smaller `num_components`."
            )

    def learn(self, codes: np.ndarray, seed: int, verbose: int):
        """Expectation maximisation from centres that k-means finds."""
        from sklearn.mixture import GaussianMixture

        fitted = GaussianMixture(
            self.num_components,
            covariance_type=self.covariance,
            max_iter=self.max_iterations,
            random_state=seed,
            verbose=verbose,
        ).fit(codes.astype(np.float64))
        covariances = fitted.covariances_
        if self.covariance == "diag":
            covariances = np.stack([np.diag(variances) for variances in covariances])
        # A component that has lost all its codes has a weight of 0.
        self.logits.assign(np.log(np.maximum(fitted.weights_, 1e-30)))
        self.means.assign(fitted.means_)
        self.scale_tril.assign(np.linalg.cholesky(covariances))

    def distribution(self) -> tfd.Distribution:
        """The mixture over standardised codes, of event shape `[latent]`."""
        components = tfd.MultivariateNormalTriL(self.means.value, self.scale_tril.value)
        return mixture(tf.convert_to_tensor(self.logits), components)

    def draw(self, n: int, seed: tf.Tensor) -> np.ndarray:
        """Draws from the mixture."""
        return self.distribution().sample(n, seed=seed).numpy()

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            "num_components": self.num_components,
            "covariance": self.covariance,
            "max_iterations": self.max_iterations,
        }
        return {**super().get_config(), **config}
