"""A preset's card in the form of the hubs: Markdown for people, below a YAML head for programs.

The head is that of https://huggingface.co/docs/hub/model-cards, which Kaggle shows, too. Nothing
stands there but what the preset's own card and its model say.
"""

from collections.abc import Collection, Mapping
from numbers import Real

import keras

from keras_vae.event_kinds import event_kind
from keras_vae.hubs.clients import require

_EXTRAS = {"hf": "huggingface", "kaggle": "kaggle"}


def text(model: keras.Model, card: Mapping, address: str, files: Collection[str] = ()) -> str:
    """The model card of a preset.

    Args:
        model: Its model, a built `keras_vae.VAE` or one of `keras_vae.quantized`.
        card: Its card, as `presets.card` gives it.
        address: Where it is loaded from.
        files: The names of the files that stand beside it.

    Returns:
        The content of a `README.md`.

    Raises:
        ImportError: If PyYAML is not installed.
    """
    hub = address.partition("://")[0]
    yaml = require("yaml", _EXTRAS[hub])
    head = yaml.safe_dump(_head(model, card), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n\n".join(_body(model, card, address, hub, files)) + "\n"


def _head(model, card):
    """What programs read; an entry of which nothing is known is left out."""
    results = _results(_task(model), card)
    measured = [_metrics(_mapping(card.get("figures"))), *(part["metrics"] for part in results)]
    entries = {
        "library_name": "keras_vae",
        "license": card.get("license"),
        "pipeline_tag": _task(model) if _shows_images(model) else None,
        "tags": ["keras", "variational-autoencoder", type(model).__name__],
        "datasets": [name] if (name := _entry(card, "data", "name")) else None,
        "metrics": sorted({metric["type"] for metrics in measured for metric in metrics}),
        "model-index": [{"name": card["name"], "results": results}] if results else None,
    }
    return {key: value for key, value in entries.items() if value}


def _results(task, card):
    """One entry for each data set that the model was measured on."""
    measured = []
    if dataset := _entry(card, "evaluation", "dataset"):
        measured.append((dataset, _entry(card, "evaluation", "split"), card.get("figures")))
    latents = card.get("disentanglement")
    for part in latents if isinstance(latents, list) else ():
        if dataset := _entry(part, "dataset"):
            scores = _mapping(part.get("scores"))
            values = {name: _mapping(parts).get("score") for name, parts in scores.items()}
            measured.append((dataset, None, values))
    results = []
    for dataset, split, figures in measured:
        if metrics := _metrics(_mapping(figures)):
            about = {"type": dataset, "name": dataset, **({"split": split} if split else {})}
            results.append({"task": {"type": task}, "dataset": about, "metrics": metrics})
    return results


def _metrics(figures):
    """Single numbers that are measured, which counts and standard errors are not."""
    return [
        {"type": name, "value": value}
        for name, value in figures.items()
        if isinstance(value, Real)
        and not isinstance(value, bool)
        and not name.startswith("num_")
        and not name.endswith("_standard_error")
    ]


def _task(model):
    return "unconditional-image-generation" if _shows_images(model) else "other"


def _shows_images(model):
    try:
        return event_kind(model.event_shape) == "images"
    except ValueError:
        return False


def _entry(card, *keys):
    """A string deep in a card, of which users write parts as they like, or nothing."""
    for key in keys:
        card = _mapping(card).get(key)
    return card if isinstance(card, str) else None


def _mapping(value):
    return value if isinstance(value, Mapping) else {}


def _body(model, card, address, hub, files):
    """What people read, paragraph by paragraph."""
    # Imported here: the explorer's page is not what a model is loaded for.
    from keras_vae.explorer.card import sections

    name, registered = card["name"], str(card.get("class"))
    variable, cls, use = "vae", "keras_vae.VAE", "sample(16)"
    if getattr(model, "has_discrete_codes", False):
        variable, cls = "model", f"keras_vae.quantized.{type(model).__name__}"
        if getattr(model, "code_prior", model) is None:
            use = "reconstruct(images)"
    yield f"# {name}"
    yield card["description"]
    if f"{name}.png" in files:
        yield f"![What {name} shows]({name}.png)"
    yield (
        f"```\npip install 'keras-vae[{_EXTRAS[hub]}]'\n```\n\n"
        f'```python\nimport keras_vae\n\n{variable} = {cls}.from_preset("{address}")\n'
        f"{variable}.{use}\n```"
    )
    if not registered.startswith("keras_vae>"):
        yield f"Its class, `{registered}`, is not of `keras_vae`: import what defines it first."
    if f"{name}.html" in files:
        yield (
            f"[{name}.html]({name}.html) is the model to play with: download it and open it in a "
            "browser, without a network. Drag a latent, and the picture follows."
        )
    if "figures" in card:
        yield "ELBO, distortion, rate and log-likelihood are in nats an example."
    for section in sections(model, card):
        lines = "\n".join(
            f"| {_cell(label)} | {_cell(value)} |" for label, value in section["rows"]
        )
        yield f"## {section['title']}\n\n| | |\n|---|---|\n{lines}"
    for scores in _results("", {"disentanglement": card.get("disentanglement")}):
        lines = "\n".join(
            f"| `{metric['type']}` | {metric['value']:.3f} |" for metric in scores["metrics"]
        )
        yield f"## Latents on {scores['dataset']['name']}\n\n| | |\n|---|---|\n{lines}"
    yield (
        f"Before anything of `{name}.keras` is read, `keras_vae` compares its SHA-256 with that in "
        f"`{name}.json`. Neither file runs code."
    )


def _cell(value):
    return " ".join(str(value).split()).replace("|", r"\|")
