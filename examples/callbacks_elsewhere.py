"""The callbacks on models that know nothing of this library.

Two models written from Keras alone are trained on MNIST for a minute each, watched by the
callbacks of `keras_vae`:

  vae          a convolutional VAE, a `keras.Model` with its own `train_step`. The callbacks find
               its `encoder` and `decoder` by themselves, and its `beta`.
  autoencoder  a plain functional autoencoder. It has no encoder or decoder to be found, so they
               are passed as `encode=` and `decode=`.

The output folder gets a folder for each, with what every callback writes:

  elbo.csv, losses.csv, losses.png, rate_distortion.png, latent_statistics.csv, latent_kl.png,
  reconstructions/, traversals/, prior_samples/, latent_map/ (a picture an epoch), and *.gif of them

Where MNIST is neither prepared nor downloadable, both train on digits that are typeset here.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae import datasets
from keras_vae.callbacks import (
    BetaSchedule,
    ELBOLogger,
    LatentMap,
    LatentStatistics,
    LatentTraversal,
    LossCurves,
    PriorSamples,
    ReconstructionGrid,
    animate,
)

import keras
import tensorflow as tf
from keras import layers, ops

SHAPE = (28, 28, 1)


class Sampling(layers.Layer):
    """Draws a code from N(mean, exp(log_variance)), at inference too."""

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, moments):
        """`[batch, latent]` twice to `[batch, latent]`."""
        mean, log_variance = moments
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise


def build_encoder(latent_dim: int, seed: int) -> keras.Model:
    """Images to `[mean, log_variance, code]`, each `[batch, latent]`."""
    image = keras.Input(SHAPE)
    features = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
    features = layers.Conv2D(32, 3, strides=2, padding="same")(features)
    features = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(features))
    features = layers.Dense(64, activation="relu")(layers.Flatten()(features))
    mean = layers.Dense(latent_dim, name="mean")(features)
    log_variance = layers.Dense(latent_dim, name="log_variance")(features)
    code = Sampling(seed)([mean, log_variance])
    return keras.Model(image, [mean, log_variance, code], name="encoder")


def build_decoder(latent_dim: int) -> keras.Model:
    """Codes to images of probabilities."""
    code = keras.Input((latent_dim,))
    features = layers.Dense(7 * 7 * 32, activation="relu")(code)
    features = layers.Reshape((7, 7, 32))(features)
    for filters in (32, 16):
        features = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(
            features
        )
    image = layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(features)
    return keras.Model(code, image, name="decoder")


class ConvolutionalVAE(keras.Model):
    """A VAE as one finds it in many a notebook: two networks, and a loss of its own."""

    def __init__(self, latent_dim: int, seed: int):
        super().__init__()
        self.encoder = build_encoder(latent_dim, seed)
        self.decoder = build_decoder(latent_dim)
        # A weight that does not learn, so that a schedule may assign it while training runs.
        self.beta = self.add_weight(shape=(), initializer="ones", trainable=False, name="beta")
        names = ("loss", "reconstruction_loss", "kl_loss")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def metrics(self):
        """What Keras resets at every epoch's beginning."""
        return self.trackers

    def losses_of(self, images, training):
        """Loss, reconstruction and KL: nats an image, averaged over the batch."""
        mean, log_variance, code = self.encoder(images, training=training)
        reconstruction = self.decoder(code, training=training)
        cross_entropy = keras.losses.binary_crossentropy(images, reconstruction)
        reconstruction_loss = ops.mean(ops.sum(cross_entropy, axis=(1, 2)))
        kl = (ops.square(mean) + ops.exp(log_variance) - log_variance - 1) / 2
        kl_loss = ops.mean(ops.sum(kl, axis=1))
        return reconstruction_loss + self.beta * kl_loss, reconstruction_loss, kl_loss

    def track(self, losses):
        """Adds a batch to the means, and returns them."""
        for tracker, loss in zip(self.trackers, losses, strict=True):
            tracker.update_state(loss)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def train_step(self, images):
        """One step of gradient descent."""
        with tf.GradientTape() as tape:
            losses = self.losses_of(images, training=True)
        weights = self.trainable_weights
        gradients = tape.gradient(losses[0], weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return self.track(losses)

    def test_step(self, images):
        """The same on held-out images."""
        return self.track(self.losses_of(images, training=False))


def build_autoencoder(latent_dim: int):
    """A plain autoencoder, with the two halves that it is made of."""
    encoder = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(latent_dim),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(28 * 28, activation="sigmoid"),
            layers.Reshape(SHAPE),
        ]
    )
    image = keras.Input(SHAPE)
    return keras.Model(image, decoder(encoder(image))), encoder, decoder


def train_vae(train, images, labels, options):
    """Trains the VAE; the callbacks find in it what they need."""
    folder = options.output_dir / "vae"
    keras.utils.set_random_seed(options.seed)
    model = ConvolutionalVAE(latent_dim=8, seed=options.seed)
    model.compile(optimizer=keras.optimizers.Adam(2e-3))
    model.fit(
        train.repeat(),
        epochs=options.epochs,
        steps_per_epoch=options.steps,
        validation_data=tf.data.Dataset.from_tensor_slices(images).batch(500),
        shuffle=False,
        verbose=2,
        callbacks=[
            BetaSchedule("linear", start=0.1, end=1.0, warmup_epochs=1),
            LatentStatistics(images[:1000], folder),
            ELBOLogger(folder, print_table=False),
            LossCurves(folder),
            ReconstructionGrid(images[:10], folder, error_row=True),
            LatentTraversal(
                folder,
                images=images[:500],
                around=images[0],
                num_steps=8,
                quantiles=(0.01, 0.99),
                num_rows=4,
                gif=True,
            ),
            PriorSamples(folder),
            LatentMap(images, folder, labels),
        ],
    )
    for name in ("reconstructions", "prior_samples", "latent_map"):
        animate(folder / name)


def train_autoencoder(train, images, labels, options):
    """Trains the autoencoder, whose halves are passed to the callbacks that need them."""
    folder = options.output_dir / "autoencoder"
    keras.utils.set_random_seed(options.seed)
    model, encoder, decoder = build_autoencoder(latent_dim=8)
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
    model.fit(
        train.repeat().map(lambda images: (images, images)),
        epochs=options.epochs,
        steps_per_epoch=options.steps,
        validation_data=(images, images),
        shuffle=False,
        verbose=2,
        callbacks=[
            # It has no KL and no beta; what is left of these callbacks works all the same.
            LatentStatistics(images[:1000], folder, encode=encoder),
            ELBOLogger(folder, names=["loss"], print_table=False),
            LossCurves(folder, names=["loss"]),
            ReconstructionGrid(images[:10], folder, error_row=True),
            # Its codes follow no prior: they reach farther, and N(0, I) decodes to no digits.
            LatentTraversal(
                folder, around=images[0], limits=(-15, 15), gif=True, encode=encoder, decode=decoder
            ),
            PriorSamples(folder, decode=decoder),
            LatentMap(images, folder, labels, encode=encoder),
        ],
    )


def load(seed: int):
    """Batches to train on, and 2,000 held-out images with their labels."""
    name = datasets.available()
    train = datasets.load(name, split="train", batch_size=128, seed=seed)
    held_out = datasets.load(name, split="test[:2000]", batch_size=2000, with_labels=True)
    images, labels = next(iter(held_out))
    return train, images.numpy(), labels.numpy()


def main(arguments: list[str] | None = None):
    """Parses the command line and trains both models."""
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--epochs", type=int, default=5, help="of each model (5)")
    add("--steps", type=int, default=200, help="steps of 128 images an epoch (200)")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add("--output-dir", type=Path, default=Path("runs/elsewhere"), help="folder (runs/elsewhere)")
    options = parser.parse_args(arguments)

    data = load(options.seed)
    train_vae(*data, options)
    train_autoencoder(*data, options)
    print(f"Everything is in {options.output_dir}/")


if __name__ == "__main__":
    main()
