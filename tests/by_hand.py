"""The mathematics of the VAE again, in NumPy and by hand, for tests to compare with."""

import keras
import numpy as np
import tensorflow as tf

IMAGE_SHAPE = (4, 4, 1)
PIXELS, LATENTS = 16, 2
BATCH = 8
FIRST_EVALUATION = -1


def noise_of(vae, step, size):
    """The noise that the VAE promises for a step: a function of its seed and the step alone.

    Training steps count from 0; batches of an evaluation go down from -1, by their examples.
    """
    bits = tf.random.stateless_uniform(
        [2, size, LATENTS], [vae.seed, step], None, None, tf.uint32, alg="philox"
    )
    first, second = (np.float64(bits) // 256 + 0.5) / 2**24
    return np.float32(np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second))


def terms_by_hand(vae, x, noise):
    """Minus log p(x|z) and the KL, in nats per example, float64; and the reconstruction."""
    posterior = {name: np.float64(value) for name, value in vae.encoder(x).items()}
    loc, scale = posterior["loc"], posterior["scale"]
    logits = np.float64(vae.decoder(np.float32(loc + scale * noise)))
    reconstruction = np.sum(np.logaddexp(0, logits) - x * logits, axis=(1, 2, 3))
    kl = np.sum(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=1)
    return reconstruction, kl, 1 / (1 + np.exp(-logits))


def weights_of(vae):
    """All trainable weights in one vector."""
    return np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])


def assert_terms_add_up(logs, prefix="", extra=(), rtol=1e-5):
    value = {name.removeprefix(prefix): v for name, v in logs.items() if name.startswith(prefix)}
    total = value["reconstruction_loss"] + value["beta"] * value["kl_loss"]
    total += sum(weight * value[name] for name, weight in extra)
    np.testing.assert_allclose(value["loss"], total, rtol=rtol)


def trained_weights(vae, images, **kwargs):
    vae.fit(images, batch_size=BATCH, verbose=0, **kwargs)
    return weights_of(vae)


def dataset(*arrays):
    """A `tf.data.Dataset` of batches: of tuples, or of images alone where only they are given."""
    elements = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(elements).batch(BATCH)


@keras.saving.register_keras_serializable("tests")
class OwnEncoder(keras.Model):
    def __init__(self, latent_dim=LATENTS, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.flatten = keras.layers.Flatten()
        self.loc = keras.layers.Dense(latent_dim)
        self.scale = keras.layers.Dense(latent_dim, activation="softplus")

    def call(self, x):
        features = self.flatten(x)
        return {"loc": self.loc(features), "scale": self.scale(features) + 1e-4}

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim}


@keras.saving.register_keras_serializable("tests")
class OwnDecoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pixels = keras.layers.Dense(PIXELS)
        self.reshape = keras.layers.Reshape(IMAGE_SHAPE)

    def call(self, z):
        return self.reshape(self.pixels(z))
