"""Published runs on MNIST's grey pixels, beside what they reached when they were published.

  pytorch   the VAE of the PyTorch examples: 784-400-20, Adam 1e-3, batch 128, 7 epochs; test loss
            (https://github.com/pytorch/examples, vae)
  keras     the VAE of keras.io: convolutions 32-64, dense 16, 2 latents, Adam 1e-3, batch 128,
            10 epochs over all 70,000 images; training loss of epoch 10
            (https://keras.io/examples/generative/vae/)

and three of disentangling-vae (https://github.com/YannDubs/disentangling-vae, results/*_mnist,
train_losses.log): images resized to 32x32, the networks of Burgess et al. (2018) with 10 latents,
Adam 5e-4, batch 64, 10 epochs, a warm-up over 10,000 steps; training means of epoch 10:

  vae       the whole KL is warmed up
  beta      the same with beta 4
  beta_tc   the total correlation at weight 6 by stratified sampling; the dimension-wise KL alone is
            warmed up
  beta_tc_as_published
            the same with the weights of the code that the figures come from, which differ from
            the paper's: they stand in columns instead of on diagonals, and count once a latent

Losses are sums of binary cross-entropy over the pixels plus the KL, in nats an image. Needs MNIST,
prepared for TFDS or downloadable. `--dtype-policy mixed_bfloat16` or `mixed_float16` trains the
same in mixed precision: the likelihood and the KL stay in float32, the networks do not.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from keras import layers, ops

import keras_vae
from keras_vae.callbacks import BetaSchedule, ValueSchedule
from keras_vae.objectives import BetaTCVAE

SHAPE = (28, 28, 1)
TRAINING_IMAGES = 60_000
WARMUP_STEPS = 10_000


def pytorch(seed: int) -> dict:
    """Trains the PyTorch example's network; its figure is the test loss after the last epoch."""
    train, test = keras_vae.datasets.load("mnist", batch_size=128, seed=seed)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, latent_dim=20, hidden_sizes=[400], scale="exp"),
        keras_vae.networks.mlp_decoder(SHAPE, latent_dim=20, hidden_sizes=[400]),
        seed=seed,
    )
    history = _fit(vae, train, epochs=7, validation_data=test)
    return {
        "loss": history["val_loss"],
        "reconstruction": history["val_reconstruction_loss"],
        "kl": history["val_kl_loss"],
    }


def keras_io(seed: int) -> dict:
    """Trains the keras.io example's network; its figure is the mean loss of the last epoch."""
    train = keras_vae.datasets.load("mnist", split="train+test", batch_size=128, seed=seed)
    vae = keras_vae.VAE(
        keras_vae.networks.conv_encoder(SHAPE, latent_dim=2, scale="exp"),
        keras_vae.networks.conv_decoder(SHAPE, latent_dim=2),
        seed=seed,
    )
    return _training_means(_fit(vae, train, epochs=10))


def vae(seed: int) -> dict:
    """Trains disentangling-vae's plain VAE; its figures are means over the last epoch."""
    return _disentangling(keras_vae.VAE, BetaSchedule(end=1.0, warmup_steps=WARMUP_STEPS), seed)


def beta(seed: int) -> dict:
    """The same at beta 4."""
    return _disentangling(keras_vae.VAE, BetaSchedule(end=4.0, warmup_steps=WARMUP_STEPS), seed)


def beta_tc(seed: int, cls=BetaTCVAE) -> dict:
    """The same with the total correlation at weight 6, as Chen et al. (2018) describe it."""
    return _disentangling(
        cls,
        ValueSchedule("gamma", end=1.0, warmup_steps=WARMUP_STEPS),
        seed,
        beta=6.0,
        sampling="stratified",
        dataset_size=TRAINING_IMAGES,
    )


def beta_tc_as_published(seed: int) -> dict:
    """The same as the published code computes it."""
    return beta_tc(seed, ColumnWeightedTCVAE)


class ColumnWeightedTCVAE(BetaTCVAE):
    """Stratified weights as disentangling-vae has them, to tell whether they make a difference."""

    def regularizers(self, posterior, z, kl, training):
        """The three terms of `BetaTCVAE`, from other weights."""
        others = tf.cast(tf.shape(z)[0] - 1, tf.float32)
        column = tf.range(tf.shape(z)[0])[None, :, None]
        rest = (TRAINING_IMAGES - others) / (TRAINING_IMAGES * others)
        weights = tf.where(column == 1, rest, 1 / others)
        weights = tf.where(column == 0, 1 / TRAINING_IMAGES, weights)
        # Added to every latent's density, so that the joint one has them once a latent.
        log_prob = posterior.distribution.log_prob(z[:, None]) + tf.math.log(weights)
        joint = tf.reduce_logsumexp(tf.reduce_sum(log_prob, axis=-1), axis=1)
        product = tf.reduce_sum(tf.reduce_logsumexp(log_prob, axis=1), axis=-1)
        log_prior = self.prior_distribution().log_prob(z)
        return {
            "mutual_information": (self.alpha, posterior.log_prob(z) - joint),
            "total_correlation": (self.beta, joint - product),
            "dimension_wise_kl": (self.gamma, product - log_prior),
        }


def burgess_networks(latent_dim: int = 10):
    """Encoder and decoder of Burgess et al., "Understanding disentangling in beta-VAE" (2018).

    With the initial weights of disentangling-vae, and its log-variances.

    Returns:
        `[batch, 32, 32, 1] -> {"loc", "scale": [batch, latent_dim]}` and
        `[batch, latent_dim] -> [batch, 32, 32, 1]`, logits.
    """
    settings = {"kernel_initializer": "he_uniform"}
    strided = {"kernel_size": 4, "strides": 2, "padding": "same", **settings}
    image = features = layers.Input((32, 32, 1))
    for _ in range(3):
        features = layers.Conv2D(32, activation="relu", **strided)(features)
    features = layers.Flatten()(features)
    for _ in range(2):
        features = layers.Dense(256, "relu", **settings)(features)
    loc = layers.Dense(latent_dim, dtype="float32", **settings)(features)
    log_variance = layers.Dense(latent_dim, dtype="float32", **settings)(features)
    encoder = keras.Model(image, {"loc": loc, "scale": ops.exp(0.5 * log_variance)})

    code = features = layers.Input((latent_dim,))
    for units in (256, 256, 512):
        features = layers.Dense(units, "relu", **settings)(features)
    features = layers.Reshape((4, 4, 32))(features)
    for _ in range(2):
        features = layers.Conv2DTranspose(32, activation="relu", **strided)(features)
    logits = layers.Conv2DTranspose(1, dtype="float32", **strided)(features)
    return encoder, keras.Model(code, logits)


def _disentangling(cls, schedule, seed, **arguments):
    train = keras_vae.datasets.load(
        "mnist", split="train", batch_size=64, image_size=(32, 32), seed=seed
    )
    model = cls(*burgess_networks(), seed=seed, **arguments)
    return _training_means(_fit(model, train, rate=5e-4, epochs=10, callbacks=[schedule]))


def _training_means(history):
    names = {"loss": "loss", "reconstruction": "reconstruction_loss", "kl": "kl_loss"}
    return {name: history[logged] for name, logged in names.items()}


def _fit(model, train, rate=1e-3, **arguments):
    model.compile(optimizer=keras.optimizers.Adam(rate), steps_per_execution=16)
    history = model.fit(train, verbose=0, **arguments).history
    return {name: values[-1] for name, values in history.items()}


# What was published, and within how many percent of it a mean over seeds should be.
RUNS = {
    "pytorch": (pytorch, {"loss": (106.66, 0.9)}),
    "keras": (keras_io, {"loss": (152.20, 1.6)}),
    "vae": (vae, {"reconstruction": (128.2, 3), "kl": (20.0, 10)}),
    "beta": (beta, {"reconstruction": (146.0, 3), "kl": (11.3, 10)}),
    "beta_tc": (beta_tc, {"reconstruction": (159.5, 3), "kl": (8.3, 10)}),
    "beta_tc_as_published": (
        beta_tc_as_published,
        {"reconstruction": (159.5, 3), "kl": (8.3, 10)},
    ),
}


def main():
    """Runs each with every seed and prints what came of it beside what was published."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], help="which (all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(0 1 2)")
    parser.add_argument("--dtype-policy", default="float32", help="(float32)")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.dtype_policy)
    for name in options.runs or RUNS:
        run, published = RUNS[name]
        print(name, flush=True)
        results = []
        for seed in options.seeds:
            keras.utils.set_random_seed(seed)
            began = time.perf_counter()
            results.append(run(seed))
            figures = "  ".join(f"{key} {value:.2f}" for key, value in results[-1].items())
            minutes = (time.perf_counter() - began) / 60
            print(f"  seed {seed}:  {figures}  ({minutes:.1f} minutes)", flush=True)
        for figure, (value, percent) in published.items():
            mean = statistics.mean(result[figure] for result in results)
            print(
                f"  mean {figure} {mean:.2f}, published {value:.2f}: "
                f"{100 * (mean / value - 1):+.1f}%, to be met within {percent}%",
                flush=True,
            )


if __name__ == "__main__":
    main()
