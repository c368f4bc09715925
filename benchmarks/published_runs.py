"""Published runs on MNIST's grey pixels and on dSprites, beside what they reached.

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

two more of it on dSprites, whose images are drawn here (results/VAE_dsprites, betaH_dsprites): all
737,280 images of 64x64 in each of three epochs, everything else as above; training means of epochs
1, 2 and 3, each over the steps 1, 51, 101, ..., which are those that the published means are over:

  dsprites_vae
  dsprites_beta  the same at beta 4

An epoch of these is 11,520 steps. A step took 117 ms of one AMD core with the environment variable
TF_ENABLE_ONEDNN_OPTS=1, and 301 ms with 0: 22 minutes an epoch, or 58.

Losses are sums of binary cross-entropy over the pixels plus the KL, in nats an image. Needs MNIST,
prepared for TFDS or downloadable, but for the last two. `--dtype-policy mixed_bfloat16` or
`mixed_float16` trains the same in mixed precision: the likelihood and the KL stay in float32, the
networks do not.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.callbacks import BetaSchedule, ValueSchedule
from keras_vae.objectives import BetaTCVAE
from pytorch_weights import as_pytorch

import keras
import tensorflow as tf

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
    history = _fit(as_pytorch(vae, seed), train, epochs=7, validation_data=test)
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


def burgess_networks(shape):
    """Encoder and decoder as disentangling-vae has them, with ten latents."""
    networks = keras_vae.networks
    return networks.burgess_encoder(shape), networks.burgess_decoder(shape)


def _disentangling(cls, schedule, seed, **arguments):
    train = keras_vae.datasets.load(
        "mnist", split="train", batch_size=64, image_size=(32, 32), seed=seed
    )
    model = cls(*burgess_networks((32, 32, 1)), seed=seed, **arguments)
    return _training_means(_fit(model, train, rate=5e-4, epochs=10, callbacks=[schedule]))


def dsprites_vae(seed: int) -> dict:
    """Trains disentangling-vae's plain VAE on sprites; its figures are means by epoch."""
    return _dsprites(1.0, seed)


def dsprites_beta(seed: int) -> dict:
    """The same at beta 4."""
    return _dsprites(4.0, seed)


def _dsprites(beta, seed):
    train = keras_vae.datasets.load("sprites", split="train+test", batch_size=64, shuffle=True)
    model = keras_vae.VAE(*burgess_networks((64, 64, 1)), seed=seed)
    means = EveryFiftiethStep()
    schedule = BetaSchedule(end=beta, warmup_steps=WARMUP_STEPS)
    _fit(model, train, rate=5e-4, epochs=3, callbacks=[schedule, means])
    return means.figures


class EveryFiftiethStep(keras.callbacks.Callback):
    """Means by epoch over steps 1, 51, 101, ... alone, as disentangling-vae logs them.

    The first step counts a fiftyfold so, which is 12 nats in the mean of the first epoch.
    """

    def __init__(self):
        super().__init__()
        self.figures = {}
        self._step = 0
        self._rows = []

    def on_train_batch_end(self, batch, logs=None):
        """Reads those of the steps since the last call."""
        now = int(self.model.optimizer.iterations)
        due = (step for step in range(self._step + 1, now + 1) if step % 50 == 1)
        self._rows += [self.model.step_logs(step) for step in due]
        self._step = now

    def on_epoch_end(self, epoch, logs=None):
        """Takes the means, and prints them beside those over all steps."""
        for name in ("reconstruction", "kl"):
            mean = statistics.mean(row[f"{name}_loss"] for row in self._rows)
            self.figures[f"{name} {epoch + 1}"] = mean
            print(
                f"  epoch {epoch + 1}: {name} {mean:.2f}, over all steps "
                f"{logs[f'{name}_loss']:.2f}",
                flush=True,
            )
        self._rows = []


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
    "dsprites_vae": (
        dsprites_vae,
        {
            "reconstruction 1": (71.01, 10),
            "kl 1": (33.67, 10),
            "reconstruction 2": (38.56, 10),
            "kl 2": (26.64, 5),
            "reconstruction 3": (34.52, 10),
            "kl 3": (26.45, 5),
        },
    ),
    "dsprites_beta": (
        dsprites_beta,
        {
            "reconstruction 1": (87.90, 10),
            "kl 1": (20.71, 10),
            "reconstruction 2": (64.42, 5),
            "kl 2": (15.04, 5),
            "reconstruction 3": (60.06, 5),
            "kl 3": (14.90, 5),
        },
    ),
}


def main():
    """Runs each with every seed and prints what came of it beside what was published."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], help="which (all)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="one run each (0 1 2)"
    )
    parser.add_argument(
        "--dtype-policy", default="float32", help="of Keras, such as mixed_float16 (float32)"
    )
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
