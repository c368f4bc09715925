"""Trains the models of `saved_models/`, measures them, and writes their files and cards.

    python tools/train_zoo.py NAME [NAME ...]
    python tools/train_zoo.py --all
    python tools/train_zoo.py --measure NAME [NAME ...]

Each recipe below is the whole of what makes a model: data, class, networks, beta, optimizer and
length.
"""

import argparse
import csv
import datetime
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import card_figures
import keras_vae
from keras_vae import callbacks, disentanglement, networks, objectives, presets
from keras_vae.datasets import factors
from keras_vae.datasets.factors.named import DRAWN, SETS
from keras_vae.files import write_whole
from keras_vae.quantized import VQVAE, CodePrior

import keras
import numpy as np
import tensorflow as tf

SHAPE = (28, 28, 1)


def _mlp(latent_dim, hidden_sizes, **arguments):
    """Networks of one recipe: an MLP encoder and its mirror image."""
    scale = arguments.pop("scale", "softplus")
    return (
        networks.mlp_encoder(SHAPE, latent_dim, hidden_sizes, scale=scale, **arguments),
        networks.mlp_decoder(SHAPE, latent_dim, hidden_sizes[::-1], **arguments),
    )


def _conv(latent_dim):
    return (
        networks.conv_encoder(SHAPE, latent_dim, filters=(32, 64), hidden_sizes=(128,)),
        networks.conv_decoder(SHAPE, latent_dim, filters=(64, 32), hidden_sizes=(128,)),
    )


def _vector_quantized():
    return (
        networks.vq_encoder(SHAPE, code_dim=16, width=16),
        networks.vq_decoder(SHAPE, code_dim=16, width=16),
    )


def _burgess():
    return networks.burgess_encoder(), networks.burgess_decoder()


# As disentangling-vae trains on dSprites, one of its thirty epochs: on all images, of which none is
# held out.
_SPRITES = {
    "networks": _burgess,
    "dataset": "sprites",
    "split": "train+test",
    "evaluated_split": "test[:10000]",
    "num_samples": 32,
    "batch_size": 64,
    "epochs": 1,
    "rate": 5e-4,
    "constant_rate": True,
    "every_50th_step": True,
    "disentanglement": {"sprites": None},
}

# Digits of MNIST tell no factors. Typeset ones do, and are near enough for these models to encode,
# though none has seen them. Without `dci`, whose trees take ten minutes a model.
_OF_DIGITS = {
    "mnist": ["gaussian_total_correlation"],
    "typeset_digits": [
        "mutual_information_gap",
        "posterior_mutual_information_gap",
        "factor_vae_score",
        "modularity_explicitness",
    ],
}


# `epochs` or `steps`, with a learning rate, by default 0.001, that falls along a cosine to a
# hundredth of itself unless `constant_rate` says otherwise. `class` is what of the family it is, by
# default the VAE. `warmup` names a number of the loss that rises from 0 in so many steps. `prior`
# is what a `CodePrior` is made of that learns the codes of a VQ-VAE, and for how many epochs.
# `disentanglement` names the data sets that the latents are measured on and the metrics, `None` for
# all of them.
RECIPES = {
    "mnist_seed": {
        "description": "beta-VAE 100-100-10 after 1,024 steps, as examples/mnist.py trains it.",
        "networks": lambda: _mlp(10, [100, 100], scale="square"),
        "model": {"beta": 0.01, "reduction": "mean"},
        "split": "train+test",
        "batch_size": 64,
        "steps": 1024,
        "constant_rate": True,
    },
    "mnist_seed_converged": {
        "description": "The same beta-VAE 100-100-10 trained until it has converged.",
        "networks": lambda: _mlp(10, [100, 100], scale="square"),
        "model": {"beta": 0.01, "reduction": "mean"},
        "batch_size": 64,
        "epochs": 60,
        "disentanglement": _OF_DIGITS,
    },
    "mnist_mlp": {
        "description": "The standard VAE, one hidden layer of 400 and 20 latents, beta 1.",
        "networks": lambda: _mlp(20, [400]),
        "epochs": 100,
    },
    "mnist_map": {
        "description": "Two latents, to draw maps of the digits.",
        "networks": lambda: _mlp(2, [400, 200]),
        "epochs": 60,
    },
    "mnist_disentangled": {
        "description": "beta 4: ten latents, all active and hardly correlated; none is a factor of "
        "typeset digits.",
        "networks": lambda: _mlp(10, [400]),
        "model": {"beta": 4.0},
        "epochs": 50,
        "disentanglement": _OF_DIGITS,
    },
    "mnist_autoencoder": {
        "description": "beta 0, a plain autoencoder: sharp reconstructions, useless samples.",
        "networks": lambda: _mlp(10, [400]),
        "model": {"beta": 0.0},
        "epochs": 50,
        "disentanglement": _OF_DIGITS,
    },
    "mnist_conv": {
        "description": "Convolutional VAE with 16 latents, beta 1.",
        "networks": lambda: _conv(16),
        "num_samples": 32,
        "epochs": 12,
    },
    "mnist_beta_tc": {
        "description": "beta-TC-VAE at beta 6: six of ten latents are active, none a factor of "
        "typeset digits.",
        "class": objectives.BetaTCVAE,
        "networks": lambda: _mlp(10, [100, 100]),
        "model": {"beta": 6.0},
        "epochs": 20,
        "disentanglement": _OF_DIGITS,
    },
    "mnist_factor": {
        "description": "FactorVAE at gamma 10: ten active latents, hardly correlated; none is a "
        "factor of typeset digits.",
        "class": objectives.FactorVAE,
        "networks": lambda: _mlp(10, [100, 100]),
        "model": {"gamma": 10.0, "discriminator_sizes": (50, 50)},
        "epochs": 20,
        "disentanglement": _OF_DIGITS,
    },
    "mnist_iwae": {
        "description": "IWAE with 5 samples an image: a tighter bound on the likelihood.",
        "class": objectives.IWAE,
        "networks": lambda: _mlp(10, [100, 100]),
        "model": {"num_samples": 5, "gradient": "doubly_reparameterized"},
        "epochs": 20,
    },
    "mnist_vamp": {
        "description": "VampPrior of 50 pseudo-inputs: a prior that lies where the codes are.",
        "class": objectives.VampPriorVAE,
        "networks": lambda: _mlp(10, [100, 100]),
        "model": {"num_pseudo_inputs": 50},
        "epochs": 20,
    },
    "binarized_mnist_mlp": {
        "description": "The 200-200-50 tanh VAE of the likelihood tables, on binarised digits.",
        "networks": lambda: _mlp(50, [200, 200], activation="tanh"),
        "binarize": "dynamic",
        "batch_size": 100,
        "epochs": 300,
        "num_samples": 5000,
    },
    "mnist_vqvae": {
        "description": "VQ-VAE: digits as 7x7 codes out of 128, and a prior that draws new ones.",
        "class": VQVAE,
        "networks": _vector_quantized,
        "model": {"num_codes": 128},
        "epochs": 6,
        "prior": {"width": 64, "depth": 2, "epochs": 8},
    },
    "typeset_digits_conv": {
        "description": "Convolutional VAE with 10 latents on digits typeset without a network.",
        "networks": lambda: _conv(10),
        "num_samples": 32,
        "dataset": "typeset_digits",
        "epochs": 8,
    },
    "sprites_vae": {
        **_SPRITES,
        "description": "The standard VAE on sprites, an epoch of the published thirty.",
        "model": {"beta": 1.0},
        "warmup": {"beta": 10_000},
    },
    "sprites_beta": {
        **_SPRITES,
        "description": "beta-VAE at beta 4 on sprites, an epoch of the published thirty.",
        "model": {"beta": 4.0},
        "warmup": {"beta": 10_000},
    },
    "sprites_beta_tc": {
        **_SPRITES,
        "description": "beta-TC-VAE at beta 6 on sprites, 3,840 steps: a third of an epoch.",
        "steps": 3_840,
        "class": objectives.BetaTCVAE,
        "model": {"beta": 6.0},
    },
}


def train(name: str, directory: Path, seed: int = 0, epochs: int | None = None):
    """Trains one model, measures it and writes its two files.

    Args:
        name: Of the recipe.
        directory: Where `NAME.keras` and `NAME.json` go.
        seed: Of weights, noise and data order.
        epochs: Instead of the recipe's, for a trial; a recipe that counts steps has none.
    """
    recipe = RECIPES[name]
    dataset, split = recipe.get("dataset", "mnist"), recipe.get("split", "train")
    batch_size, binarize = recipe.get("batch_size", 128), recipe.get("binarize")
    keras.utils.set_random_seed(seed)
    images = keras_vae.datasets.load(dataset, split, batch_size, binarize=binarize, seed=seed)
    trial = epochs
    if "steps" in recipe:
        epochs, steps = None, recipe["steps"]
    else:
        epochs = epochs or recipe["epochs"]
        steps = epochs * int(images.cardinality())
    first_rate = rate = recipe.get("rate", 1e-3)
    if not recipe.get("constant_rate"):
        rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01)
    vae = make(recipe, seed)
    if isinstance(vae, objectives.VampPriorVAE):
        # Grey noise would take long to become digits.
        vae.pseudo_inputs.assign(next(iter(images))[: vae.num_pseudo_inputs])
    vae.compile(optimizer=keras.optimizers.Adam(rate))
    watchers = [
        callbacks.ValueSchedule(name, end=recipe["model"][name], warmup_steps=warmup)
        for name, warmup in recipe.get("warmup", {}).items()
    ]

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as logs:
        if recipe.get("every_50th_step"):
            watchers.append(callbacks.ELBOLogger(logs, frequency=1, print_table=False))
        given = images if epochs else images.repeat().take(steps)
        history = vae.fit(given, epochs=epochs or 1, callbacks=watchers, verbose=2).history
        of_prior = {}
        if "prior" in recipe:
            vae, of_prior = with_trained_prior(vae, images, recipe["prior"], batch_size, trial)
        minutes = (time.perf_counter() - began) / 60
        sampled = every_50th_step(Path(logs, "elbo.csv")) if recipe.get("every_50th_step") else {}

    evaluated = {
        "dataset": dataset,
        "split": recipe.get("evaluated_split", "test"),
        "binarize": "fixed" if binarize else None,
        "num_samples": None if "prior" in recipe else recipe.get("num_samples", 100),
        "seed": 0,
    }
    details = {
        "description": recipe["description"],
        "data": {
            "name": dataset,
            "split": split,
            "binarize": binarize,
            "test_images_sha256": _checksum(dataset),
            "test_images_held_out": "test" not in split,
        },
        "training": {
            "command": _command(name, seed, None if epochs == recipe.get("epochs") else epochs),
            "seed": seed,
            "batch_size": batch_size,
            "steps": steps,
            "epochs": epochs,
            "optimizer": "Adam",
            "learning_rate": f"{first_rate:g}"
            + (
                ""
                if recipe.get("constant_rate")
                else f", cosine to {first_rate / 100:.7f}".rstrip("0")
            ),
            "arguments": recipe.get("model", {}),
            "warmup_steps": recipe.get("warmup", {}),
            **card_figures.of(vae).settings(),
            "likelihood": type(vae.likelihood).__name__,
            **({"prior": of_prior} if of_prior else {}),
            "last_epoch": {key: values[-1] for key, values in history.items()},
            **({"every_50th_step": sampled} if sampled else {}),
            "minutes": round(minutes, 1),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "date": datetime.date.today().isoformat(),
        },
        "evaluation": evaluated,
        "pinned": pinned_outputs(vae),
    }
    # Once before measuring, which may take as long as training did.
    presets.write(vae, directory, name, details)
    path = presets.write(vae, directory, name, {**details, **measure(vae, recipe, evaluated)})
    print(f"{path}: {minutes:.1f} minutes of training", flush=True)


def with_trained_prior(
    vqvae: VQVAE, images, settings: dict, batch_size: int, epochs: int | None = None
):
    """A VQ-VAE with a prior that has learned the codes of its training images.

    Args:
        vqvae: A trained model.
        images: A `tf.data.Dataset` of batches of its training images.
        settings: Arguments of `CodePrior`, and `epochs`.
        batch_size: Int. Codes of so many images a step.
        epochs: Int. Instead of those of the settings, for a trial.

    Returns:
        The model, and what its card says of the prior's training.
    """
    settings = {**settings, "epochs": epochs or settings["epochs"]}
    arguments = {key: value for key, value in settings.items() if key != "epochs"}
    codes = vqvae.encode_codes(images).numpy()
    prior = CodePrior(vqvae.grid_shape, vqvae.num_codes, **arguments)
    steps = settings["epochs"] * -(-len(codes) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps, alpha=0.01)
    prior.compile(keras.optimizers.Adam(rate))
    fit = {"batch_size": batch_size, "epochs": settings["epochs"], "verbose": 2}
    history = prior.fit(codes, **fit).history
    last = {key: values[-1] for key, values in history.items()}
    return vqvae.with_prior(prior), {**settings, "steps": steps, "last_epoch": last}


def make(recipe: dict, seed: int = 0) -> keras_vae.VAE | VQVAE:
    """The untrained model of a recipe.

    Args:
        recipe: One of `RECIPES`.
        seed: Of the noise in training.
    """
    cls = recipe.get("class", keras_vae.VAE)
    return cls(*recipe["networks"](), **recipe.get("model", {}), seed=seed)


def every_50th_step(path: Path) -> dict:
    """Means of the losses of steps 1, 51, 101, ..., which those of disentangling-vae are over.

    Args:
        path: Of a table with a row for every step.
    """
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) % 50 == 1]
    names = ("reconstruction_loss", "kl_loss")
    return {name: statistics.mean(float(row[name]) for row in rows) for name in names}


def measure(vae, recipe: dict, evaluated: dict) -> dict:
    """What a card says a model is worth: `figures`, and `disentanglement` if its recipe asks."""
    measured = {"figures": card_figures.of(vae).figures(evaluated)}
    if "disentanglement" in recipe:
        measured["disentanglement"] = [
            measure_disentanglement(vae, dataset, metrics)
            for dataset, metrics in recipe["disentanglement"].items()
        ]
    return measured


def measure_disentanglement(vae, dataset: str, metrics: list | None = None, seed: int = 0) -> dict:
    """Metrics of `keras_vae.disentanglement` on one data set, as numbers.

    Args:
        vae: A trained model.
        dataset: Name of a factor data set; or of any other, whose test split is measured.
        metrics: Names, of a data set without factors those alone that need none. Defaults to
            `None`: all.
        seed: Int. Of the points.
    """
    if dataset in (*DRAWN, *SETS):
        data = factors.load(dataset)
        found = disentanglement.evaluate(vae, data, metrics, seed=seed)
        points = {"num_train": found.num_train, "num_test": found.num_test}
    else:
        batches = keras_vae.datasets.load(dataset, "test", 1000, shuffle=False)
        codes = np.concatenate([vae.embed(images) for images in batches])
        found = {name: getattr(disentanglement, name)(codes) for name in metrics}
        points = {"num_test": len(codes)}
    scores = {
        name: {key: round(float(part), 4) for key, part in result.items() if np.ndim(part) == 0}
        for name, result in found.items()
    }
    return {"dataset": dataset, **points, "seed": seed, "scores": scores}


def pinned_outputs(vae) -> dict:
    """What the decoder makes of fixed codes, by which a later version sees that it still does."""
    images = card_figures.of(vae).pinned()
    return {
        "means": images.mean(axis=(1, 2, 3)).tolist(),
        "middle_rows": images[:, images.shape[1] // 2, ::4, 0].tolist(),
    }


def measure_again(name: str, directory: Path):
    """Measures a model that is there once more, as its card says, and writes what came of it.

    The description is the recipe's, too: it may have to say something else now.

    Args:
        name: Of the model.
        directory: Where `NAME.keras` and `NAME.json` are.
    """
    vae = keras.saving.load_model(directory / f"{name}.keras")
    card = json.loads((directory / f"{name}.json").read_text())
    card["description"] = RECIPES[name]["description"]
    card |= measure(vae, RECIPES[name], card["evaluation"])
    write_whole(directory / f"{name}.json", json.dumps(card, indent=2) + "\n")
    print(f"{name}: elbo {card['figures']['elbo']:.2f}", flush=True)


def _command(name, seed, epochs):
    """The command line that repeats a training."""
    command = f"python tools/train_zoo.py {name}"
    command += f" --seed {seed}" if seed else ""
    return command + (f" --epochs {epochs}" if epochs else "")


def _checksum(dataset):
    """SHA-256 of the test split's pixels, as bytes in the order of the data set."""
    digest = hashlib.sha256()
    for batch in keras_vae.datasets.load(dataset, "test", 1000):
        digest.update(tf.cast(tf.round(batch * 255), tf.uint8).numpy().tobytes())
    return digest.hexdigest()


def main():
    """Trains the models named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    add("--all", action="store_true", help="every one of them")
    add("--measure", action="store_true", help="measure those that are there, without training")
    add("--epochs", type=int, help="instead of the recipe's, for a trial")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add(
        "--output-dir",
        type=Path,
        default=presets.folder(),
        help="folder (the package's saved_models)",
    )
    options = parser.parse_args()
    names = list(RECIPES) if options.all else options.names
    if not names or set(names) - set(RECIPES):
        parser.error(f"name models to train, among {', '.join(RECIPES)}, or pass --all")
    for name in names:
        if options.measure:
            measure_again(name, options.output_dir)
            continue
        train(name, options.output_dir, options.seed, options.epochs)


if __name__ == "__main__":
    main()
