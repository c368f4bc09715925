"""A VAE whose codes move on, as in Hamiltonian dynamics, to where the decoder wants them."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_vae import arguments
from keras_vae.vae import VAE


@keras.saving.register_keras_serializable(package="keras_vae")
class HamiltonianVAE(VAE):
    """-log p(x|z_K) - beta * log p(z_K) / q(z_0|x) + (|v_K|^2 - |v|^2) / 2, in nats.

    A code z_0 of q(z|x), with a momentum v / sqrt(tempering) of noise v, takes K leapfrog steps in
    the potential -log p(x|z) - beta * log p(z); after each it is cooled, so that the last momentum,
    v_K, is compared with N(0, I). That is a bound on log p(x), too, at
    the cost of a pass through the decoder and back a step. What it gains over the plain bound is
    logged as `hamiltonian_gain`, which is negative where it does gain: `loss == reconstruction_loss
    + beta * kl_loss + hamiltonian_gain`; `elbo` stays the plain bound, and nothing but the loss
    moves codes. Use it where the encoder puts codes in the wrong place.

    Reference: Caterini, Doucet & Sejdinovic, "Hamiltonian variational auto-encoder" (2018),
    algorithm 1 with quadratic tempering, and a step size that is not trained.

    Args:
        num_steps: Int. K. Defaults to `3`.
        step_size: Float. A variable `vae.step_size`. Defaults to `0.05`.
        tempering: Float above 0 and up to 1, beta_0 of the paper; 1 for none. Defaults to `0.3`.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid, or `reduction` is not `"sum"`.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_steps: int = 3,
        step_size: float = 0.05,
        tempering: float = 0.3,
        **kwargs,
    ):
        arguments.unused("HamiltonianVAE", kwargs, "free_bits", "kl_balance")
        self.num_steps = arguments.count("num_steps", num_steps)
        self.tempering = arguments.positive("tempering", tempering)
        if self.tempering > 1:
            raise arguments.invalid("tempering", "a number above 0 and up to 1", tempering)
        super().__init__(encoder, decoder, coefficients={"step_size": step_size}, **kwargs)
        if self.reduction != "sum":
            raise ValueError(
                "A bound on log p(x) is a sum over pixels and latents: pass reduction='sum'. "
                f"Received: reduction={self.reduction!r}"
            )

    def forward(self, x, condition, training):
        """The terms of the code that was drawn, and what is gained by moving it."""
        posterior = self.encode(x, condition)
        shape = tf.shape(x)[0], (self.latent_dim,), training
        start, noise = self.reparameterize(posterior, self.noise(*shape)), self.noise(*shape, 1)
        prior = self.prior_distribution()
        log_posterior = posterior.log_prob(start)
        distortion, groups = self.distortion(self.decode(start, condition), x)
        kl = log_posterior - prior.log_prob(start)

        def potential(z):
            of_image, _ = self.distortion(self.decode(z, condition), x)
            return of_image - self.beta * prior.log_prob(z)

        z, momentum, energy = self.moved(potential, start, noise)
        change = 0.5 * tf.reduce_sum(momentum**2 - noise**2, axis=-1)
        loss = energy + self.beta * log_posterior + change
        regularizers = {
            "kl_loss": (self.beta, kl),
            "hamiltonian_gain": (1.0, loss - distortion - self.beta * kl),
        }
        reconstruction = self.decode(z, condition).mean()
        return self.score(reconstruction, distortion, kl, regularizers, groups)

    def moved(self, potential, z, noise) -> tuple:
        """Leapfrog steps with cooling.

        Args:
            potential: Function from codes `[batch, latent]` to nats, `[batch]`.
            z: Where they begin.
            noise: Standard normal, of that shape.

        Returns:
            Codes and momenta at the end, and the potential there.
        """
        # By 1 / sqrt(beta_k) of the paper momenta are larger than those of N(0, I) after step k.
        first, steps = self.tempering**-0.5, self.num_steps
        heat = [first + (1 - first) * (step / steps) ** 2 for step in range(steps + 1)]
        momentum = first * noise
        energy, slope = tfp.math.value_and_gradient(potential, z)
        for step in range(steps):
            momentum -= 0.5 * self.step_size * slope
            z += self.step_size * momentum
            energy, slope = tfp.math.value_and_gradient(potential, z)
            momentum -= 0.5 * self.step_size * slope
            momentum *= heat[step + 1] / heat[step]
        return z, momentum, energy

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"num_steps": self.num_steps, "tempering": self.tempering}
        return {**super().get_config(), **config}
