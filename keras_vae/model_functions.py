"""Finds encode, decode and reconstruct in a model that this project has never seen.

Nothing is imported from the model's side. A function given by the user comes first, then methods
`reconstruct`, `encode`, `decode`, then networks `encoder`, `decoder`, then the model itself. One
that says that it `has_discrete_codes` reconstructs, and its `decode_codes` decodes what its
`draw_codes` draws; nothing is encoded, and nothing between codes decoded.
"""

import contextlib
import random
import warnings
from collections.abc import Callable

import keras
import numpy as np

from keras_vae.distributions.gaussians import is_factorized
from keras_vae.encoder_outputs import (
    EncoderOutputs,
    Posterior,
    UnexpectedOutputError,
    array,
)
from keras_vae.event_kinds import event_kind
from keras_vae.keras_internals import global_seed_generator, other_eager_noise

_BATCH_SIZE = 512
# A linear decoder may overshoot a little: what share of the values may lie how far beyond [0, 1].
_MARGIN, _FEW = 0.1, 0.05
# Of random numbers for pictures. No seed that one thinks of: an eager operation that has drawn with
# a seed of training would not draw the same there again.
_SEED = 1885954932


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
        # Between discrete codes there is nothing that a network would make sense of.
        own = None if getattr(model, "has_discrete_codes", False) else model
        self._encode = _first_callable(own, encode, "encode", "encoder")
        names = _output_names(own, encode)
        self._encoder_outputs = self._encode and EncoderOutputs(self._encode, names)
        self._decode = _first_callable(own, decode, "decode", "decoder")
        self._decode_integers = _first_callable(model, decode, "decode_codes")
        self._warned = False

    @property
    def built(self) -> bool:
        """Whether all layers have their weights, so that calling them creates none."""
        return all(layer.built for layer in getattr(self._model, "layers", ()))

    @property
    def encodes(self) -> bool:
        """Whether there is a function that encodes."""
        return self._encode is not None

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Reconstructs images `[n, *event]` from the means of their codes.

        Raises:
            ValueError: If the images do not fit the model, or what it returns has another shape.
        """
        if self._reconstruct is not None:
            result = self._run("reconstruct", self._reconstruct, images, array)
        elif self._encode is not None and self._decode is not None:
            result = self._decoded_means(images)
        else:
            result = self._run("reconstruct", _outside_training(self._model), images, array)
        if _without_grey_channel(result.shape) != _without_grey_channel(images.shape):
            raise ValueError(
                "The model's reconstructions do not have the shape of the images. Expected: "
                f"{images.shape}. Received: {result.shape}. Pass `reconstruct=`, a function from "
                "images to their reconstructions."
            )
        if event_kind(images.shape[1:]) == "images":
            self._check_range(result, "reconstruct")
        return result.reshape(images.shape)

    def encode(self, images: np.ndarray) -> Posterior:
        """The posterior of images `[n, *event]`.

        An encoder may return

        - a distribution with `mean()` and `stddev()`;
        - a dict of `loc` and `scale`, `mean` and `log_variance`, or other names of these;
        - the code alone, the same in every call: a code that is sampled is refused;
        - two arrays or three, in the order mean, log-variance, sample, or sample, mean,
          log-variance, which the first images tell apart: a sample differs from call to call, and
          what is negative somewhere is no standard deviation. Outputs of a functional model may
          have names, such as `z_mean` and `z_std`, which come first. What cannot be told is
          refused.

        Raises:
            ValueError: If no function encodes, or it returns something else.
        """
        if self._encode is None:
            raise ValueError(_missing(self._model, "encode", "images to their latent means"))
        return self._run("encode", self._encoder_outputs.read, images, lambda posterior: posterior)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The events of codes: images, series or rows, as `keras_vae.event_kinds` tells them.

        Args:
            codes: `[n, latent]`, or integers that a model of discrete codes has drawn.

        Returns:
            `[n, *event]`.

        Raises:
            ValueError: If no function decodes, or it returns nothing that can be drawn.
        """
        codes = np.asarray(codes)
        if self._draws_integers and codes.dtype.kind == "i":
            if self._decode_integers is None:
                raise ValueError(
                    f"A {type(self._model).__name__} draws codes, and does not decode them. Pass "
                    "`decode=`, a function from them to images, such as `vqvae.decode_codes`."
                )
            events = self._run("decode", self._decode_integers, codes, array)
        else:
            self.require_decode()
            events = self._run("decode", self._decode, codes.astype(np.float32), array)
        try:
            kind = event_kind(events.shape[1:])
        except ValueError as error:
            raise ValueError(
                f"Cannot draw what `decode` returns. {error} Pass `decode=`, a function from codes "
                "[n, latent] to such."
            ) from None
        if kind == "images":
            self._check_range(events, "decode")
        return events

    def require_decode(self):
        """Raises a `ValueError` if no function decodes."""
        if self._decode is None:
            raise ValueError(_missing(self._model, "decode", "codes [n, latent] to images"))

    def prior_codes(self, n: int, seed: int) -> np.ndarray | None:
        """Codes that the model's own prior draws, as it is now, with the same noise every time.

        A model tells its prior by a method `prior_distribution()`, which gives a distribution of
        TensorFlow Probability of event shape `[latent]`, or if its codes are integers by
        `draw_codes(n, seed)`. Where latents are independent Gaussians, their noise is that of
        `numpy.random.default_rng(seed)`, as where nothing is known of a prior.

        Args:
            n: Int. How many.
            seed: Int. Of their noise.

        Returns:
            float32 `[n, latent]`, or integers `[n, *grid]`, or `None` if the model tells no prior.

        Raises:
            ValueError: If it has none to draw from, or one that gives no such codes.
        """
        if self._draws_integers:
            return np.asarray(self._model.draw_codes(n, seed))
        prior = getattr(self._model, "prior_distribution", None)
        if not (callable(prior) and getattr(self._model, "built", True)):
            return None
        try:
            prior = prior()
            if is_factorized(prior):
                loc, scale = prior.mean().numpy(), prior.stddev().numpy()
                return loc + scale * standard_normal(n, loc.shape[-1], seed)
            # As `VAE.sample` draws.
            return prior.sample(n, seed=np.array([seed, 0], np.int32)).numpy()
        except Exception as error:
            raise ValueError(
                "Cannot draw codes of the model's `prior_distribution()`. Expected: a distribution "
                "of TensorFlow Probability over codes [latent]. Received: "
                f"{type(error).__name__}: {error}. Pass `latent_dim=` for draws of N(0, I)."
            ) from error

    @property
    def _draws_integers(self):
        is_discrete = getattr(self._model, "has_discrete_codes", False)
        return is_discrete and callable(getattr(self._model, "draw_codes", None))

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

    def _decoded_means(self, images):
        try:
            return self.decode(self.encode(images).loc)
        except ValueError as error:
            raise ValueError(
                "Cannot reconstruct by encoder and decoder. Pass `reconstruct=`, a function from "
                "images to their reconstructions, such as the model itself if it is one. What is "
                f"wrong with the two: {error}"
            ) from error

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
        """Warns once of what is not scaled to [0, 1], which would be drawn wrong silently."""
        beyond = (images < -_MARGIN) | (images > 1 + _MARGIN)
        if not self._warned and np.mean(beyond) > _FEW:
            self._warned = True
            network, argument = ("decoder", "z") if name == "decode" else ("model", "x")
            warnings.warn(
                f"`{name}` returns values from {np.min(images):.3g} to {np.max(images):.3g}, "
                f"{100 * np.mean(beyond):.0f}% of them beyond [0, 1], but pictures show all below "
                "0 as black and all above 1 as white. If they are logits, pass "
                f"`{name}=lambda {argument}: keras.ops.sigmoid({network}({argument}))`; if a tanh "
                f"scaled them to [-1, 1], `{name}=lambda {argument}: "
                f"({network}({argument}) + 1) / 2`.",
                stacklevel=3,
            )


def standard_normal(n: int, latent_dim: int, seed: int) -> np.ndarray:
    """Draws of N(0, I), `[n, latent_dim]`, float32: a function of the seed alone."""
    return np.random.default_rng(seed).standard_normal((n, latent_dim), np.float32)


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


def _output_names(model, given):
    """The names of the outputs, if what encodes is a functional model."""
    for candidate in (given, *(getattr(model, name, None) for name in ("encode", "encoder"))):
        if callable(candidate):
            owner = getattr(candidate, "__self__", None)
            if getattr(candidate, "__name__", None) in ("predict", "call") and owner is not None:
                candidate = owner
            return getattr(candidate, "output_names", ())
    return ()


def _outside_training(function):
    """The function, or the layer outside training."""
    if isinstance(function, keras.layers.Layer):
        return lambda inputs: function(inputs, training=False)
    return function


def _without_grey_channel(shape):
    return shape[:-1] if len(shape) == 4 and shape[-1] == 1 else shape


def _missing(model, name, signature):
    reason = f"it has no method `{name}` and no network `{name}r`"
    if getattr(model, "has_discrete_codes", False):
        reason = "its codes are integers, and this is for codes [n, latent] of real numbers"
    return (
        f"Found no way to {name} with {type(model).__name__} {getattr(model, 'name', '')!r}: "
        f"{reason}. Pass `{name}=`, a function from {signature}."
    )
