"""Writes `saved_models/README.md`, the index of the trained models, from their cards.

For each model it also draws `saved_models/images/NAME.png`: samples of the prior in the first two
rows, and below them one row for each of up to ten latents, the most used first; of a VQ-VAE, whose
codes are integers, samples alone.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae import drawing, latent_walks, presets
from keras_vae.files import write_whole

import keras
import numpy as np

COLUMNS = 10
HEADER = """# Trained models

Written by `python tools/zoo_index.py` from the cards beside the models. Load one with

```python
import keras_vae

vae = keras_vae.VAE.from_preset("mnist_mlp")
vqvae = keras_vae.quantized.VQVAE.from_preset("mnist_vqvae")
```

ELBO, its two parts and the importance-weighted log-likelihood are in nats an image, on the test
split, with the standard error of the mean. Grey pixels and binarised ones do not compare. Print a
VAE's figures anew with `python examples/evaluate.py NAME`. What the scores of latents mean is in
[docs/disentanglement.md](../docs/disentanglement.md): `gaussian_total_correlation` is in nats, and
less is better; of all others 1 is best. The log-likelihood of a VQ-VAE, whose posterior is a single
code, has no such estimate.

| model | test pixels | ELBO | distortion | rate | log-likelihood (samples) | active units | \
linear probe | size |
|---|---|---|---|---|---|---|---|---|
"""


def row(card: dict, size: int) -> str:
    """One model's line of the table."""
    figures = card["figures"]

    def cell(name, digits=2):
        return f"{figures[name]:.{digits}f} ± {figures[name + '_standard_error']:.{digits}f}"

    likelihood, used = "", ""
    if "log_likelihood" in figures:
        likelihood = f"{cell('log_likelihood')} ({figures['num_samples']})"
    if "active_units" in figures:
        used = f"{figures['active_units']} of {card['training']['latent_dim']}"
    elif "codes_in_use" in figures:
        used = f"{figures['codes_in_use']} of {card['training']['num_codes']} codes"
    pixels = "binarised" if card["evaluation"]["binarize"] else "grey"
    if not card["data"]["test_images_held_out"]:
        pixels += ", seen in training"
    cells = [
        f"[`{card['name']}`](#{card['name']})",
        f"{card['evaluation']['dataset']}, {pixels}",
        cell("elbo"),
        cell("distortion"),
        cell("rate"),
        likelihood,
        used,
        f"{100 * figures['probe_accuracy']:.1f}%" if "probe_accuracy" in figures else "",
        f"{size / 1e6:.1f} MB",
    ]
    return f"| {' | '.join(cells)} |\n"


def section(card: dict) -> str:
    """One model's paragraph, picture and command."""
    training = card["training"]
    length = f"{training['steps']:,} steps"
    if training["epochs"]:
        length += f" ({training['epochs']} epochs)"
    shown = "Samples and latents" if "latent_dim" in training else "Samples"
    if "beta" in training:
        loss = f"beta {training['beta']:g} (reduction `{training['reduction']}`)"
    else:
        loss = f"commitment {training['commitment']:g}"
    prior = training.get("prior")
    if prior:
        loss += f"; its prior, {prior['steps']:,} steps ({prior['epochs']} epochs) on the codes"
    return (
        f"\n## {card['name']}\n\n{card['description']}\n\n"
        f"![{shown} of {card['name']}](images/{card['name']}.png)\n\n"
        f"`{training['command']}`: {length} of batch {training['batch_size']}, "
        f"{training['optimizer']} at {training['learning_rate']}, {loss}, seed {training['seed']}; "
        f"{training['minutes']:g} minutes on {training['machine']}, {training['date']}.\n"
        + "".join(map(disentanglement, card.get("disentanglement", ())))
    )


def disentanglement(measured: dict) -> str:
    """A paragraph of how well the latents are the factors of a data set."""
    scores = ", ".join(
        f"`{name}` {parts['score']:.2f}" for name, parts in measured["scores"].items()
    )
    points = " + ".join(
        f"{measured[key]:,}" for key in ("num_train", "num_test") if key in measured
    )
    return f"\nLatents on {measured['dataset']}, {points} points: {scores}.\n"


def picture(vae, card: dict):
    """Samples of the prior, and one row for each of the latents that are used most.

    Of a model without such latents there are samples alone. A row goes from 2.5 standard deviations
    of the prior below its mean to as many above. Without a KL for each latent the rows are in the
    order of the latents.
    """
    if getattr(vae, "has_discrete_codes", False):
        samples = vae.sample(6 * COLUMNS, seed=0).numpy()
        return drawing.image_grid(samples.reshape(6, COLUMNS, *vae.event_shape), scale=1)
    samples = vae.sample(2 * COLUMNS, seed=0).numpy()
    rows = [*samples.reshape(2, COLUMNS, *vae.event_shape)]
    labels = ["samples", ""]
    kl = card["figures"].get("kl_per_dimension")
    order = range(vae.latent_dim) if kl is None else np.argsort(kl)[::-1]
    prior = vae.prior_distribution()
    centre, deviation = prior.mean().numpy(), prior.stddev().numpy()
    for latent in order[:10]:
        walk = centre[latent] + deviation[latent] * np.linspace(-2.5, 2.5, COLUMNS)
        (codes,) = latent_walks.rows([latent], walk, centre)
        rows.append(vae.decode(codes).mean().numpy())
        labels.append(f"z{latent}" + ("" if kl is None else f"  KL {kl[latent]:.2f}"))
    return drawing.image_grid(np.stack(rows), labels, scale=1)


def main():
    """Writes the index and the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=presets.folder(),
        help="of models and cards (the package's saved_models)",
    )
    folder = parser.parse_args().folder
    table, sections = "", ""
    for path in sorted(folder.glob("*.json")):
        card, model = json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".keras")
        if "figures" not in card:
            print(f"{card['name']} is left out: it has not been measured yet")
            continue
        table += row(card, model.stat().st_size)
        sections += section(card)
        drawn = picture(keras.saving.load_model(model), card)
        write_whole(folder / "images" / f"{path.stem}.png", drawing.png(drawn))
    write_whole(folder / "README.md", HEADER + table + sections)
    print(f"{folder / 'README.md'}: {table.count(chr(10))} models")


if __name__ == "__main__":
    main()
