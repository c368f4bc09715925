"""Checks of what pictures are made of: examples, codes of which are drawn, and latents."""

import numpy as np

from keras_vae.arguments import count, invalid
from keras_vae.event_kinds import event_kind
from keras_vae.model_functions import ModelFunctions


def checked_events(events, argument: str = "images") -> np.ndarray:
    """What is drawn, as a float32 array `[n, *event]`: images in [0, 1], series, or rows.

    Args:
        events: What the user gave.
        argument: As what.

    Raises:
        ValueError: If it is not floating point, of no kind that can be drawn, or images beyond
            [0, 1].
    """
    events = np.asarray(events)
    if events.ndim < 2 or events.size == 0 or events.dtype.kind != "f":
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected floating point images [n, height, "
            "width, channels] with 1 or 3 channels, or [n, height, width]; series [n, time, "
            f"features]; or rows [n, columns]. Received: {events.dtype} {events.shape}"
        )
    try:
        kind = event_kind(events.shape[1:])
    except ValueError as error:
        raise ValueError(f"Invalid value for argument `{argument}`. {error}") from None
    # NaN is what was not observed, and compares as neither.
    if kind == "images" and ((events < 0) | (events > 1)).any():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected values in [0, 1]. "
            f"Received: values from {np.nanmin(events)} to {np.nanmax(events)}"
        )
    if not np.isfinite(events[~np.isnan(events)]).all() or np.isnan(events).all():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected numbers, or NaN where nothing was "
            "observed. Received: infinite ones, or NaN alone"
        )
    return events.astype(np.float32)


def checked_inputs(images, argument: str = "images") -> np.ndarray:
    """What is only encoded, and not drawn itself, as a float32 array `[n, *event]`.

    Args:
        images: What the user gave.
        argument: As what.

    Raises:
        ValueError: If it is not floating point, of that rank, and finite.
    """
    images = np.asarray(images)
    if images.ndim < 2 or images.size == 0 or images.dtype.kind != "f":
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected floating point [n, *event], as the "
            f"encoder takes it. Received: {images.dtype} {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected finite numbers. Received: NaN or "
            "infinite ones"
        )
    return images.astype(np.float32)


def checked_latent_dim(functions: ModelFunctions, given: int | None, images=None) -> int:
    """The number of latents, as given or as the model tells.

    Args:
        functions: The model's functions.
        given: The argument `latent_dim`, or `None`.
        images: Images to encode where the model does not tell. Defaults to `None`.

    Raises:
        ValueError: If there is no telling.
    """
    latent_dim = functions.latent_dim(images) if given is None else given
    if latent_dim is None:
        raise ValueError("The model does not tell how many latents it has. Pass `latent_dim=`.")
    return latent_dim


def checked_latents(latents) -> tuple[int, int]:
    """A pair of latents.

    Raises:
        ValueError: If they are not two different ints from 0.
    """
    try:
        first, second = (count("latents", latent, least=0) for latent in latents)
    except (TypeError, ValueError):
        first = second = 0
    if first == second:
        raise invalid("latents", "two different latents, counted from 0", latents)
    return first, second


def check_exist(latents, latent_dim: int):
    """Raises a `ValueError` if the model does not have these latents."""
    if max(latents) >= latent_dim:
        raise ValueError(
            f"There is no latent {max(latents)} in a model with {latent_dim} latents, counted "
            f"from 0. Received: latents={tuple(latents)}"
        )
