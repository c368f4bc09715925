"""What a page says of its model: sections of lines, from the model or from a preset's card."""

from collections.abc import Mapping
from numbers import Real

# What of a card is for programs.
_LEFT_OUT = {"format", "sha256", "pinned", "last_epoch", "kl_per_dimension", "num_images"}
_LONG = 300


def sections(vae, card: Mapping) -> list[dict]:
    """The lines of a model's card.

    Args:
        vae: A built `keras_vae.VAE`.
        card: What else is known: strings, numbers and mappings of them, such as a preset's card.

    Returns:
        `[{"title": ..., "rows": [[label, text], ...]}, ...]`.
    """
    own = {
        "class": type(vae).__name__,
        "latents": vae.latent_dim,
        "image": " x ".join(map(str, vae.event_shape)),
        "likelihood": type(vae.likelihood).__name__,
        "prior": type(vae.prior).__name__,
        "posterior": type(vae.posterior).__name__,
        "beta": float(vae.beta),
        "reduction": vae.reduction,
        "parameters": vae.count_params(),
    }
    parts = {"Model": own}
    about = {}
    for key, value in card.items():
        if key in _LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            parts[_label(key)] = value
        else:
            about[key] = value
    for shown in ("description", "class", "num_parameters"):
        about.pop(shown, None)
    if about:
        parts = {"About": about, **parts}
    found = [{"title": title, "rows": _rows(part)} for title, part in parts.items()]
    return [section for section in found if section["rows"]]


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
        text = text.rstrip(".")
        return f"{text} ± {error:.2g}" if isinstance(error, Real) else text
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner, None)}" for key, inner in value.items())[:_LONG]
    if isinstance(value, str):
        return value[:_LONG]
    return None


def _label(key):
    return str(key).replace("_", " ").capitalize()
