"""Which sampler makes the best images of a trained model: one table, and pictures side by side.

Fits every sampler to the codes of the training images, draws codes and decodes them, and compares
the images with test images in the features of a small classifier of digits. The last two rows of a
model are for orientation: `reconstructions` of other test images are as good as any sampler can be
with that decoder, and `training images` are what no model made. Leaves in the output folder:

  samplers.csv   one row a model, sampler and seed, there as soon as it is measured
  samplers.md    means over the seeds and standard deviations, as a Markdown table
  MODEL.png      samples of the last seed, a row for each sampler
  MODEL/         with --train, the preset of a model that was trained for this, to be named again by
                 `--models FOLDER/MODEL`

With --train it first trains autoencoders whose codes are kept in shape without a VAE's noise, with
the networks of the preset `mnist_autoencoder`.

Without --dataset it takes MNIST where that is prepared or can be downloaded, and otherwise digits
that it typesets itself, with a model of these; the classifier has seen handwriting alone.
"""

import argparse
import csv
import io
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import datasets, drawing, networks, objectives, sample_quality, samplers
from keras_vae.files import check_writable, write_whole

import keras
import numpy as np

# Functions of a model and the options.
SAMPLERS = {
    "prior": lambda model, options: samplers.PriorSampler(model),
    "mixture": lambda model, options: samplers.GaussianMixtureSampler(options.components),
    "flow": lambda model, options: samplers.FlowSampler(**epochs_of(options)),
    "second stage": lambda model, options: samplers.SecondStageSampler(**epochs_of(options)),
}
# What --train knows: classes, and what they are given besides the networks.
TRAINED = {
    "autoencoder": (objectives.Autoencoder, {}),
    "rae_l2": (objectives.RAE, {"penalty": "l2"}),
    "rae_gp": (objectives.RAE, {"penalty": "gradient"}),
    "wae": (objectives.WAE, {}),
    "adversarial_autoencoder": (objectives.AdversarialAutoencoder, {}),
    "adversarial_autoencoder_2x1000": (
        objectives.AdversarialAutoencoder,
        {"discriminator_sizes": (1000, 1000)},
    ),
}
MODELS = {"mnist": ["mnist_mlp", "mnist_autoencoder"], "typeset_digits": ["typeset_digits_conv"]}
TITLES = {
    "frechet_distance": "Frechet distance",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "classifier's accuracy",
    "roc_auc": "its ROC-AUC",
    "seconds": "seconds to fit",
}
COLUMNS = 12


def epochs_of(options) -> dict:
    """What a sampler that is trained gets, nothing for its own number of passes."""
    return {"epochs": options.epochs} if options.epochs else {}


def images_of(dataset: str, split: str, binarize: str | None) -> np.ndarray:
    """The images of a split, in its order."""
    batches = datasets.load(dataset, split, batch_size=1000, shuffle=False, binarize=binarize)
    return np.concatenate([batch.numpy() for batch in batches])


def train(name: str, options) -> Path:
    """Trains an autoencoder on the training images, and returns the folder of its preset.

    Adam at 0.001, which falls along a cosine to a hundredth, batches of 128, as the presets are
    trained.

    Args:
        name: One of `TRAINED`.
        options: Of the command line.
    """
    cls, arguments = TRAINED[name]
    keras.utils.set_random_seed(options.train_seed)
    images = datasets.load(options.dataset, "train", batch_size=128, seed=options.train_seed)
    shape = tuple(images.element_spec.shape[1:])
    model = cls(
        networks.mlp_encoder(shape, 10, [400]),
        networks.mlp_decoder(shape, 10, [400]),
        seed=options.train_seed,
        **arguments,
    )
    steps = options.train_epochs * int(images.cardinality())
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps, 0.01)))
    began = time.perf_counter()
    logs = model.fit(images, epochs=options.train_epochs, verbose=0).history
    print(
        f"{name}, {options.train_epochs} epochs, seed {options.train_seed}, "
        f"{time.perf_counter() - began:.0f} s: "
        + ", ".join(f"{key} {values[-1]:.3f}" for key, values in logs.items()),
        flush=True,
    )
    folder = options.folder / name
    model.save_to_preset(folder, description=f"{options.train_epochs} epochs of {options.dataset}.")
    return folder


def rows_of(name: str, options):
    """Yields what is measured of one model, a dict for each sampler and seed, and its images."""
    vae = keras_vae.VAE.from_preset(name)
    # What the model was trained on: grey pixels, or such as were drawn once.
    binarize = keras_vae.presets.card(name).get("data", {}).get("binarize")
    binarize = "fixed" if binarize else None
    name = Path(name).name
    known = images_of(options.dataset, f"train[:{options.num_codes}]", binarize)
    test = images_of(options.dataset, f"test[:{2 * options.num_images}]", binarize)
    # Reconstructions of the images that they are compared with would be too good.
    count = len(test) // 2
    real, others = test[:count], test[count : 2 * count]
    for seed in range(options.seeds):
        codes = samplers.codes_of(vae, known, seed=seed)
        for sampler_name in options.samplers:
            sampler = SAMPLERS[sampler_name](vae, options)
            began = time.perf_counter()
            sampler.fit(codes, seed=seed)
            seconds = time.perf_counter() - began
            generated = vae.sample(count, seed=seed, sampler=sampler).numpy()
            yield row(name, sampler_name, seed, seconds, real, generated), generated
        generator = np.random.default_rng(seed)
        chosen = known[generator.permutation(len(known))[:count]]
        reconstructed = vae.decode(samplers.codes_of(vae, others, seed=seed)).mean().numpy()
        yield row(name, "reconstructions", seed, 0.0, real, reconstructed), reconstructed
        if len(chosen) == count:
            yield row(name, "training images", seed, 0.0, real, chosen), chosen


def row(model: str, sampler: str, seed: int, seconds: float, real, generated) -> dict:
    """One row of the file."""
    figures = sample_quality.evaluate(real, generated, seed=seed)
    figures = {key: figures[key] for key in TITLES if key in figures}
    return {"model": model, "sampler": sampler, "seed": seed, **figures, "seconds": seconds}


def table(rows: list[dict]) -> str:
    """Means over the seeds and standard deviations, as Markdown."""
    lines = [
        "| model | sampler | " + " | ".join(TITLES.values()) + " |",
        "|---|---|" + "--:|" * len(TITLES),
    ]
    for model, sampler in dict.fromkeys((row["model"], row["sampler"]) for row in rows):
        same = [row for row in rows if (row["model"], row["sampler"]) == (model, sampler)]
        cells = []
        for key in TITLES:
            values = [row[key] for row in same]
            digits = {"seconds": 0, "frechet_distance": 2}.get(key, 3)
            spread = f" ± {np.std(values):.{digits}f}" if len(values) > 1 and digits else ""
            cells.append(f"{np.mean(values):.{digits}f}{spread}")
        lines.append(f"| `{model}` | {sampler} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    """Fits, measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--models",
        nargs="*",
        help="presets (without --train two of MNIST, or one of typeset digits)",
    )
    add(
        "--train",
        nargs="+",
        default=[],
        choices=TRAINED,
        metavar="NAME",
        help=f"to train first and compare, among {', '.join(TRAINED)} (none)",
    )
    add("--train-epochs", type=int, default=20, help="over the training images (20)")
    add("--train-seed", type=int, default=0, help="of weights, noise and order of images (0)")
    add("--samplers", nargs="+", default=[*SAMPLERS], choices=SAMPLERS, help="which (all)")
    add("--components", type=int, default=10, help="of the mixture (10)")
    add("--dataset", help="of 28x28 grey images with a train and a test split")
    add("--seeds", type=int, default=3, help="of codes, fits, draws and classifier (3)")
    add("--num-images", type=int, default=5000, help="of each set that is compared (5000)")
    add("--num-codes", type=int, default=60000, help="training images (60000)")
    add("--epochs", type=int, help="over the codes, for a trial (each sampler's own)")
    add("--folder", type=Path, default=Path("runs/samplers"), help="output (runs/samplers)")
    options = parser.parse_args()
    check_writable(options.folder)
    options.dataset = options.dataset or datasets.available()
    options.models = options.models or []
    if not (options.models or options.train):
        options.models = MODELS.get(options.dataset, MODELS["mnist"])
    options.models += [str(train(name, options)) for name in options.train]

    rows = []
    for name in options.models:
        pictures = {}
        for measured, images in rows_of(name, options):
            print({key: round(v, 4) if isinstance(v, float) else v for key, v in measured.items()})
            rows.append(measured)
            pictures[measured["sampler"]] = images[:COLUMNS]
            write_whole(options.folder / "samplers.csv", text(rows))
        picture = drawing.image_grid(
            np.stack(list(pictures.values())),
            list(pictures),
            f"{Path(name).name} on {options.dataset}",
        )
        write_whole(options.folder / f"{Path(name).name}.png", drawing.png(picture))
    write_whole(options.folder / "samplers.md", table(rows))
    print(table(rows))


def text(rows: list[dict]) -> str:
    """Rows as CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


if __name__ == "__main__":
    main()
