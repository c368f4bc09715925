"""A beta-VAE on MNIST, watched while it learns.

Trains an MLP encoder 100-100 and decoder 100-100 with 10 latents on both splits of MNIST (70,000
images) for 1,024 steps: mean binary cross-entropy over pixels plus 0.01 times the mean KL over
latents. Takes less than a minute on a laptop.

Prints each power-of-two step's own loss, and leaves in the output folder:

  elbo.csv         step,loss,reconstruction_loss,kl_loss,elbo,beta at those steps
  losses.png       the losses of many steps as curves, both axes logarithmic (losses.csv: points)
  reconstructions/ the same five images above their reconstructions, as training goes on
  traversals/      a 10x10 grid over latents 0 and 1, and one row for each latent
  model.keras      the trained model: keras.saving.load_model after `import keras_vae`

With --resume the state of the training is saved on the way: killed and started again by the same
command, it goes on, and ends with the same files as if it had never been killed.

Without --dataset it takes MNIST where that is prepared or can be downloaded, and otherwise digits
that it typesets itself.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

import keras_vae
from keras_vae.callbacks import (
    ELBOLogger,
    LatentTraversal,
    LossCurves,
    ReconstructionGrid,
    Resume,
)
from keras_vae.files import check_writable

COLUMNS = ("loss", "reconstruction_loss", "kl_loss", "elbo", "beta")


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    parser = _parser()
    options = parser.parse_args()
    try:
        train(options)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def train(options: argparse.Namespace):
    """Trains, and writes everything into the output folder."""
    check_writable(options.output_dir)
    keras.utils.set_random_seed(options.seed)
    settings = {
        name: value for name, value in vars(options).items() if name not in ("output_dir", "resume")
    }
    resume = Resume(options.output_dir, settings) if options.resume else None
    images, some_images = load(options, start=resume.step if resume else 0)
    shape = some_images.shape[1:]
    vae = keras_vae.VAE(
        encoder=keras_vae.networks.mlp_encoder(
            shape, options.latent_dim, options.hidden_sizes, scale=options.scale
        ),
        decoder=keras_vae.networks.mlp_decoder(
            shape, options.latent_dim, options.hidden_sizes[::-1]
        ),
        likelihood="bernoulli",
        beta=options.beta,
        reduction=options.reduction,
        seed=options.seed,
    )
    vae.compile(optimizer=keras.optimizers.Adam(options.learning_rate))

    epochs = options.steps // _steps_between_saves(options.steps) if resume else 1
    vae.fit(
        images.repeat(),
        epochs=epochs,
        steps_per_epoch=options.steps // epochs,
        verbose=0,
        callbacks=[
            *([resume] if resume else []),
            ELBOLogger(options.output_dir, names=COLUMNS),
            LossCurves(options.output_dir),
            ReconstructionGrid(some_images, options.output_dir, frequency="power_of_two"),
            LatentTraversal(
                options.output_dir, latents=(0, 1), grid_limits=(-1, 1), frequency="power_of_two"
            ),
        ],
    )

    vae.save(options.output_dir / "model.keras")
    last = range(max(1, options.steps - 23), options.steps + 1)
    mean = sum(vae.step_logs(step)["loss"] for step in last) / len(last)
    print(f"Mean loss of steps {last[0]} to {last[-1]}: {mean:.4f}")
    print(f"Everything is in {options.output_dir}/")


def load(options: argparse.Namespace, start: int = 0) -> tuple:
    """The images, and five of them to look at.

    Args:
        options: Of the command line.
        start: Batches that training has seen before.

    Returns:
        Batches of MNIST, or of the data set asked for, or without a network of digits typeset
        here; and `[5, height, width, channels]`.
    """
    training = {"split": "train+test", "batch_size": options.batch_size, "shuffle": True}
    looking = {"split": "train[:5]", "batch_size": 5, "shuffle": False}
    name = options.dataset or "mnist"
    try:
        images = keras_vae.datasets.load(name, **training, seed=options.seed, start=start)
    except keras_vae.datasets.DatasetUnavailableError:
        if options.dataset:
            raise
        print(
            "MNIST is neither prepared here nor downloadable: training on typeset_digits instead.",
            flush=True,
        )
        name = "typeset_digits"
        images = keras_vae.datasets.load(name, **training, seed=options.seed, start=start)
    return images, next(iter(keras_vae.datasets.load(name, **looking)))


def _steps_between_saves(steps):
    """The largest number up to 128 that divides the steps."""
    return next(number for number in range(min(128, steps), 0, -1) if steps % number == 0)


def _parser():
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dataset", help="TFDS name, e.g. mnist, fashion_mnist, cifar10, or typeset_digits")
    add(
        "--beta", type=float, default=0.01, help="weight of the KL; 0 is a plain autoencoder (0.01)"
    )
    add(
        "--reduction",
        choices=["mean", "sum"],
        default="mean",
        help="of pixels and of latents: with N pixels and M latents, beta under mean is beta * N / "
        "M under sum, 0.01 being 0.784 (mean)",
    )
    add("--latent-dim", type=int, default=10, help="number of latents (10)")
    add(
        "--hidden-sizes",
        type=int,
        nargs="*",
        default=[100, 100],
        help="units of the encoder's hidden layers; the decoder mirrors them (100 100)",
    )
    add(
        "--scale",
        choices=keras_vae.networks.SCALES,
        default="square",
        help="how the encoder makes standard deviations positive (square)",
    )
    add("--batch-size", type=int, default=64, help="images a step (64)")
    add("--learning-rate", type=float, default=1e-3, help="of Adam (0.001)")
    add("--steps", type=int, default=1024, help="training steps (1024)")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add("--resume", action="store_true", help="go on with a run that was interrupted")
    add("--output-dir", type=Path, default=Path("runs/mnist"), help="folder (runs/mnist)")
    return parser


if __name__ == "__main__":
    main()
