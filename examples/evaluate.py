"""Measures a trained VAE on held-out images: ELBO, log-likelihood, active units, reconstructions.

MODEL is the name of a preset (see `python -m keras_vae`), the folder of one, or a .keras file. All
figures are in nats an image unless they say otherwise; after the +- stands the standard error of
the mean over the images.
"""

import argparse
import json
import os

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import evaluation

import keras


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    parser = _parser()
    options = parser.parse_args()
    try:
        settings, model = _model_and_settings(options)
        # Progress goes to standard output too, where it would break the JSON.
        progress = not (options.quiet or options.json)
        figures = evaluation.evaluate_all(model, progress=progress, **settings)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{options.model} on {settings['dataset']}, {settings['split']}:")
    for name, value in figures.items():
        if name.endswith("_standard_error"):
            continue
        error = figures.get(f"{name}_standard_error")
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        print(f"  {name:22} {shown}" + (f" +- {error:.4f}" if error is not None else ""))


def _model_and_settings(options):
    given = {
        name: value
        for name in ("dataset", "split", "binarize", "num_samples", "seed")
        if (value := getattr(options, name)) is not None
    }
    is_file = options.model.endswith(".keras")
    evaluated = {} if is_file else keras_vae.presets.card(options.model).get("evaluation", {})
    settings = {"split": "test", **evaluated, **given}
    if "dataset" not in settings:
        raise ValueError(f"{options.model} does not say what images it is for. Pass --dataset.")
    if not is_file:
        return settings, keras_vae.VAE.from_preset(options.model)
    model = keras.saving.load_model(options.model)
    if not isinstance(model, keras_vae.VAE):
        raise ValueError(f"{options.model} is a {type(model).__name__}. Expected: a VAE.")
    return settings, model


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", help="a preset's name or folder, or a .keras file")
    add("--dataset", help="TFDS name (what the preset's card says)")
    add("--split", help="TFDS split string (test, or what the card says)")
    add("--binarize", choices=["fixed"], help="draw each pixel once (what the card says)")
    add(
        "--num-samples",
        type=int,
        help="of the log-likelihood; 0 leaves it out (100, or the card's)",
    )
    add("--seed", type=int, help="of every sample that is drawn (0, or the card's)")
    add("--json", action="store_true", help="print JSON and nothing else")
    add("--quiet", action="store_true", help="no progress bars")
    return parser


if __name__ == "__main__":
    main()
