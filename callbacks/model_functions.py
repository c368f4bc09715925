"""Finds encode, decode and reconstruct in a model that this project has never seen.

Nothing is imported from the model's side. A function given by the user comes first, then methods
`reconstruct`, `encode`, `decode`, then networks `encoder`, `decoder`, then the model itself.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Posterior(NamedTuple):
    """Means `[n, latent]` and standard deviations of the same shape, `None` if not known."""

    loc: np.ndarray
    scale: np.ndarray | None


class ModelFunctions:
    """What a picture needs of a model, as functions from arrays to arrays.

    Args:
        model: A Keras model.
        reconstruct: Function `[n, *event] -> [n, *event]`, or `None` to look for one.
        encode: Function from images to what an encoder may return (see `encode`), or `None`.
        decode: Function `[n, latent] -> [n, *event]`, or `None`.
    """

    def __init__(
        self,
        model,
        reconstruct: Callable | None = None,
        encode: Callable | None = None,
        decode: Callable | None = None,
    ):
        self._model = model
        self._reconstruct = reconstruct or _method(model, "reconstruct")
        self._encode = encode or _method(model, "encode") or _network(model, "encoder")
        self._decode = decode or _method(model, "decode") or _network(model, "decoder")

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Reconstructs images `[n, *event]` from the means of their codes.

        Raises:
            ValueError: If no function reconstructs, or what it returns has another shape.
        """
        with undisturbed(self._model):
            if self._reconstruct is not None:
                result = _image(self._reconstruct(images))
            elif self._encode is not None and self._decode is not None:
                result = _image(self._decode(_posterior(self._encode(images)).loc))
            else:
                result = _image(self._model(images, training=False))
        if result.shape != images.shape:
            raise ValueError(
                f"The model's reconstructions do not have the shape of the images. Expected: "
                f"{images.shape}. Received: {result.shape}. Pass `reconstruct=`, a function from "
                "images to their reconstructions."
            )
        return result

    def encode(self, images: np.ndarray) -> Posterior:
        """The posterior of images `[n, *event]`.

        An encoder may return a distribution with `mean()` and `stddev()`; a dict of `loc` and
        `scale`; a list or tuple that begins with mean and log-variance; or the code alone.

        Raises:
            ValueError: If no function encodes.
        """
        if self._encode is None:
            raise ValueError(_missing(self._model, "encode", "images to their latent means"))
        with undisturbed(self._model):
            return _posterior(self._encode(images))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The images `[n, *event]` of codes `[n, latent]`.

        Raises:
            ValueError: If no function decodes.
        """
        self.require_decode()
        with undisturbed(self._model):
            return _image(self._decode(np.asarray(codes, np.float32)))

    def require_decode(self):
        """Raises a `ValueError` if no function decodes."""
        if self._decode is None:
            raise ValueError(_missing(self._model, "decode", "codes [n, latent] to images"))

    def latent_dim(self) -> int | None:
        """The number of latents as the model tells it; `None` if it does not."""
        known = getattr(self._model, "latent_dim", None)
        if isinstance(known, int):
            return known
        shape = getattr(getattr(self._model, "decoder", None), "input_shape", None)
        return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None


@contextlib.contextmanager
def undisturbed(model):
    """Puts the model's random number generators back to where they were.

    A network with a sampling layer inside draws a sample whenever it is called, which would change
    the noise of the training steps that follow.
    """
    states = _random_states(model)
    values = [state.numpy() for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, values, strict=True):
            state.assign(value)


def _random_states(model):
    """Variables that are no weights: the states of Keras's seed generators."""
    weights = {id(weight) for weight in getattr(model, "weights", ())}
    metrics = {id(variable) for variable in getattr(model, "metrics_variables", ())}
    return [
        variable
        for variable in getattr(model, "non_trainable_variables", ())
        if id(variable) not in weights and id(variable) not in metrics
    ]


def _method(model, name):
    method = getattr(model, name, None)
    return method if callable(method) else None


def _network(model, name):
    network = getattr(model, name, None)
    return (lambda inputs: network(inputs, training=False)) if callable(network) else None


def _posterior(encoded):
    if hasattr(encoded, "mean") and hasattr(encoded, "stddev"):
        return Posterior(np.asarray(encoded.mean()), np.asarray(encoded.stddev()))
    if isinstance(encoded, Mapping):
        return Posterior(np.asarray(encoded["loc"]), np.asarray(encoded["scale"]))
    if isinstance(encoded, list | tuple):
        if len(encoded) == 1:
            return Posterior(np.asarray(encoded[0]), None)
        return Posterior(np.asarray(encoded[0]), np.exp(0.5 * np.asarray(encoded[1])))
    return Posterior(np.asarray(encoded), None)


def _image(decoded):
    is_distribution = hasattr(decoded, "mean") and hasattr(decoded, "log_prob")
    return np.asarray(decoded.mean() if is_distribution else decoded, np.float32)


def _missing(model, name, signature):
    return (
        f"Found no way to {name} with {type(model).__name__} {getattr(model, 'name', '')!r}: it "
        f"has no method `{name}` and no network `{name}r`. Pass `{name}=`, a function from "
        f"{signature}."
    )
