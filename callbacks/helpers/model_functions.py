"""Finds encode, decode and reconstruct in a model that this project has never seen.

Nothing is imported from the model's side. A function given by the user comes first, then methods
`reconstruct`, `encode`, `decode`, then networks `encoder`, `decoder`, then the model itself.
"""

import contextlib
import random
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np

from keras_vae import latent_measures
from keras_vae.keras_internals import global_seed_generator, other_eager_noise

_BATCH_SIZE = 512

# Of random numbers for pictures. No seed that one thinks of: an eager operation that has drawn with
# a seed of training would not draw the same there again.
_SEED = 1885954932


class Posterior(NamedTuple):
    """Means `[n, latent]` and standard deviations of the same shape, `None` if not known."""

    loc: np.ndarray
    scale: np.ndarray | None

    def kl(self) -> np.ndarray | None:
        """Mean over the images of KL(N(loc, scale) || N(0, 1)), in nats, `[latent]`.

        `None` if the standard deviations are not known.
        """
        if self.scale is None:
            return None
        return latent_measures.gaussian_kl(self.loc, self.scale)


class ModelFunctions:
    """What a picture needs of a model, as functions from arrays to arrays.

    All are deterministic where the model is outside training, and leave it as it was: see
    `undisturbed`.

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
        self._given = {"reconstruct": reconstruct, "encode": encode, "decode": decode}
        self._reconstruct = _first_callable(model, reconstruct, "reconstruct")
        self._encode = _first_callable(model, encode, "encode", "encoder")
        self._decode = _first_callable(model, decode, "decode", "decoder")
        self._warned = False

    @property
    def built(self) -> bool:
        """Whether all layers have their weights, so that calling them creates none."""
        return all(layer.built for layer in getattr(self._model, "layers", ()))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Reconstructs images `[n, *event]` from the means of their codes.

        Raises:
            ValueError: If the images do not fit the model, or what it returns has another shape.
        """
        if self._reconstruct is not None:
            result = self._run("reconstruct", self._reconstruct, images, _array)
        elif self._encode is not None and self._decode is not None:
            result = self.decode(self.encode(images).loc)
        else:
            result = self._run("reconstruct", _outside_training(self._model), images, _array)
        if _without_grey_channel(result.shape) != _without_grey_channel(images.shape):
            raise ValueError(
                "The model's reconstructions do not have the shape of the images. Expected: "
                f"{images.shape}. Received: {result.shape}. Pass `reconstruct=`, a function from "
                "images to their reconstructions."
            )
        self._check_range(result, "reconstruct")
        return result.reshape(images.shape)

    def encode(self, images: np.ndarray) -> Posterior:
        """The posterior of images `[n, *event]`.

        An encoder may return a distribution with `mean()` and `stddev()`; a dict of `loc` and
        `scale`; a list or tuple that begins with mean and log-variance; or the code alone.

        Raises:
            ValueError: If no function encodes, or it returns something else.
        """
        if self._encode is None:
            raise ValueError(_missing(self._model, "encode", "images to their latent means"))
        return self._run("encode", self._encode, images, _posterior)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The images `[n, height, width, channels]`, or `[n, height, width]`, of codes.

        Args:
            codes: `[n, latent]`.

        Raises:
            ValueError: If no function decodes, or it returns no images.
        """
        self.require_decode()
        images = self._run("decode", self._decode, np.asarray(codes, np.float32), _array)
        if images.ndim != 3 and (images.ndim != 4 or images.shape[-1] not in (1, 3)):
            raise ValueError(
                "A picture needs images from `decode`. Expected: [n, height, width, channels] with "
                f"1 or 3 channels. Received: shape {images.shape}. Pass `decode=`, a function from "
                "codes [n, latent] to images."
            )
        self._check_range(images, "decode")
        return images

    def require_decode(self):
        """Raises a `ValueError` if no function decodes."""
        if self._decode is None:
            raise ValueError(_missing(self._model, "decode", "codes [n, latent] to images"))

    def latent_dim(self, images: np.ndarray | None = None) -> int | None:
        """The number of latents: as the model tells it, or as images are encoded.

        Args:
            images: Images that may be encoded to find out. Defaults to `None`.

        Returns:
            An int, or `None` if there is no telling.
        """
        known = getattr(self._model, "latent_dim", None)
        if isinstance(known, int | np.integer):
            return int(known)
        for decoder in (self._given["decode"], getattr(self._model, "decoder", None)):
            shape = getattr(decoder, "input_shape", None)
            if isinstance(shape, tuple) and len(shape) == 2 and shape[-1] is not None:
                return shape[-1]
        if images is not None and self._encode is not None:
            return self.encode(images[:1]).loc.shape[-1]
        return None

    def _run(self, name, function, inputs, convert):
        """What the function makes of the inputs, batch by batch, without a trace in the model."""
        starts = range(0, len(inputs), _BATCH_SIZE)
        with undisturbed(self._model, *self._given.values()):
            try:
                results = [convert(function(inputs[at : at + _BATCH_SIZE])) for at in starts]
            except UnexpectedOutputError as error:
                raise ValueError(f"Cannot use what `{name}` returns. {error}") from error
            except Exception as error:
                kind = "Codes" if name == "decode" else "Images"
                raise ValueError(
                    f"{kind} of shape {inputs.shape[1:]} do not fit the model. Pass {kind.lower()} "
                    f"of the shape that it is trained on, or `{name}=`, a function that takes "
                    f"these. The model says: {type(error).__name__}: {error}"
                ) from error
        if isinstance(results[0], Posterior):
            loc, scale = zip(*results, strict=True)
            return Posterior(
                np.concatenate(loc), None if scale[0] is None else np.concatenate(scale)
            )
        return np.concatenate(results)

    def _check_range(self, images, name):
        """Warns once of what looks like logits, which would make a wrong picture silently."""
        if not self._warned and np.mean((images < -1) | (images > 2)) > 0.05:
            self._warned = True
            warnings.warn(
                f"`{name}` returns values from {np.min(images):.3g} to {np.max(images):.3g}, but "
                "pictures show 0 as black and 1 as white. If they are logits, or scaled "
                f"otherwise, pass `{name}=`, a function that returns pixels in [0, 1].",
                stacklevel=3,
            )


class UnexpectedOutputError(ValueError):
    """A function of the model returned something that is neither images nor codes."""


@contextlib.contextmanager
def undisturbed(*models):
    """Puts everything but the trainable weights back to where it was.

    A network with a sampling layer draws a number whenever it is called, which would change the
    noise of the training steps that follow; a layer may update a metric or a moving average of its
    own. Only what has changed is assigned. Python, NumPy and TensorFlow's eager operations draw
    other random numbers meanwhile, and then go on as if they had drawn none: a model may sample
    with `keras.backend.random_normal`, which takes its seeds from there, or be run eagerly. What
    cannot be put back is an eager operation that has a fixed seed, such as
    `tf.random.normal(shape, seed=1)`.

    Args:
        models: Keras models; anything else is passed over.
    """
    variables = {}
    for model in models:
        # A method such as `decoder.predict` stands for its model.
        model = getattr(model, "__self__", model)
        for names in ("non_trainable_variables", "metrics_variables"):
            variables |= {id(variable): variable for variable in getattr(model, names, ())}
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(_SEED)
    np.random.seed(_SEED)
    with other_eager_noise(_SEED), global_seed_generator() as generator:
        if generator is not None:
            variables[id(generator.state)] = generator.state
        before = [(variable, variable.numpy()) for variable in variables.values()]
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            for variable, value in before:
                if not np.array_equal(variable.numpy(), value, equal_nan=True):
                    variable.assign(value)


def _first_callable(model, given, *names):
    for candidate in (given, *(getattr(model, name, None) for name in names)):
        if callable(candidate):
            return _outside_training(candidate)
    return None


def _outside_training(function):
    """The function, or the layer outside training."""
    if isinstance(function, keras.layers.Layer):
        return lambda inputs: function(inputs, training=False)
    return function


def _posterior(encoded):
    scale = None
    if hasattr(encoded, "mean") and hasattr(encoded, "stddev"):
        loc, scale = encoded.mean(), _array(encoded.stddev())
    elif isinstance(encoded, Mapping):
        if "loc" not in encoded:
            raise UnexpectedOutputError(
                "Expected a dict with the keys 'loc' and 'scale'. "
                f"Received: keys {sorted(encoded)}. Pass `encode=`, a function from images to "
                "(mean, log-variance) or to the code alone."
            )
        loc, scale = encoded["loc"], encoded.get("scale")
        scale = None if scale is None else _array(scale)
    elif isinstance(encoded, list | tuple):
        loc = encoded[0]
        if len(encoded) > 1:
            scale = np.exp(0.5 * _array(encoded[1]))
    else:
        loc = encoded
    loc = _array(loc)
    if loc.ndim != 2 or (scale is not None and scale.shape != loc.shape):
        raise UnexpectedOutputError(
            "Expected latent means [n, latent], and log-variances or standard deviations of the "
            f"same shape. Received: means {loc.shape}, the other {np.shape(scale)}. Pass "
            "`encode=`, a function from images to (mean, log-variance) or to the code alone."
        )
    return Posterior(loc, scale)


def _array(result):
    if hasattr(result, "mean") and hasattr(result, "log_prob"):
        result = result.mean()
    if isinstance(result, Mapping | list | tuple):
        raise UnexpectedOutputError(
            f"Expected one array. Received: {type(result).__name__} of {len(result)}. Pass a "
            "function that returns the array alone."
        )
    return np.asarray(keras.ops.convert_to_numpy(result), np.float32)


def _without_grey_channel(shape):
    return shape[:-1] if len(shape) == 4 and shape[-1] == 1 else shape


def _missing(model, name, signature):
    return (
        f"Found no way to {name} with {type(model).__name__} {getattr(model, 'name', '')!r}: it "
        f"has no method `{name}` and no network `{name}r`. Pass `{name}=`, a function from "
        f"{signature}."
    )
