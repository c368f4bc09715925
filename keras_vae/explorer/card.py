"""What a page says of its model: sections of lines, from the model or from a preset's card."""

from collections.abc import Mapping
from numbers import Real

# What of a card is for programs.
_LEFT_OUT = {
    "format",
    "kl_per_dimension",
    "last_epoch",
    "pinned",
    "sha256",
    "test_images_sha256",
}
# What the page tells by itself.
_TOLD = {"class", "description", "name", "num_parameters"}
_ACRONYMS = {"elbo": "ELBO", "mse": "MSE", "nll": "NLL"}
# What is asked first.
_FIRST = ("About", "Data", "Figures", "Training", "Evaluation", "Model")
_LONG = 300


def sections(vae, card: Mapping) -> list[dict]:
    """The lines of a model's card.

    Args:
        vae: A built `keras_vae.VAE`, or a model of `keras_vae.quantized`.
        card: What else is known: strings, numbers and mappings of them, such as a preset's card.

    Returns:
        `[{"title": ..., "rows": [[label, text], ...]}, ...]`.
    """
    own = _of_codes(vae) if getattr(vae, "has_discrete_codes", False) else _of_vae(vae)
    own = {"kind": type(vae).__name__, **own, "parameters": vae.count_params()}
    about: dict = {}
    parts: dict[str, Mapping] = {"About": about, "Model": own}
    for key, value in card.items():
        if isinstance(value, Mapping) and key not in _LEFT_OUT:
            parts[_label(key)] = value
        elif key not in _TOLD:
            about[key] = value
    titles = sorted(
        parts, key=lambda title: _FIRST.index(title) if title in _FIRST else len(_FIRST)
    )
    found = [{"title": title, "rows": _rows(parts[title])} for title in titles]
    return [section for section in found if section["rows"]]


def _of_vae(vae):
    return {
        "latents": vae.latent_dim,
        "image": " x ".join(map(str, vae.event_shape)),
        "likelihood": type(vae.likelihood).__name__,
        "prior": type(vae.prior).__name__,
        "posterior": type(vae.posterior).__name__,
        "beta": float(vae.beta),
        "reduction": vae.reduction,
    }


def _of_codes(model):
    """Of a VQ-VAE, or of a prior over its codes, which has no images."""
    told = {"grid": " x ".join(map(str, model.grid_shape)), "codes": model.num_codes}
    if hasattr(model, "likelihood"):
        prior = model.code_prior
        told |= {
            "image": " x ".join(map(str, model.event_shape)),
            "likelihood": type(model.likelihood).__name__,
            "prior": "uniform" if prior is None else type(prior).__name__,
            "commitment": float(model.commitment),
        }
    return told


def _rows(part):
    rows = []
    for key, value in part.items():
        if key in _LEFT_OUT or key.endswith("_standard_error") or value is None:
            continue
        text = _text(value, part.get(f"{key}_standard_error"))
        if text is not None:
            rows.append([_label(key), text])
    return rows


def _text(value, error):
    """A value as a line, or nothing where it is too long for one."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real):
        digits = 4 if abs(value) < 1 else 2
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}".rstrip("0")
        # A minus sign as wide as a plus, as the page shows numbers.
        text = text.rstrip(".").replace("-", "\u2212")
        return f"{text} ± {error:.2g}" if isinstance(error, Real) else text
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner, None)}" for key, inner in value.items())[:_LONG]
    if isinstance(value, str):
        return value[:_LONG]
    return None


def _label(key):
    words = str(key).replace("_", " ")
    return _ACRONYMS.get(words, words[:1].upper() + words[1:])
