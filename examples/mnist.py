"""A beta-VAE on MNIST, watched while it learns.

Trains an MLP encoder 100-100 and decoder 100-100 with 10 latents on both splits of MNIST (70,000
images) for 1,024 steps: mean binary cross-entropy over pixels plus 0.01 times the mean KL over
latents. Takes less than a minute on a laptop.

Prints each power-of-two step's own loss, and leaves in the output folder, runs/DATASET:

  elbo.csv         step,loss,reconstruction_loss,kl_loss,elbo,beta at those steps
  losses.png       the losses of many steps as curves, both axes logarithmic (losses.csv: points)
  rate_distortion.png  the KL against the reconstruction loss, step by step
  reconstructions/ the same five images above their reconstructions, as training goes on
  traversals/      a 10x10 grid over latents 0 and 1, and one row for each latent
  model.keras      the trained model: keras.saving.load_model after `import keras_vae`

With --resume the state of the training is saved on the way: killed and started again by the same
command, it goes on, and ends with the same files as if it had never been killed. A folder that
holds another run is left alone; --overwrite removes the files above from it, and no others.

Without --dataset it takes MNIST where that is prepared or can be downloaded, and otherwise digits
that it typesets itself.
"""

import argparse
import contextlib
import os
import shlex
import sys
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")
if __name__ == "__main__":
    print("Loading TensorFlow, which takes some seconds ...", flush=True)

import keras_vae
from keras_vae import arguments
from keras_vae.callbacks import (
    ELBOLogger,
    LatentTraversal,
    LossCurves,
    ReconstructionGrid,
    Resume,
    StopOnNonFinite,
)
from keras_vae.files import check_writable

import keras

COLUMNS = ("loss", "reconstruction_loss", "kl_loss", "elbo", "beta")
# All that a run writes, below its folder.
WRITTEN = (
    "elbo.csv",
    "losses.csv",
    "losses.png",
    "rate_distortion.png",
    "model.keras",
    "reconstructions/step_*.png",
    "traversals/*/step_*.png",
    "resume/state.json",
    "resume/step_*.npz",
    "resume/lock",
)


class Diverged(Exception):
    """A loss that was not finite."""


def main():
    """Parses the command line, and says in one line what is wrong with it, or went wrong."""
    parser = _parser()
    options = parser.parse_args()
    try:
        check(options)
        train(options)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except Diverged as error:
        parser.exit(1, f"\n{parser.prog}: error: {error}\n")
    except KeyboardInterrupt as stop:
        parser.exit(130, f"\n{str(stop) or 'Stopped before the first step.'}\n")


def check(options: argparse.Namespace):
    """Refuses numbers that cannot be meant, before any work is done."""
    for name in ("steps", "batch_size", "latent_dim"):
        arguments.count(name, getattr(options, name))
    arguments.counts("hidden_sizes", options.hidden_sizes)
    arguments.positive("learning_rate", options.learning_rate)
    arguments.number("beta", options.beta, least=0)
    arguments.seed("seed", options.seed)
    check_writable(options.output_dir or Path("runs"))


def train(options: argparse.Namespace):
    """Trains, and writes everything into the output folder."""
    name, some_images = look(options.dataset)
    folder = options.output_dir or Path("runs", name)
    take(folder, options)
    settings = {
        name: value
        for name, value in vars(options).items()
        if name not in ("output_dir", "resume", "overwrite")
    }
    resume = Resume(folder, settings) if options.resume else None
    start = resume.step if resume else 0
    images = load(name, options, start)
    keras.utils.set_random_seed(options.seed)
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
    steps = f"{options.steps - start:,} steps" + (f" more, after {start:,}," if start else "")
    print(f"Training {steps} on {name}; compiling the first takes seconds ...", flush=True)
    try:
        with warnings.catch_warnings():
            # Said below, in the words of this program.
            warnings.filterwarnings("ignore", "StopOnNonFinite has stopped")
            vae.fit(
                images.repeat(),
                epochs=epochs,
                steps_per_epoch=options.steps // epochs,
                verbose=0,
                callbacks=[
                    Watch(),
                    *([resume] if resume else []),
                    ELBOLogger(folder, names=COLUMNS),
                    LossCurves(folder),
                    ReconstructionGrid(some_images, folder, frequency="power_of_two"),
                    LatentTraversal(
                        folder, latents=(0, 1), grid_limits=(-1, 1), frequency="power_of_two"
                    ),
                    Progress(options.steps - start),
                ],
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(vae, folder, options)) from None

    _save(vae, folder)
    last = range(max(1, options.steps - 23), options.steps + 1)
    mean = sum(vae.step_logs(step)["loss"] for step in last) / len(last)
    print(f"Mean loss of steps {last[0]} to {last[-1]}: {mean:.4f}")
    print(f"Everything is in {folder}/")


class Watch(StopOnNonFinite):
    """Ends the program at a loss that is not finite, before `Resume` takes the epoch for done."""

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the losses."""
        super().on_train_batch_end(batch, logs)
        self._end()

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the losses and at the weights."""
        super().on_epoch_end(epoch, logs)
        self._end()

    def _end(self):
        if self.stopped_at is not None:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise Diverged(
                f"The training has diverged: at step {self.stopped_at} the loss or a weight is not "
                "finite, and no model is written. Try a --learning-rate lower than "
                f"{rate:g}, or a smaller --beta."
            )


class Progress(keras.callbacks.Callback):
    """One bar over all steps, with the time left, where there is a terminal to draw it anew."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._bar = keras.utils.Progbar(self.steps, verbose=int(sys.stdout.isatty()))
        self._done = 0

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar on."""
        self._done += 1
        self._bar.update(self._done)


def take(folder: Path, options: argparse.Namespace):
    """Makes sure that no files of another run stand among those of this one.

    Raises:
        ValueError: If there are some, and nothing says that they may go or that theirs goes on.
    """
    found = [path for pattern in WRITTEN for path in folder.glob(pattern)]
    if options.overwrite:
        for path in found:
            path.unlink()
        for name in ("reconstructions", "traversals/grid", "traversals/latents", "traversals"):
            with contextlib.suppress(OSError):  # It is not there, or holds files of others.
                (folder / name).rmdir()
        return
    goes_on = (folder / "resume").is_dir()
    if found and not (options.resume and goes_on):
        raise ValueError(
            f"{folder} holds another run. To replace it: `{_command('--overwrite')}`. To keep it, "
            "choose another folder by --output-dir"
            + (", or go on with it by --resume." if goes_on else ".")
        )


def look(dataset: str | None) -> tuple:
    """Which data set there is, and five images of it to look at.

    Args:
        dataset: Name of the data set asked for, or `None`: MNIST, or without a network digits
            typeset here.

    Returns:
        Its name, and `[5, height, width, channels]`.
    """
    name = dataset or keras_vae.datasets.available()
    looking = {"split": "train[:5]", "batch_size": 5, "shuffle": False}
    return name, next(iter(keras_vae.datasets.load(name, **looking)))


def load(name: str, options: argparse.Namespace, start: int = 0):
    """Batches of both splits, after `start` that training has seen before."""
    return keras_vae.datasets.load(
        name, "train+test", options.batch_size, shuffle=True, seed=options.seed, start=start
    )


def _save(vae, folder):
    """Writes the model, whole or not at all."""
    temporary = folder / ".model.tmp.keras"
    vae.save(temporary)
    os.replace(temporary, folder / "model.keras")


def _stopped(vae, folder, options):
    """Saves what has been learnt so far; says where it is and how to go on."""
    step = int(vae.optimizer.iterations)
    if not step:
        return "Stopped before the first step."
    _save(vae, folder)
    return (
        f"Stopped at step {step:,} of {options.steps:,}. The losses and pictures up to there and "
        f"the model are in {folder}/. "
        + (
            "The same command goes on."
            if options.resume
            else f"To begin anew, and be able to go on: `{_command('--overwrite', '--resume')}`."
        )
    )


def _command(*added):
    """What was typed, with options added."""
    typed = [argument for argument in sys.argv if argument not in added]
    return shlex.join(["python", *typed, *added])


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
    add("--overwrite", action="store_true", help="replace the run that the folder holds")
    add("--output-dir", type=Path, help="folder (runs/DATASET)")
    return parser


if __name__ == "__main__":
    main()
