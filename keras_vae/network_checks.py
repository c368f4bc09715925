"""What networks return, looked at before the first step: what trains to nothing is refused."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_vae import arguments

_NUM_PROBES = 16
# So far out that an activation which is bounded, or of one sign, shows what it is.
_FAR_CODES = 30.0


def check_networks(**networks):
    """Refuses what is no network.

    Args:
        **networks: What was given, by argument.

    Raises:
        ValueError: If it is no Keras layer.
    """
    for argument, network in networks.items():
        if not isinstance(network, keras.layers.Layer):
            raise arguments.invalid(argument, "a Keras model", network)


def check_encoder(
    encoder: keras.Model, event_shape: tuple, lower: float, upper: float, missing: bool = False
):
    """Encodes made-up images, and refuses standard deviations that are not positive.

    Such are a log-variance returned as `scale`, `loc` and `scale` swapped, or a scale that lacks
    an activation: the KL would be NaN, or that of other numbers.

    Args:
        encoder: From images to a dict of `loc` and `scale`.
        event_shape: Of one image.
        lower: Float. The least value of a pixel; minus infinity if it has none.
        upper: Float. The greatest, likewise.
        missing: Bool. Whether values may be missing. Defaults to `False`.

    Raises:
        ValueError: If a standard deviation is not above 0, or is NaN of an image with NaN.
    """
    random = np.random.default_rng(0)
    if np.isfinite(lower) and np.isfinite(upper):
        images = random.uniform(lower, upper, (_NUM_PROBES, *event_shape))
    else:
        images = random.normal(size=(_NUM_PROBES, *event_shape))
    scale = _as_arrays(encoder(images.astype("float32"), training=False))["scale"]
    if missing:
        _check_missing(encoder, images)
    if not (scale > 0).all():
        raise ValueError(
            "`encoder` must return standard deviations above 0 as `scale`. Received: values from "
            f"{scale.min():.3g} to {scale.max():.3g} for made-up images. For a log-variance return "
            "`exp(0.5 * log_variance)`; for a layer without an activation put "
            "`keras_vae.networks.PositiveScale()` behind it; look whether `loc` and `scale` are "
            "swapped."
        )


def _check_missing(encoder, images):
    """Refuses an encoder whose codes of images with holes are NaN."""
    holes = np.random.default_rng(0).random(images.shape) < 0.5
    outputs = _as_arrays(encoder(np.where(holes, np.nan, images).astype("float32"), training=False))
    if np.isnan(outputs["scale"]).any() or np.isnan(outputs["loc"]).any():
        raise ValueError(
            "`encoder` must take NaN, which is what was not observed: its codes of images with "
            "NaN are NaN. Build it with `missing=True`, or begin it with "
            "`keras_vae.networks.ZerosAndMask()`."
        )


def check_parameters_shape(parameters, likelihood, event_shape: tuple):
    """Refuses what a decoder returns if it is of another shape than the likelihood's parameters.

    Args:
        parameters: The decoder's output, which may be symbolic.
        likelihood: A `keras_vae.distributions.Likelihood`.
        event_shape: Of one image.

    Raises:
        ValueError: If they are several arrays without names, or of another shape.
    """
    if isinstance(parameters, list | tuple):
        raise ValueError(
            "`decoder` must return the likelihood's parameters, one array or a dict of them. "
            f"Received: a {type(parameters).__name__} of {len(parameters)} outputs"
        )
    is_dict = isinstance(parameters, Mapping)
    expected = event_shape if is_dict else likelihood.parameters_shape(event_shape)
    for shape in {tuple(part.shape) for part in keras.tree.flatten(parameters)}:
        if shape[1:] != expected:
            where = " in the shape of the images" if expected == event_shape else ""
            advice = "" if where else ". Give the decoder's builder `likelihood=`."
            raise ValueError(
                f"`decoder` must return the likelihood's parameters{where}. "
                f"Expected: {(None, *expected)}. Received: {shape}{advice}"
            )


def check_decoder(decoder: keras.Model, code_shape: tuple[int, ...], likelihood):
    """Decodes codes far out, and has the likelihood refuse what it cannot have meant.

    Args:
        decoder: From codes `[batch, *code_shape]` to the likelihood's parameters.
        code_shape: Of one code.
        likelihood: A `keras_vae.distributions.Likelihood`.

    Raises:
        ValueError: As the likelihood's `check_parameters` does.
    """
    codes = np.random.default_rng(0).normal(size=(_NUM_PROBES, *code_shape)) * _FAR_CODES
    likelihood.check_parameters(_as_arrays(decoder(codes.astype("float32"), training=False)))


def _as_arrays(outputs):
    if isinstance(outputs, Mapping):
        return {name: _as_arrays(output) for name, output in outputs.items()}
    return np.asarray(keras.ops.convert_to_numpy(outputs), np.float32)
