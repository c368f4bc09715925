"""Finds mean and standard deviation in what an encoder returns, by whatever convention.

A distribution and a dict say which is which. Of plain arrays it is found out, once, by the outputs'
names or by calling the encoder twice; what cannot be told is asked for.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np

from keras_vae import latent_measures

_MEANS = ("loc", "mean", "mu")
_SCALES = ("scale", "std", "stddev", "sigma", "standard_deviation")
_LOG_VARIANCES = ("log_variance", "log_var", "logvar")
_SAMPLES = ("z", "sample", "code", "sampling")
_ASK = (
    "Pass `encode=`, a function from images to a dict that names them, such as "
    '`lambda images: dict(zip(("mean", "log_variance"), encoder(images)))`, "std" being a standard '
    "deviation."
)


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


class UnexpectedOutputError(ValueError):
    """A function of the model returned something that is neither images nor codes."""


class EncoderOutputs:
    """Reads what one encoder returns.

    Args:
        encode: Function from images to what the encoder returns.
        names: Names of the outputs, of a functional model. Defaults to `()`.
    """

    def __init__(self, encode: Callable, names=()):
        self._encode = encode
        self._names = tuple(names)
        self._roles = None

    def read(self, images: np.ndarray) -> Posterior:
        """The posterior of the images.

        Raises:
            UnexpectedOutputError: If it returns no means, or there is no telling which they are.
        """
        encoded = self._encode(images)
        if hasattr(encoded, "mean") and hasattr(encoded, "stddev"):
            return _posterior(encoded.mean(), encoded.stddev())
        if isinstance(encoded, Mapping):
            return _of_roles(encoded, _named(encoded))
        several = isinstance(encoded, list | tuple)
        outputs = dict(enumerate(encoded if several else [encoded]))
        if self._roles is None:
            self._roles = self._found(images, outputs)
        return _of_roles(outputs, self._roles)

    def _found(self, images, outputs):
        """What each array is, `{index: role}`."""
        if len(self._names) == len(outputs) > 1:
            roles = _roles(self._names)
            if _are_clear(roles) and len(set(roles) & {"scale", "log_variance"}):
                return dict(enumerate(roles))
        repeated = self._encode(images)
        repeated = repeated if isinstance(repeated, list | tuple) else [repeated]
        outputs = {index: array(output) for index, output in outputs.items()}
        varies = [
            not _close(outputs[index], array(output)) for index, output in enumerate(repeated)
        ]
        if len(outputs) == 1:
            if varies[0]:
                raise UnexpectedOutputError(
                    "Two calls with the same images gave different codes, so they are samples, "
                    "and a picture needs posterior means. Pass `encode=`, a function from images "
                    "to the means, or to (mean, log-variance)."
                )
            return {0: "mean"}
        fixed = [index for index, does in enumerate(varies) if not does]
        if len(outputs) > 2 and len(fixed) > 2:
            # The code of an encoder that samples in training only is the mean here.
            fixed = _without_repetition(outputs, fixed)
        if len(fixed) != 2:
            raise UnexpectedOutputError(
                f"It returns {len(outputs)} arrays, of which {sum(varies)} differed between two "
                "calls with the same images, and which of them are mean and log-variance cannot "
                f"be told. {_ASK}"
            )
        mean, other = fixed
        if not self._is_log_variance(images, outputs, other):
            raise UnexpectedOutputError(
                f"It returns {len(outputs)} arrays without names. The one at place {other} is "
                "positive everywhere, so it may be a standard deviation or a log-variance. "
                f"{_ASK}"
            )
        if mean != 0:
            warnings.warn(
                f"The encoder's first output is a sample, or repeats the mean: those at places "
                f"{mean} and {other}, counted from 0, are taken as mean and log-variance. {_ASK}",
                stacklevel=2,
            )
        return {mean: "mean", other: "log_variance"}

    def _is_log_variance(self, images, outputs, index):
        """Whether an output is negative somewhere, as no standard deviation is."""
        if (outputs[index] < 0).any() or not outputs[index].any():
            return True
        # The first images alone may all be on one side, as of a network that is not trained yet.
        noise = np.random.default_rng(0).standard_normal((16, *images.shape[1:]))
        for others in (-images[:16], noise, 3 * noise):
            try:
                output = array(self._encode(others.astype(images.dtype))[index])
            except Exception:
                # The encoder takes images only; then what is asked of the user decides.
                return False
            if (output < 0).any():
                return True
        return False


def array(result) -> np.ndarray:
    """What a function of the model returned as one float32 array, a distribution by its mean.

    Raises:
        UnexpectedOutputError: If there are several.
    """
    if hasattr(result, "mean") and hasattr(result, "log_prob"):
        result = result.mean()
    if isinstance(result, Mapping | list | tuple):
        raise UnexpectedOutputError(
            f"Expected one array. Received: {type(result).__name__} of {len(result)}. Pass a "
            "function that returns the array alone."
        )
    return np.asarray(keras.ops.convert_to_numpy(result), np.float32)


def _roles(names):
    """`"mean"`, `"scale"`, `"log_variance"`, `"sample"` or `None` of each name."""
    known = {
        **dict.fromkeys(_MEANS, "mean"),
        **dict.fromkeys(_SCALES, "scale"),
        **dict.fromkeys(_LOG_VARIANCES, "log_variance"),
        **dict.fromkeys(_SAMPLES, "sample"),
    }
    plain = [str(name).lower().removeprefix("latent_") for name in names]
    return [known.get(name, known.get(name.removeprefix("z_"))) for name in plain]


def _are_clear(roles):
    """Whether there is one mean, and no more than one measure of the spread."""
    return roles.count("mean") == 1 and roles.count("scale") + roles.count("log_variance") <= 1


def _named(encoded):
    """What each value of a dict is, `{key: role}`."""
    roles = dict(zip(encoded, _roles(encoded), strict=True))
    if not _are_clear(list(roles.values())):
        raise UnexpectedOutputError(
            "Expected a dict with the keys 'loc' and 'scale', or 'mean' and 'log_variance'. Known "
            f"are {', '.join(_MEANS)}; {', '.join(_SCALES)}; {', '.join(_LOG_VARIANCES)}; all with "
            f"or without 'z_' before. Received: keys {sorted(map(str, encoded))}. Pass `encode=`, "
            "a function from images to such a dict, or to the code alone."
        )
    return roles


def _of_roles(outputs, roles):
    by_role = {role: outputs[key] for key, role in roles.items()}
    scale = by_role.get("scale")
    if scale is None and "log_variance" in by_role:
        scale = np.exp(0.5 * array(by_role["log_variance"]))
    return _posterior(by_role["mean"], scale)


def _posterior(loc, scale):
    loc, scale = array(loc), None if scale is None else array(scale)
    if loc.ndim != 2 or (scale is not None and scale.shape != loc.shape):
        raise UnexpectedOutputError(
            "Expected latent means [n, latent], and log-variances or standard deviations of the "
            f"same shape. Received: means {loc.shape}, the other {np.shape(scale)}. Pass "
            "`encode=`, a function from images to (mean, log-variance) or to the code alone."
        )
    return Posterior(loc, scale)


def _without_repetition(outputs, indices):
    """Of each array that is there twice, the one that stands beside an array of its own."""
    if _close(outputs[indices[0]], outputs[indices[1]]):
        return indices[1:]
    if _close(outputs[indices[0]], outputs[indices[-1]]):
        return indices[:-1]
    return indices


def _close(first, second):
    """Whether two arrays are the same but for rounding."""
    if first.shape != second.shape:
        return False
    size = float(np.nanmax(np.abs(first), initial=0.0))
    return np.allclose(first, second, rtol=0, atol=1e-5 * size, equal_nan=True)
