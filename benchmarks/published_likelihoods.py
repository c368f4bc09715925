"""Log-likelihoods on binarised MNIST, beside published ones of the same networks and schedules.

  pythae_vae    784-400-40 ReLU, Adam 1e-4 that falls by 10^-0.2 after 200 and 350 epochs, batches
                of 100, 500 epochs over 50,000 images that were binarised once; 200 importance
                samples (https://github.com/clementchadebec/benchmark_VAE, examples/scripts/
                reproducibility; the published figure is of Rezende & Mohamed, 2015)
  pythae_vamp   the same page's VampPrior of 500 pseudo-inputs: 784-300-300-40 with gated layers,
                RMSprop 1e-4 that falls by 10^-0.2 after 200, 350, 500, 750 and 1,000 epochs,
                batches of 100, the KL's weight rising from 0 over 100 epochs, 2,000 epochs; 5,000
                samples (published: Tomczak & Welling, 2018)
  pythae_hvae   its Hamiltonian VAE of 4 leapfrog steps of 0.05, no tempering: 784-300-64 softplus,
                Adamax 5e-4 that falls as the VampPrior's does, batches of 100, 2,000 epochs; 1,000
                samples, here from q(z|x) (published: Salimans, Kingma & Welling, 2015)
  pythae_iwae   its IWAE of 50 samples: 784-200-200-50 tanh, batches of 20, Adam (epsilon 1e-4) at
                0.001 that falls by 10^(-1/7) after 2, 5, 14, 28, 41, 122, 365 and 1,094 epochs,
                3,280 epochs; 5,000 samples (published: Burda et al., 2016, table 1)
  pythae_svae   its hyperspherical VAE: 784-256-128-11 ReLU, one concentration of 1 or more, Adam
                1e-3, batches of 64 of 60,000 images that are binarised anew every epoch, 500
                epochs; 500 samples (published: Davidson et al., 2018, table 2)
  burda_vae, burda_iwae_5, burda_iwae_50
                784-200-200-50 tanh, batches of 20 of 60,000 images that are binarised anew every
                epoch, Adam (epsilon 1e-4) at 0.001 * 10^(-i/7) for 3^i epochs, i = 0 to 7: 3,280
                in all; 5,000 samples (Burda, Grosse & Salakhutdinov, 2016, table 1)

    python benchmarks/published_likelihoods.py pythae_vae --seeds 0 1 2
    python benchmarks/published_likelihoods.py burda_vae --share 0.1 --folder runs/burda

The VAE and the Hamiltonian VAE begin with weights as PyTorch draws them.

`--share` shortens every part of a schedule to that share of its epochs. `--folder` keeps the state
of every training, which goes on where it was when the same command is given again. `--dynamic`
binarises the training images anew every epoch, whatever the source did; those that choose and those
of the figure are binarised once. `--so-far` measures what the trainings in the folder have reached,
a step further, however much of their schedules is left. Prints the negative log-likelihood of the
10,000 test images in nats and what the training took. Needs MNIST, prepared for TFDS or
downloadable.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.callbacks import BetaSchedule, Resume
from keras_vae.objectives import IWAE, HamiltonianVAE, VampPriorVAE
from pytorch_weights import as_pytorch

import keras

SHAPE = (28, 28, 1)


def main():
    """Trains what is asked for and prints the figures beside the published ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], help="which (all)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="one model each (0 1 2)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the schedules' epochs (1)")
    parser.add_argument("--folder", type=Path, help="where trainings keep their state (nowhere)")
    parser.add_argument("--dynamic", action="store_true", help="binarise anew every epoch")
    parser.add_argument("--so-far", action="store_true", help="measure what --folder has")
    options = parser.parse_args()
    if options.so_far and options.folder is None:
        parser.error("--so-far needs --folder, in which trainings have kept their state")
    if not 0 < options.share <= 1:
        parser.error(f"--share must be above 0 and at most 1. Received: {options.share}")
    for name in options.runs or RUNS:
        run = RUNS[name]
        if options.dynamic and run.binarize != "dynamic":
            run.binarize, name = "dynamic", f"{name}_dynamic"
        found = []
        for seed in options.seeds:
            with _folder(options.folder, f"{name}_{options.share:g}_{seed}") as folder:
                found.append(run.result(seed, options.share, folder, options.so_far))
            nll, error, epochs, minutes = found[-1]
            print(
                f"{name}, seed {seed}: {nll:.2f} +- {error:.2f} nats, {epochs} of "
                f"{run.epochs(1.0)} epochs in {minutes:.1f} minutes",
                flush=True,
            )
        values = [nll for nll, *_ in found]
        spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        others = f", by its reproduction {run.reproduced}" if run.reproduced else ""
        print(
            f"{name}: {statistics.mean(values):.2f}{spread}, published {run.published}{others}",
            flush=True,
        )


class Run:
    """A published training.

    Args:
        published: Negative log-likelihood, in nats, as a string with the digits that it has.
        reproduced: What another library reached, or `None`.
        build: Function of a seed: the model.
        optimizer: Function of a learning rate.
        schedule: `(epochs, learning rate)` of its parts, one after the other.
        binarize: As `keras_vae.datasets.load` takes it.
        split: Of the training images.
        batch_size: Images a step.
        num_samples: Importance samples of the figure.
        warmup: Epochs over which beta rises from 0.
        held_out: Split of the images whose bound chooses the epoch that counts, or `None`: the last
            one does.
    """

    def __init__(
        self,
        published,
        reproduced,
        build,
        optimizer,
        schedule,
        binarize,
        split,
        batch_size,
        num_samples,
        warmup=0,
        held_out=None,
    ):
        self.published, self.reproduced = published, reproduced
        self.build, self.optimizer, self.schedule = build, optimizer, schedule
        self.binarize, self.split, self.batch_size = binarize, split, batch_size
        self.num_samples, self.warmup, self.held_out = num_samples, warmup, held_out

    def epochs(self, share):
        """How many there are."""
        return sum(_part(epochs, share) for epochs, _ in self.schedule)

    def result(self, seed, share, folder, so_far=False):
        """Trains and measures: the figure, its standard error, epochs, and minutes of training."""
        keras.utils.set_random_seed(seed)
        model = self.build(seed)
        resume = Resume(folder)
        settings = {"binarize": self.binarize, "batch_size": self.batch_size, "seed": seed}
        fixed = {**settings, "binarize": "fixed"}
        train = keras_vae.datasets.load("mnist", self.split, start=resume.step, **settings)
        steps = int(train.cardinality())
        ends = itertools.accumulate(_part(epochs, share) * steps for epochs, _ in self.schedule)
        rates = [rate for _, rate in self.schedule]
        rate = rates[0]
        if len(rates) > 1:
            rate = keras.optimizers.schedules.PiecewiseConstantDecay(list(ends)[:-1], rates)
        model.compile(self.optimizer(rate))
        callbacks = [resume]
        if self.warmup:
            callbacks.append(BetaSchedule(warmup_steps=max(1, round(self.warmup * share)) * steps))
        held_out = None
        if self.held_out is not None:
            held_out = keras_vae.datasets.load("mnist", self.held_out, shuffle=False, **fixed)
            callbacks.append(_best(model, held_out, folder / "best.weights.h5"))
        if so_far:
            callbacks.append(_Stop())
        epochs = resume.step // steps if so_far else self.epochs(share)
        began = time.perf_counter()
        model.fit(
            train,
            epochs=self.epochs(share),
            validation_data=held_out,
            callbacks=callbacks,
            verbose=0,
        )
        minutes = (time.perf_counter() - began) / 60
        if held_out is not None:
            model.load_weights(folder / "best.weights.h5")
        test = keras_vae.datasets.load("mnist", "test", **fixed)
        found = keras_vae.evaluation.log_likelihood(model, test, self.num_samples, progress=False)
        return found["nll"], found["log_likelihood_standard_error"], epochs, minutes


class _Stop(keras.callbacks.Callback):
    """Ends a training after its next step."""

    def on_train_batch_end(self, batch, logs=None):
        """Ends it."""
        self.model.stop_training = True


def _best(model, held_out, path):
    """Keeps the weights of the best epoch, also of those before a training was interrupted."""
    best = None
    if path.exists():
        model.load_weights(path)
        best = model.evaluate(held_out, verbose=0, return_dict=True)["elbo"]
    return keras.callbacks.ModelCheckpoint(
        path,
        monitor="val_elbo",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=best,
    )


def _part(epochs, share):
    """A part's epochs, at least one."""
    return max(1, round(epochs * share))


@contextlib.contextmanager
def _folder(folder, name):
    """The folder of one training, which is given up after it unless one is named."""
    if folder is not None:
        yield folder / name
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary) / name


def _falling(rate, milestones, epochs, fall=10**-0.2):
    """A learning rate that falls at milestones, as parts of a schedule."""
    ends = [*(milestone for milestone in milestones if milestone < epochs), epochs]
    lengths = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    return [(length, rate * fall**index) for index, length in enumerate(lengths)]


def _mlps(seed, cls=keras_vae.VAE, latent_dim=40, hidden_sizes=(400,), activation="relu", **own):
    networks = keras_vae.networks
    return cls(
        networks.mlp_encoder(SHAPE, latent_dim, hidden_sizes, activation, scale="log_variance"),
        networks.mlp_decoder(SHAPE, latent_dim, hidden_sizes[::-1], activation),
        seed=seed,
        **own,
    )


def _hamiltonian(seed):
    flow = {"num_steps": 4, "step_size": 0.05, "tempering": 1.0}
    return as_pytorch(_mlps(seed, HamiltonianVAE, 64, (300,), "softplus", **flow), seed)


def _svae(seed):
    """A posterior on the sphere, of one concentration an image."""
    images = keras.Input(SHAPE)
    features = keras.layers.Flatten()(images)
    for units in (256, 128):
        features = keras.layers.Dense(units, "relu")(features)
    concentration = 1.0 + keras.ops.softplus(keras.layers.Dense(1)(features))
    scale = keras.ops.repeat(keras.ops.rsqrt(concentration), 11, axis=-1)
    encoder = keras.Model(images, {"loc": keras.layers.Dense(11)(features), "scale": scale})
    decoder = keras_vae.networks.mlp_decoder(SHAPE, 11, (128, 256), "relu")
    sphere = {"posterior": "von_mises_fisher", "prior": "spherical_uniform"}
    return keras_vae.VAE(encoder, decoder, seed=seed, **sphere)


def _gated(features, units):
    """A linear layer times a gate (Tomczak & Welling, 2018)."""
    weights = {"kernel_initializer": "he_normal"}
    gate = keras.layers.Dense(units, "sigmoid", **weights)(features)
    return keras.layers.multiply([keras.layers.Dense(units, **weights)(features), gate])


def _vamp(seed):
    images = keras.Input(SHAPE)
    features = _gated(_gated(keras.layers.Flatten()(images), 300), 300)
    # Log-variances are cut off at -6 and 2.
    log_variance = keras.layers.Rescaling(0.25, 0.5)(keras.layers.Dense(40)(features))
    log_variance = keras.layers.Rescaling(4.0, -2.0)(keras.ops.hard_tanh(log_variance))
    scale = keras_vae.networks.PositiveScale("log_variance")(log_variance)
    encoder = keras.Model(images, {"loc": keras.layers.Dense(40)(features), "scale": scale})
    codes = keras.Input((40,))
    features = _gated(_gated(codes, 300), 300)
    logits = keras.layers.Reshape(SHAPE)(keras.layers.Dense(28 * 28)(features))
    return VampPriorVAE(encoder, keras.Model(codes, logits), num_pseudo_inputs=500, seed=seed)


def _burda_model(num_samples):
    """The networks of Burda et al. (2016) with one stochastic layer, as a function of the seed."""
    sizes = {"latent_dim": 50, "hidden_sizes": (200, 200), "activation": "tanh"}
    if num_samples > 1:
        sizes |= {"cls": IWAE, "num_samples": num_samples}
    return lambda seed: _mlps(seed, **sizes)


def _burda_adam(rate):
    return keras.optimizers.Adam(rate, epsilon=1e-4)


def _burda(num_samples, published):
    return Run(
        published=published,
        reproduced=None,
        build=_burda_model(num_samples),
        optimizer=_burda_adam,
        schedule=[(3**part, 1e-3 * 10 ** (-part / 7)) for part in range(8)],
        binarize="dynamic",
        split="train",
        batch_size=20,
        num_samples=5000,
    )


_PYTHAE = {"binarize": "fixed", "split": "train[:50000]", "held_out": "train[50000:]"}
RUNS = {
    "pythae_vae": Run(
        published="89.9",
        reproduced="89.78",
        build=lambda seed: as_pytorch(_mlps(seed), seed),
        optimizer=keras.optimizers.Adam,
        schedule=_falling(1e-4, [200, 350], 500),
        batch_size=100,
        num_samples=200,
        **_PYTHAE,
    ),
    "pythae_vamp": Run(
        published="85.57",
        reproduced="85.79",
        build=_vamp,
        optimizer=keras.optimizers.RMSprop,
        schedule=_falling(1e-4, [200, 350, 500, 750, 1000], 2000),
        batch_size=100,
        num_samples=5000,
        warmup=100,
        **_PYTHAE,
    ),
    "pythae_hvae": Run(
        published="86.40",
        reproduced="86.21",
        build=_hamiltonian,
        optimizer=keras.optimizers.Adamax,
        schedule=_falling(5e-4, [200, 350, 500, 750, 1000], 2000),
        batch_size=100,
        num_samples=1000,
        **_PYTHAE,
    ),
    "pythae_iwae": Run(
        published="87.1",
        reproduced="86.82",
        build=_burda_model(50),
        optimizer=_burda_adam,
        schedule=_falling(1e-3, [2, 5, 14, 28, 41, 122, 365, 1094], 3280, 10 ** (-1 / 7)),
        batch_size=20,
        num_samples=5000,
        **_PYTHAE,
    ),
    "pythae_svae": Run(
        published="93.16 +- 0.31",
        reproduced="93.13",
        build=_svae,
        optimizer=keras.optimizers.Adam,
        schedule=[(500, 1e-3)],
        binarize="dynamic",
        split="train",
        batch_size=64,
        num_samples=500,
    ),
    "burda_vae": _burda(1, "86.76"),
    "burda_iwae_5": _burda(5, "85.54"),
    "burda_iwae_50": _burda(50, "84.78"),
}


if __name__ == "__main__":
    main()
