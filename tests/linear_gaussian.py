"""A model about which everything is known in closed form."""

import keras
import numpy as np

import keras_vae

PIXELS, LATENTS, NOISE = 6, 2, 0.5


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(Wz + b, NOISE^2 I): everything about it is known exactly."""

    def __init__(self, posterior_scale=1.0, posterior_shift=0.0):
        generator = np.random.default_rng(0)
        self.weights = generator.normal(size=(LATENTS, PIXELS))
        self.bias = generator.normal(size=PIXELS)
        covariance = np.linalg.inv(np.eye(LATENTS) + self.weights @ self.weights.T / NOISE**2)
        gain = self.weights.T @ covariance / NOISE**2
        inputs = keras.Input((PIXELS,))
        loc = keras.layers.Dense(LATENTS)(inputs)
        raw_scale = keras.layers.Dense(LATENTS)(inputs)
        encoder = keras.Model(inputs, {"loc": loc, "scale": raw_scale})
        code = keras.Input((LATENTS,))
        decoder = keras.Model(code, keras.layers.Dense(PIXELS)(code))
        scale = posterior_scale * np.sqrt(np.diag(covariance))
        encoder.set_weights(
            [
                gain,
                posterior_shift - self.bias @ gain,
                np.zeros((PIXELS, LATENTS)),
                scale,
            ]
        )
        decoder.set_weights([self.weights, self.bias])
        self.posterior_covariance = covariance
        self.vae = keras_vae.VAE(
            encoder, decoder, likelihood=keras_vae.distributions.Gaussian(scale=NOISE), seed=0
        )

    def draw(self, n):
        generator = np.random.default_rng(1)
        z = generator.normal(size=(n, LATENTS))
        x = z @ self.weights + self.bias + NOISE * generator.normal(size=(n, PIXELS))
        return x.astype(np.float32)

    def log_likelihood(self, x):
        covariance = self.weights.T @ self.weights + NOISE**2 * np.eye(PIXELS)
        centred = x - self.bias
        mahalanobis = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
        log_determinant = np.linalg.slogdet(2 * np.pi * covariance)[1]
        return -0.5 * (mahalanobis + log_determinant)
