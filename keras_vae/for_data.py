"""`VAE.for_data`: from data to a model of networks and a likelihood that suit them.

Everything that is chosen follows from what the data are by rules that are written here, is printed,
and comes with the code that says the same in full. What the data do not tell is asked for.
"""

import math
import sys
import warnings
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments, distributions, networks
from keras_vae.event_kinds import event_kind
from keras_vae.training.data_checks import DataCheck
from keras_vae.training.given_data import comes_in_batches, images_of

KINDS = ("images", "series", "rows")
# Examples that are looked at, evenly spread over an array or the first of a data set.
_MOST_EXAMPLES = 10_000
# A grey image of no more values than this is as well learned by layers that train 20 times faster.
_MOST_FOR_MLP = 1024
# Of residual networks, by benchmarks/residual_networks.py.
_RESIDUAL = (("width", 16), ("normalization", "group"))
_SHARE_OF_INK_AND_PAPER = 0.5
# Rows of fewer columns than 8 x 8 pixels are no image that was flattened.
_FEWEST_FLATTENED = 64


class Looked(NamedTuple):
    """What is known of data.

    Attributes:
        examples: `[n, *event]`, float32; those that were looked at.
        num_examples: Int, or `None` where nobody knows. Examples that there are.
        dtype: Name of the type of the numbers.
    """

    examples: np.ndarray
    num_examples: int | None
    dtype: str


class Part(NamedTuple):
    """Something that is built, and the code that builds it: `module.name(*positional, **named)`."""

    module: object
    name: str
    positional: tuple = ()
    named: tuple = ()

    def build(self, **further):
        """Builds it."""
        return getattr(self.module, self.name)(*self.positional, **dict(self.named), **further)

    def code(self, *further):
        """How it is built."""
        given = [repr(value) for value in self.positional]
        given += [f"{name}={value!r}" for name, value in self.named]
        return f"{self.module.__name__}.{self.name}({', '.join([*given, *further])})"


def model_for(cls, x, latent_dim, likelihood, kind, verbose, settings):
    """The model of `VAE.for_data`; see there."""
    latent_dim = arguments.count("latent_dim", latent_dim)
    if kind is not None:
        arguments.one_of("kind", kind, KINDS)
    arguments.flag("verbose", verbose)
    looked = _look(x)
    events = looked.examples
    shape = events.shape[1:]
    if kind is None:
        _refuse_one_image(looked)
    kind, why_kind = _kind(shape, kind)
    has_holes = bool(np.isnan(events).any())
    missing = arguments.flag("missing", settings.pop("missing", has_holes))
    if has_holes and not missing:
        raise ValueError(
            "There are NaN in the data. Received: missing=False. Fill them, or leave `missing` out."
        )
    encoder_settings = (("missing", True),) if missing else ()
    posterior = settings.get("posterior", "diagonal_normal")
    if isinstance(distributions.get_posterior(posterior), distributions.FullCovarianceNormal):
        encoder_settings = (("full_covariance", True), *encoder_settings)
    encoder, decoder, why_networks = _networks(shape, kind, latent_dim, encoder_settings)
    if likelihood is None or likelihood == "gaussian":
        part, why_likelihood = (
            _likelihood(events) if likelihood is None else _gaussian(events, "as you say")
        )
        chosen, code = part.build(), part.code()
    else:
        chosen = distributions.get_likelihood(likelihood)
        code, why_likelihood = _given(chosen), "as you say"
        for requirement in chosen.all_requirements():
            if (message := requirement.broken_by(events)) is not None:
                raise ValueError(message)
    arguments_of_model = {**({"missing": True} if missing else {}), **settings}
    model = cls(
        encoder.build(), decoder.build(likelihood=chosen), likelihood=chosen, **arguments_of_model
    )
    if verbose:
        named = "".join(f"    {name}={value!r},\n" for name, value in arguments_of_model.items())
        print(
            f"{cls.__name__}.for_data looked at {_described(looked)}, and chose\n"
            f"  {kind}: {why_kind}\n"
            f"  {type(chosen).__name__}: {why_likelihood}\n"
            f"  {encoder.name} and {decoder.name}: {why_networks}\n"
            + ("  missing=True: NaN is what was not observed\n" if missing else "")
            + "which is\n\n"
            f"likelihood = {code}\n"
            f"vae = {_public_name(cls)}(\n"
            f"    {encoder.code()},\n"
            f"    {decoder.code('likelihood=likelihood')},\n"
            f"    likelihood=likelihood,\n{named})",
            flush=True,
        )
    return model


# What the data are ---------------------------------------------------------------------------


def _look(x):
    """Takes examples out of whatever holds them; refuses what holds none."""
    # A list is one array that is no array yet.
    x = images_of(x) if isinstance(x, tuple) else x
    if isinstance(x, tf.data.Dataset):
        return _first_of(x)
    if comes_in_batches(x):
        raise ValueError(
            "`for_data` looks at examples, and those of a generator would be lost to training. "
            f"Received: {type(x).__name__}. Pass an array of some of them."
        )
    if hasattr(x, "columns") or isinstance(x, dict):
        raise ValueError(
            "Columns of several kinds are a table. "
            f"Received: {type(x).__name__}. Use `keras_vae.tables.TableVAE.for_data(frame)`, or "
            "pass one array of numbers, `frame.to_numpy()`."
        )
    if np.ma.isMaskedArray(x):
        raise ValueError(
            "The mask of an array would be lost. Received: MaskedArray. Pass `x.filled(np.nan)`: "
            "NaN is what was not observed."
        )
    if hasattr(x, "toarray"):
        raise ValueError(
            f"Networks take dense arrays. Received: {type(x).__name__}. Pass `x.toarray()`, or "
            "batches of it."
        )
    if isinstance(x, tf.RaggedTensor):
        raise ValueError(
            "Expected one array [n, *event]. Received: RaggedTensor of differing shapes. For "
            "series of several lengths use `keras_vae.datasets.pad_series`."
        )
    try:
        x = np.asarray(x)
    except (ValueError, TypeError):
        raise ValueError(
            "Expected one array [n, *event]. Received: "
            f"{type(x).__name__} of differing shapes. Resize images alike; for series of several "
            "lengths use `keras_vae.datasets.pad_series`."
        ) from None
    _check(x.dtype, x.shape)
    rows = np.linspace(0, len(x) - 1, min(len(x), _MOST_EXAMPLES)).astype(int)
    return _checked(Looked(x[rows].astype(np.float32), len(x), x.dtype.name))


def _first_of(dataset):
    spec = images_of(dataset.element_spec)
    if not isinstance(spec, tf.TensorSpec):
        raise ValueError(
            "Expected a data set of batches [batch, *event], or of such and labels. "
            f"Received: elements {dataset.element_spec}"
        )
    batches, count = [], 0
    with DataCheck().errors_made_clear():
        for batch in dataset:
            batches.append(images_of(batch).numpy())
            _check(batches[-1].dtype, batches[-1].shape)
            count += len(batches[-1])
            if count >= _MOST_EXAMPLES:
                break
    if not batches:
        raise ValueError("Expected examples. Received: a data set without any")
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) > 1:
        raise ValueError(
            f"All examples must have one shape. Received: {sorted(shapes)}. Resize or pad them."
        )
    examples = np.concatenate(batches).astype(np.float32)
    return _checked(Looked(examples, None, batches[0].dtype.name))


def _check(dtype, shape):
    """Refuses what holds no examples of floating point numbers."""
    if dtype == np.uint8 or dtype.kind == "b":
        scale = " / 255" if dtype == np.uint8 else ""
        raise ValueError(
            "Networks take floating point numbers. "
            f"Received: {dtype.name}. Convert them, and train on the same: "
            f"`x = x.astype('float32'){scale}`."
        )
    if dtype.kind in "iu":
        raise ValueError(
            f"Integers may be counts, classes or grey levels. Received: {dtype.name}. For counts "
            "pass `x.astype('float32')` and `likelihood='negative_binomial'`; for classes "
            "`keras.utils.to_categorical(x)`; for grey levels divide by their greatest."
        )
    if dtype.kind != "f":
        raise ValueError(
            f"Expected one array of floating point numbers [n, *event]. Received: dtype {dtype}. "
            "For columns of text see `keras_vae.tables`."
        )
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"Expected examples [n, *event], n > 0. Received: shape {tuple(shape)}. A single one "
            "is `x[None]`, and one number an example `x[:, None]`."
        )


def _checked(looked):
    """Refuses values of which nothing can be learned."""
    values = looked.examples
    if np.isinf(values).any():
        raise ValueError("Expected finite numbers. Received: infinite ones. Find out why first.")
    if np.isnan(values).all():
        raise ValueError("Expected numbers. Received: NaN alone")
    if len(values) < 2 or np.nanmin(values) == np.nanmax(values):
        raise ValueError(
            "There is nothing to learn. Received: "
            + ("one example" if len(values) < 2 else f"{np.nanmin(values):g} everywhere")
        )
    return looked


def _refuse_one_image(looked):
    """Refuses a single image, whose rows would be taken for series or for rows of a table."""
    shape = looked.examples.shape[1:]
    is_array = looked.num_examples is not None
    is_square = is_array and looked.num_examples == shape[0]
    values = looked.examples[~np.isnan(looked.examples)]
    if len(shape) > 2 or values.min() < 0 or values.max() > 1:
        return
    if len(shape) == 1:
        like_one = is_square and _are_grey_levels(values)
    elif event_kind(shape) == "series" and shape[1] in (1, 3, 4):
        like_one = is_square or _are_grey_levels(values)
    else:
        return
    if like_one:
        kind = "series" if len(shape) == 2 else "rows"
        received = (
            f"shape {(looked.num_examples, *shape)}" if is_array else f"batches of events {shape}"
        )
        advice = (
            "A single image `x` is `x[None]`, and one is too few to learn from"
            if is_array
            else "A data set of single images is batched by `dataset.batch(128)`"
        )
        raise ValueError(
            f"This may be one image [height, width, channels]. Received: {received}, values "
            f"between 0 and 1. {advice}; if it holds {kind}, pass `kind={kind!r}`."
        )


def _are_grey_levels(values):
    """Whether they are multiples of 1/255, and not zeros and ones alone."""
    on_levels = distributions.DiscretizedLogistic().requirements()[0].fits
    is_edge = (values == 0) | (values == 1)
    return bool(np.all(on_levels(tf.constant(values)))) and not is_edge.all()


def _kind(shape, given):
    """What an event is, and how that is known."""
    ranks = {"rows": 1, "series": 2, "images": 3}
    if given is not None:
        if len(shape) != ranks[given]:
            axes = {"rows": "[n, columns]", "series": "[n, time, features]"}
            expected = axes.get(given, "[n, height, width, channels]")
            raise ValueError(
                f"Invalid value for argument `kind`. Expected {expected} for {given!r}. "
                f"Received: events of shape {shape}. A last axis of 1 is added by `x[..., None]`."
            )
        return given, "as you say"
    if len(shape) == 1:
        return "rows", f"{shape[0]} numbers an example"
    if len(shape) == 2:
        if event_kind(shape) != "series":
            raise ValueError(
                "Events of two axes may be grey images or series. "
                f"Received: {shape}. For images pass `x[..., None]`, for series of {shape[1]} "
                "features `kind='series'`."
            )
        return "series", f"{shape[0]} steps of {shape[1]} feature(s)"
    if len(shape) == 3 and shape[2] <= 4:
        return "images", f"{shape[0]} x {shape[1]} pixels of {shape[2]} channel(s)"
    if len(shape) == 3 and shape[0] <= 4:
        raise ValueError(
            "Images are [n, height, width, channels]. "
            f"Received: events of shape {shape}, whose first axis looks like channels. Pass "
            "`np.moveaxis(x, 1, -1)`, or `kind='images'` if it is a height."
        )
    raise ValueError(
        "Expected rows [n, columns], series [n, time, features] or images [n, height, width, "
        f"channels] of up to four channels. Received: events of shape {shape}. "
        + (
            "Pass `kind='images'` if the last axis are channels."
            if len(shape) == 3
            else "Build networks of your own, or flatten the events."
        )
    )


# What suits them -----------------------------------------------------------------------------


def _networks(shape, kind, latent_dim, encoder_settings):
    """Encoder, decoder, and why these."""
    values = math.prod(shape)

    def pair(name, *sizes, reverse=()):
        return (
            Part(networks, f"{name}_encoder", (shape, latent_dim), (*sizes, *encoder_settings)),
            Part(networks, f"{name}_decoder", (shape, latent_dim), tuple(reverse) or sizes),
        )

    if kind == "series" and shape[0] >= 8:
        return *pair("conv_series"), "convolutions along time"
    if kind == "images" and min(shape[:2]) >= 8 and values > _MOST_FOR_MLP:
        return *pair("residual", *_RESIDUAL), f"{values} values an image"
    sizes = (512, 256) if values > 64 else (128, 64)
    found = pair("mlp", ("hidden_sizes", sizes), reverse=[("hidden_sizes", sizes[::-1])])
    return *found, f"{values} values an example, few enough for fully connected layers"


def _likelihood(events):
    """A likelihood, and why this one."""
    values = events[~np.isnan(events)]
    low, high = float(values.min()), float(values.max())
    is_edge = (values == 0) | (values == 1)
    if is_edge.all():
        if events.shape[-1] > 1 and _is_one_hot(events):
            return Part(distributions, "Categorical"), "one 1 on the last axis, and zeros"
        return Part(distributions, "Bernoulli"), "every value is 0 or 1"
    if low >= 0 and high > 1 and (values == np.round(values)).all():
        raise ValueError(
            "Whole numbers may be counts, classes or grey levels. "
            f"Received: whole numbers from {low:g} to {high:g}. For counts pass "
            "`likelihood='negative_binomial'`; for grey levels `x / 255`; for classes "
            "`keras.utils.to_categorical(x)`."
        )
    if low >= 0 and high <= 1:
        if events.ndim == 4 and (share := is_edge.mean()) >= _SHARE_OF_INK_AND_PAPER:
            return (
                Part(distributions, "Bernoulli"),
                f"values in [0, 1], {share:.0%} of them 0 or 1, as of ink on paper (their cross-"
                "entropy, which is no density of grey values)",
            )
        if _is_flattened_ink(events):
            return (
                Part(distributions, "Bernoulli"),
                f"values in [0, 1], {is_edge.mean():.0%} of them 0 or 1, as of flattened images of "
                "ink on paper (their cross-entropy, which is no density of grey values; for the "
                "columns of a table pass likelihood='gaussian')",
            )
        if events.ndim == 4 and _are_grey_levels(values):
            return Part(distributions, "DiscretizedLogistic"), "256 grey levels from 0 to 1"
        return _gaussian(events, "values in [0, 1]")
    if events.ndim == 4 and low >= 0 and 1 < high <= 255:
        raise ValueError(
            "Images should have values from 0 to 1. "
            f"Received: values from {low:g} to {high:g}. If 255 is white, pass `x / 255`."
        )
    mean, deviation = _by_value(events)
    whole = float(np.nanstd(events))
    if np.nanmax(abs(mean)) > 10 or np.nanmax(deviation) > 10 or not whole > 0.05:
        raise ValueError(
            "Values should have a mean near 0 and a standard deviation near 1. Received: values "
            f"from {low:g} to {high:g}. Standardise them, `x = (x - x.mean(axis=0)) / "
            "x.std(axis=0)`, or give the likelihood that suits them: `likelihood='log_normal'` "
            "for positive values, for example."
        )
    return _gaussian(events, f"values from {low:.3g} to {high:.3g}")


def _gaussian(events, what):
    """One whose scale begins where a decoder is right that knows the means of values alone."""
    mean, _ = _by_value(events)
    # In double precision, which holds the squares of all that single precision holds.
    squares = (events.reshape(len(events), -1) - mean.astype(np.float64)) ** 2
    scale = float(f"{np.sqrt(np.nanmean(squares)):.2g}")
    scale = max(scale, distributions.Gaussian.minimum_scale)
    return (
        Part(distributions, "Gaussian", (scale,), (("learn_scale", True),)),
        f"{what}; one scale, which is learned, from their standard deviation on",
    )


def _by_value(events):
    """Mean and standard deviation of each value of an event over the examples."""
    with warnings.catch_warnings():
        # Of what was never observed, as behind the end of the longest series.
        warnings.simplefilter("ignore", RuntimeWarning)
        flat = events.reshape(len(events), -1)
        return np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)


def _is_flattened_ink(events):
    """Whether rows are as long as an image, and grey where they are mostly black or white.

    Columns of zeros and ones alone, beside others that hardly are 0 or 1, are those of a table.
    """
    if events.ndim != 2 or events.shape[1] < _FEWEST_FLATTENED:
        return False
    is_grey = (events > 0) & (events < 1)
    some_grey = is_grey.any(axis=0)
    seen = ~np.isnan(events[:, some_grey])
    return bool(is_grey[:, some_grey].sum() <= (1 - _SHARE_OF_INK_AND_PAPER) * seen.sum())


def _is_one_hot(events):
    return bool((np.nansum(events, axis=-1) == 1).all())


# What is said --------------------------------------------------------------------------------


def _given(likelihood):
    config = {
        name: value
        for name, value in likelihood.get_config().items()
        if name not in keras.layers.Layer().get_config()
    }
    named = ", ".join(f"{name}={value!r}" for name, value in config.items())
    return f"{type(likelihood).__name__}({named})"


def _public_name(cls):
    """Where a class is found by whoever imports it."""
    for owner in ("keras_vae", "keras_vae.objectives"):
        if getattr(sys.modules[owner], cls.__name__, None) is cls:
            return f"{owner}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__name__}"


def _described(looked):
    examples = looked.examples
    shape = ", ".join(map(str, examples.shape[1:]))
    of = "the first" if looked.num_examples is None else f"{looked.num_examples}, of which"
    if looked.num_examples == len(examples):
        of = "all"
    values = f"{looked.dtype} from {np.nanmin(examples):.3g} to {np.nanmax(examples):.3g}"
    return f"{of} {len(examples)} examples [{shape}], {values}"
