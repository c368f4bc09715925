"""Every member of the family on the same data with the same networks, side by side.

Each trains an MLP encoder 100-100 and decoder 100-100 with 10 latents, all from the same weights
and on the same batches. Leaves in the output folder:

  family.csv   one row a member: what it is worth on held-out images, and what a step of training
               costs in processor time, of all cores together
  family.md    the same as a Markdown table
  NAME.png     samples of the prior in the first row, and below them one row for each latent

Rows are there as soon as their member is trained. Without --dataset it takes MNIST where that is
prepared or can be downloaded, and otherwise digits that it typesets itself.
"""

import argparse
import csv
import io
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import drawing, latent_measures, latent_walks, networks, objectives
from keras_vae.callbacks import CapacitySchedule
from keras_vae.files import check_writable, write_whole

import keras
import numpy as np

COLUMNS = 10
LATENTS = 10
CLASSES = 10
PSEUDO_INPUTS = 100

# Members by name. `model` is what the class gets besides the networks, `bound` is False where
# nothing is drawn from the posterior, so that the ELBO bounds nothing.
MEMBERS = {
    "vae": {},
    "beta_vae": {"class": objectives.BetaVAE, "model": {"beta": 4.0}},
    "annealed_vae": {
        "class": objectives.AnnealedVAE,
        "model": {"gamma": 30.0},
        "callbacks": lambda epochs: [CapacitySchedule(15.0, warmup_epochs=0.8 * epochs)],
    },
    "beta_tc_vae": {"class": objectives.BetaTCVAE, "model": {"beta": 6.0}},
    "factor_vae": {
        "class": objectives.FactorVAE,
        # Layers of 1000, as in the papers, would take most of the time of all members.
        "model": {"gamma": 10.0, "discriminator_sizes": (200, 200, 200)},
    },
    "adversarial_autoencoder": {"class": objectives.AdversarialAutoencoder, "bound": False},
    "dip_vae_i": {"class": objectives.DIPVAE, "model": {"kind": "i"}},
    "dip_vae_ii": {"class": objectives.DIPVAE, "model": {"kind": "ii"}},
    "info_vae": {"class": objectives.InfoVAE},
    "wae": {"class": objectives.WAE, "bound": False},
    "iwae": {
        "class": objectives.IWAE,
        "model": {"num_samples": 5, "gradient": "doubly_reparameterized"},
    },
    "miwae": {"class": objectives.IWAE, "model": {"num_samples": 5, "num_bounds": 5}},
    "ciwae": {"class": objectives.IWAE, "model": {"num_samples": 5, "elbo_share": 0.5}},
    "piwae": {"class": objectives.PIWAE, "model": {"num_samples": 5, "num_bounds": 5}},
    "vamp_prior_vae": {
        "class": objectives.VampPriorVAE,
        "model": {"num_pseudo_inputs": PSEUDO_INPUTS},
    },
    "hamiltonian_vae": {"class": objectives.HamiltonianVAE},
    "hierarchical_vae": {"class": objectives.HierarchicalVAE},
    "hierarchical_vamp_vae": {
        "class": objectives.HierarchicalVAE,
        "model": {"num_pseudo_inputs": PSEUDO_INPUTS},
    },
    "conditional_vae": {"class": objectives.ConditionalVAE, "model": {"condition_dim": CLASSES}},
    "autoencoder": {"class": objectives.Autoencoder, "bound": False},
    "ms_ssim_vae": {"class": objectives.MSSSIMVAE},
    "vae_gan": {"class": objectives.VAEGAN},
    "rae_l2": {"class": objectives.RAE, "bound": False},
    "rae_gp": {"class": objectives.RAE, "model": {"penalty": "gradient"}, "bound": False},
    "full_covariance": {"model": {"posterior": "full_covariance_normal"}},
    "coupling_flow": {"model": {"posterior": "coupling_flow"}},
    "inverse_autoregressive_flow": {"model": {"posterior": "inverse_autoregressive_flow"}},
    "householder_flow": {"model": {"posterior": "householder_flow"}},
    "gaussian_mixture": {"model": {"prior": "gaussian_mixture"}},
    "hyperspherical": {"model": {"posterior": "von_mises_fisher", "prior": "spherical_uniform"}},
    "kl_balance": {"model": {"prior": "gaussian_mixture", "kl_balance": 0.8}},
    "free_bits": {"model": {"free_bits": 2.0}},
}
TITLES = {
    "objective": "objective",
    "elbo": "ELBO",
    "reconstruction": "reconstruction",
    "kl": "KL",
    "active_units": "active units",
    "milliseconds": "CPU ms a step",
    "first_loss": "loss, first epoch",
    "last_loss": "last epoch",
}


def make(name: str, shape: tuple[int, ...], seed: int = 0) -> keras_vae.VAE:
    """One member, untrained.

    Args:
        name: One of `MEMBERS`.
        shape: Of an image, `(height, width, channels)`.
        seed: Of its weights and noise.
    """
    member = MEMBERS[name]
    cls, arguments = member.get("class", keras_vae.VAE), dict(member.get("model", {}))
    full_covariance = arguments.get("posterior") == "full_covariance_normal"
    keras.utils.set_random_seed(seed)
    return cls(
        networks.mlp_encoder(shape, LATENTS, [100, 100], full_covariance=full_covariance),
        networks.mlp_decoder(shape, LATENTS + arguments.get("condition_dim", 0), [100, 100]),
        seed=seed,
        **arguments,
    )


def train(name: str, dataset: str, epochs: int, steps: int | None = None, seed: int = 0):
    """Trains one member and measures it on held-out images.

    Args:
        name: One of `MEMBERS`.
        dataset: Name of the data set, which must have labels.
        epochs: Over the training images.
        steps: At most so many an epoch, and as many batches of held-out images, for a trial.
        seed: Of weights, noise and data order.

    Returns:
        The model, its row of the table, and the means of q(z|x) on held-out images, `[n, latent]`.
    """
    member = MEMBERS[name]
    load = {"batch_size": 128, "with_labels": True, "seed": seed}
    images, held_out = keras_vae.datasets.load(dataset, **load)
    if steps:
        images, held_out = images.take(steps), held_out.take(steps)
    vae = make(name, tuple(images.element_spec[0].shape[1:]), seed)
    if hasattr(vae, "pseudo_inputs"):
        # Grey noise would take long to become digits.
        first = {"split": f"train[:{PSEUDO_INPUTS}]", "batch_size": PSEUDO_INPUTS}
        vae.pseudo_inputs.assign(next(iter(keras_vae.datasets.load(dataset, **first))))
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    clock = EpochClock()
    callbacks = [clock, *member.get("callbacks", lambda _: [])(epochs)]
    losses = vae.fit(images, epochs=epochs, callbacks=callbacks, verbose=0).history["loss"]

    figures = vae.evaluate(held_out, return_dict=True, verbose=0)
    means = code_means(vae, held_out)
    return (
        vae,
        {
            "objective": name,
            "elbo": figures["elbo"],
            "reconstruction": figures["reconstruction_loss"],
            # `kl_loss` is the KL as it enters the loss, which free bits change.
            "kl": -figures["elbo"] - figures["reconstruction_loss"],
            "active_units": latent_measures.active_units(latent_measures.variance_of_means(means)),
            # The first epoch compiles.
            "milliseconds": 1000 * min(clock.seconds) / int(images.cardinality()),
            "first_loss": losses[0],
            "last_loss": losses[-1],
        },
        means,
    )


class EpochClock(keras.callbacks.Callback):
    """Takes the seconds of processor time of each epoch, which a busy machine stretches least."""

    def on_train_begin(self, logs=None):
        """Forgets those of the training before."""
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._began = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock."""
        self.seconds.append(time.process_time() - self._began)


def code_means(vae: keras_vae.VAE, labelled) -> np.ndarray:
    """The means of q(z|x), or of q(z|x, y) where the model asks for labels, `[n, latent]`."""
    has_condition = isinstance(vae, objectives.ConditionalVAE)
    return np.concatenate(
        [vae.encode(x, labels if has_condition else None).mean() for x, labels in labelled]
    )


def picture(vae: keras_vae.VAE, means: np.ndarray):
    """Samples of the prior, and one row for each latent, the one that varies most first.

    A row goes from 2.5 standard deviations below to 2.5 above the mean of the codes of held-out
    images, the other latents staying at their means: codes of some members lie nowhere near
    N(0, I). Rows of a conditional VAE are threes, and one more goes through the classes.

    Args:
        vae: A trained member.
        means: The means of q(z|x) on held-out images, `[n, latent]`.
    """
    centre, deviation = means.mean(axis=0), means.std(axis=0)
    has_condition = isinstance(vae, objectives.ConditionalVAE)
    condition = 3 if has_condition else None
    rows, labels = [vae.sample(COLUMNS, seed=0, condition=condition).numpy()], ["samples"]
    for latent in np.argsort(-deviation, kind="stable"):
        walk = centre[latent] + deviation[latent] * np.linspace(-2.5, 2.5, COLUMNS)
        (codes,) = latent_walks.rows([latent], walk, centre)
        rows.append(vae.decode(codes, condition).mean().numpy())
        labels.append(f"z{latent}  {deviation[latent]:.2f}")
    if has_condition:
        classes = np.arange(COLUMNS) % CLASSES
        rows.append(vae.decode(np.tile(centre, (COLUMNS, 1)), classes).mean().numpy())
        labels.append("class")
    return drawing.image_grid(np.stack(rows), labels, scale=1)


def csv_table(rows: list[dict]) -> str:
    """The rows as CSV, all digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(TITLES), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def markdown_table(rows: list[dict]) -> str:
    """The rows as a Markdown table; an ELBO that bounds nothing stands in brackets."""
    lines = [list(TITLES.values()), ["---"] * len(TITLES)]
    for row in rows:
        cells = {title: f"{row[title]:.2f}" for title in TITLES if isinstance(row[title], float)}
        if not MEMBERS[row["objective"]].get("bound", True):
            cells["elbo"] = f"({cells['elbo']})"
        lines.append([cells.get(title, str(row[title])) for title in TITLES])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    parser = _parser()
    options = parser.parse_args()
    try:
        compare(options)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def compare(options: argparse.Namespace):
    """Trains the members one after the other, and writes what there is after each."""
    check_writable(options.output_dir)
    dataset = options.dataset or keras_vae.datasets.available()
    rows = []
    for name in options.objectives:
        vae, row, means = train(name, dataset, options.epochs, options.steps, options.seed)
        rows.append(row)
        write_whole(options.output_dir / "family.csv", csv_table(rows))
        write_whole(options.output_dir / "family.md", markdown_table(rows))
        write_whole(options.output_dir / f"{name}.png", drawing.png(picture(vae, means)))
        print(
            f"{name:16} elbo {row['elbo']:9.2f}  reconstruction {row['reconstruction']:7.2f}  "
            f"kl {row['kl']:7.2f}  active {row['active_units']:2}  "
            f"{row['milliseconds']:.2f} CPU ms a step  "
            f"loss {row['first_loss']:.2f} -> {row['last_loss']:.2f}",
            flush=True,
        )
    print(f"Everything is in {options.output_dir}/")


def _parser():
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--objectives",
        nargs="+",
        choices=MEMBERS,
        default=list(MEMBERS),
        metavar="NAME",
        help=f"which, among {', '.join(MEMBERS)} (all)",
    )
    add("--dataset", help="TFDS name of an image set of ten classes, or typeset_digits (mnist)")
    add("--epochs", type=int, default=10, help="over the training images (10)")
    add("--steps", type=int, help="at most so many an epoch, for a trial (all)")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add("--output-dir", type=Path, default=Path("runs/family"), help="folder (runs/family)")
    return parser


if __name__ == "__main__":
    main()
