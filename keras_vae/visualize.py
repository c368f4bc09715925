"""Pictures of a trained model in one line: what callbacks draw while one trains.

They work with any Keras model of which `keras_vae.model_functions` finds out how it encodes and
decodes, or that is told by a function. Pictures are `PIL.Image`: `picture.save("samples.png")`.
"""

import math
import statistics
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_vae import arguments, drawing, latent_walks
from keras_vae.arguments import count, flag, invalid, number, share
from keras_vae.arguments import seed as checked_seed
from keras_vae.drawn_inputs import (
    check_exist,
    checked_events,
    checked_inputs,
    checked_latent_dim,
    checked_latents,
)
from keras_vae.event_kinds import event_kind
from keras_vae.model_functions import ModelFunctions, standard_normal

__all__ = ["interpolation", "latent_grid", "latent_traversal", "reconstructions", "samples"]

_LIMITS = (-2.5, 2.5)
_NUM_SAMPLES = 64


def reconstructions(
    model,
    images,
    error_row: bool = False,
    *,
    reconstruct: Callable | None = None,
    encode: Callable | None = None,
    decode: Callable | None = None,
) -> Image.Image:
    """Examples above their reconstructions, as `callbacks.ReconstructionGrid` draws them.

    Args:
        model: A Keras model, or a `keras_vae.model_functions.ModelFunctions`.
        images: Images `[n, height, width, channels]` in [0, 1], series `[n, time, features]` or
            rows `[n, columns]`; see `keras_vae.event_kinds`.
        error_row: Bool. Whether a third row shows the absolute error. Defaults to `False`.
        reconstruct: Function from images to reconstructions, for a model that does not tell how.
            Defaults to `None`.
        encode: Function from images to their codes, likewise. Defaults to `None`.
        decode: Function from codes `[n, latent]` to images, likewise. Defaults to `None`.

    Returns:
        A picture.

    Raises:
        ValueError: If the images are nothing that can be drawn, or do not fit the model.
    """
    functions = _functions(model, reconstruct=reconstruct, encode=encode, decode=decode)
    images = checked_events(images)
    flag("error_row", error_row)
    reconstructed = functions.reconstruct(images)
    rows = [images, reconstructed]
    if error_row:
        rows.append(np.abs(reconstructed - images))
    with_zero = error_row or images.ndim == 2
    limits = drawing.span(images, with_zero=with_zero)
    return drawing.event_grid(np.stack(rows), limits=limits)


def samples(
    model,
    num_images: int = 64,
    seed: int = 0,
    latent_dim: int | None = None,
    *,
    decode: Callable | None = None,
    sampler=None,
) -> Image.Image:
    """Decoded draws of the prior, as `callbacks.PriorSamples` draws them, close to a square.

    Args:
        model: A Keras model, or a `keras_vae.model_functions.ModelFunctions`.
        num_images: Int. How many. Defaults to `64`.
        seed: Int. Seed of the codes' noise. Defaults to `0`.
        latent_dim: Int. Number of latents, for a model that tells neither it nor a prior: codes are
            then draws of N(0, I). Defaults to `None`.
        decode: Function from codes `[n, latent]` to images, likewise. Defaults to `None`.
        sampler: What draws the codes in place of the prior, such as a fitted one of
            `keras_vae.samplers`: anything with `sample(n, seed)`. Defaults to `None`.

    Returns:
        A picture.

    Raises:
        ValueError: If an argument is invalid, or no decoder is found.
    """
    functions = _functions(model, decode=decode)
    if sampler is None:
        codes = prior_codes(functions, num_images, seed, latent_dim)
    else:
        codes = sampler_codes(sampler, num_images, seed)
    return in_a_square(functions.decode(codes))


def interpolation(
    model,
    start,
    end,
    num_steps: int = 10,
    *,
    encode: Callable | None = None,
    decode: Callable | None = None,
) -> Image.Image:
    """A row for each pair of examples: what is decoded between their codes.

    Args:
        model: A Keras model, or a `keras_vae.model_functions.ModelFunctions`.
        start: Images `[n, *event]`.
        end: As many.
        num_steps: Int. Images a row, both ends included. Defaults to `10`.
        encode: Function from images to their codes, for a model that does not tell how. Defaults
            to `None`.
        decode: Function from codes `[n, latent]` to images, likewise. Defaults to `None`.

    Returns:
        A picture.

    Raises:
        ValueError: If an argument is invalid, or images do not fit the model or each other.
    """
    functions = _functions(model, encode=encode, decode=decode)
    start, end = checked_inputs(start, "start"), checked_inputs(end, "end")
    if start.shape != end.shape:
        raise ValueError(
            f"`start` and `end` must be of the same shape. Received: {start.shape} and {end.shape}"
        )
    first, last = (functions.encode(images).loc for images in (start, end))
    walks = latent_walks.between(first, last, count("num_steps", num_steps, least=2))
    return drawing.event_grid(_decode(functions, walks))


def latent_traversal(
    model,
    images=None,
    around=None,
    *,
    num_steps: int = 10,
    limits: tuple[float, float] | None = None,
    quantiles: tuple[float, float] | None = None,
    num_rows: int | None = None,
    latent_dim: int | None = None,
    encode: Callable | None = None,
    decode: Callable | None = None,
) -> Image.Image:
    """A row for each latent, those of the largest KL first, as `callbacks.LatentTraversal` draws.

    Args:
        model: A Keras model, or a `keras_vae.model_functions.ModelFunctions`.
        images: As for `callbacks.LatentTraversal`: by which to measure the KL. Defaults to `None`.
        around: One image, `[*event]`, to traverse around. Defaults to `None`: the prior's mean.
        num_steps: Int. Images a row. Defaults to `10`.
        limits: Values of a latent at both ends. Defaults to `None`: `(-2.5, 2.5)`.
        quantiles: Instead of `limits`, quantiles of the prior at both ends. Defaults to `None`.
        num_rows: Int. How many rows at most. Defaults to `None`: a row for each latent.
        latent_dim: Int. Number of latents, for a model that does not tell. Defaults to `None`.
        encode: Function from images to their codes, likewise. Defaults to `None`.
        decode: Function from codes `[n, latent]` to images, likewise. Defaults to `None`.

    Returns:
        A picture.

    Raises:
        ValueError: If an argument is invalid, no decoder is found, or images do not fit.
    """
    functions = _functions(model, encode=encode, decode=decode)
    traversal = Traversal(
        images, around, None, num_steps, limits, quantiles, None, num_rows, latent_dim
    )
    traversal.prepare(functions)
    return traversal.rows(functions, traversal.look(functions))


def latent_grid(
    model,
    images=None,
    around=None,
    *,
    latents: tuple[int, int] | None = None,
    num_steps: int = 10,
    limits: tuple[float, float] | None = None,
    quantiles: tuple[float, float] | None = None,
    latent_dim: int | None = None,
    encode: Callable | None = None,
    decode: Callable | None = None,
) -> Image.Image:
    """Two latents at once, one down the rows and one along them.

    Args:
        model: A Keras model, or a `keras_vae.model_functions.ModelFunctions`.
        images: As for `latent_traversal`. Defaults to `None`.
        around: As for `latent_traversal`. Defaults to `None`.
        latents: `(rows, columns)`, counted from 0. Defaults to `None`: the two of the largest KL,
            or `(0, 1)` where it is not known.
        num_steps: Int. Images a side. Defaults to `10`.
        limits: As for `latent_traversal`. Defaults to `None`.
        quantiles: As for `latent_traversal`. Defaults to `None`.
        latent_dim: As for `latent_traversal`. Defaults to `None`.
        encode: As for `latent_traversal`. Defaults to `None`.
        decode: As for `latent_traversal`. Defaults to `None`.

    Returns:
        A picture.

    Raises:
        ValueError: As for `latent_traversal`, or if the model has a single latent.
    """
    functions = _functions(model, encode=encode, decode=decode)
    traversal = Traversal(
        images, around, latents, num_steps, limits, quantiles, None, None, latent_dim
    )
    traversal.prepare(functions)
    return traversal.grid(functions, traversal.look(functions))


def prior_codes(functions: ModelFunctions, num_images, seed, latent_dim) -> np.ndarray:
    """Codes of the model's own prior, or draws of N(0, I) for one that tells none.

    Of N(0, I), too, if the number of latents is told.
    """
    num_images, seed = count("num_images", num_images), checked_seed("seed", seed)
    if latent_dim is None:
        codes = functions.prior_codes(num_images, seed)
        if codes is not None:
            return codes
    else:
        count("latent_dim", latent_dim)
    functions.require_decode()
    return standard_normal(num_images, checked_latent_dim(functions, latent_dim), seed)


def sampler_codes(sampler, num_images, seed) -> np.ndarray:
    """Codes `[num_images, latent]` that a sampler draws."""
    arguments.sampler(sampler)
    return np.asarray(sampler.sample(count("num_images", num_images), checked_seed("seed", seed)))


def in_a_square(images) -> Image.Image:
    """Events `[n, *event]` in as many rows as columns, or one fewer."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    # White, as the gaps are, where the last row is not full; of lines and bars nothing.
    is_image = event_kind(images.shape[1:]) == "images"
    cells = np.full((rows * columns, *images.shape[1:]), 1.0 if is_image else np.nan)
    cells[: len(images)] = images
    return drawing.event_grid(cells.reshape(rows, columns, *images.shape[1:]))


class View(NamedTuple):
    """What is known of a model's latents when they are drawn.

    Attributes:
        centre: `[latent]`. Where latents stay that do not vary.
        rest: What that is, in words.
        kl: `[latent]`, nats, or `None` if it is not known.
        order: `[latent]`. The latents, the largest KL first.
    """

    centre: np.ndarray
    rest: str
    kl: np.ndarray | None
    order: np.ndarray


class Traversal:
    """What is drawn of a latent space, one latent at a time and two at once.

    Args:
        images, around, latents, num_steps, limits, quantiles, grid_limits, num_rows, latent_dim: As
            `callbacks.LatentTraversal` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        images=None,
        around=None,
        latents=None,
        num_steps=10,
        limits=None,
        quantiles=None,
        grid_limits=None,
        num_rows=None,
        latent_dim=None,
    ):
        self.images = None if images is None else checked_inputs(images)
        self.around = None if around is None else checked_inputs([around], "around")
        self.latents = None if latents is None else checked_latents(latents)
        num_steps = count("num_steps", num_steps, least=2)
        self.values = _values(num_steps, limits, quantiles)
        self.grid_values = self.values
        if grid_limits is not None:
            self.grid_values = _evenly("grid_limits", grid_limits, num_steps)
        self.num_rows = None if num_rows is None else count("num_rows", num_rows)
        self.latent_dim = None if latent_dim is None else count("latent_dim", latent_dim)

    def prepare(self, functions: ModelFunctions):
        """Finds the number of latents, encodes if that is needed, and decodes once."""
        functions.require_decode()
        examples = self.around if self.images is None else self.images
        self._latent_dim = checked_latent_dim(functions, self.latent_dim, examples)
        if self._latent_dim > 1:
            check_exist(self.latents or (0, 1), self._latent_dim)
        for images in (self.images, self.around):
            if images is not None:
                functions.encode(images[:1])
        functions.decode(np.zeros((1, self._latent_dim), np.float32))
        self._measures = self.images is not None or self._encodes_own_samples(functions)

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """A row for each latent, and, of two latents or more, the grid over two."""
        view = self.look(functions)
        pictures = {"latents": self.rows(functions, view)}
        if self._latent_dim > 1:
            pictures["grid"] = self.grid(functions, view)
        return pictures

    def look(self, functions: ModelFunctions) -> "View":
        """What both pictures are drawn from."""
        centre, rest = np.zeros(self._latent_dim, np.float32), "0"
        if self.around is not None:
            centre, rest = functions.encode(self.around).loc[0], "the code of an image"
        kl = self._kl(functions) if self._measures else None
        order = np.arange(self._latent_dim) if kl is None else np.argsort(-kl, kind="stable")
        return View(centre, rest, kl, order)

    def rows(self, functions: ModelFunctions, view: "View") -> Image.Image:
        """A row for each latent."""
        rows = view.order[: self.num_rows].tolist()
        measured = f"{_NUM_SAMPLES} samples of the model"
        if self.images is not None:
            measured = f"{len(self.images)} images"
        sorting = "in their order"
        if view.kl is not None:
            sorting = f"the largest KL first (nats, mean over {measured})"
        return drawing.event_grid(
            _decode(functions, latent_walks.rows(rows, self.values, view.centre)),
            [_named(latent, view.kl) for latent in rows],
            title=f"One latent a row, {sorting}; the others stay at {view.rest}",
            column_labels=_written(self.values),
            column_title="value of the row's latent, in standard deviations of the prior",
        )

    def grid(self, functions: ModelFunctions, view: "View") -> Image.Image:
        """Two latents at once.

        Raises:
            ValueError: If the model has one.
        """
        if self._latent_dim < 2:
            raise ValueError("A grid is over two latents. Received: a model with one")
        latents = self.latents or tuple(view.order[:2].tolist())
        is_chosen = self.latents is None and view.kl is not None
        chosen = ", those of the largest KL" if is_chosen else ""
        values = _written(self.grid_values)
        down, along = (_named(latent, view.kl) for latent in latents)
        return drawing.event_grid(
            _decode(functions, latent_walks.grid(latents, self.grid_values, view.centre)),
            values,
            title=f"Two latents at once{chosen}; the others stay at {view.rest}",
            column_labels=values,
            row_title=down,
            column_title=f"{along}    (values in standard deviations of the prior)",
        )

    def _kl(self, functions):
        """KL of each latent over the images or the model's own, `None` if it is not known."""
        images = self.images
        if images is None:
            shape = (_NUM_SAMPLES, self._latent_dim)
            images = functions.decode(np.random.default_rng(0).standard_normal(shape, np.float32))
        return functions.encode(images).kl()

    def _encodes_own_samples(self, functions):
        """Whether the encoder takes what the decoder makes; without an encoder there is no KL."""
        if not functions.encodes:
            return False
        try:
            kl = self._kl(functions)
        except ValueError as error:
            warnings.warn(
                "A traversal cannot encode what the model decodes, so its rows are in the "
                "order of the latents. Pass `images=` to have them sorted by their KL, or "
                f"`encode=`. {error}",
                stacklevel=2,
            )
            return False
        return kl is None or len(kl) == self._latent_dim


def _values(num_steps, limits, quantiles):
    """What a latent that varies is set to, `[num_steps]`, in the prior's standard deviations."""
    if limits is not None and quantiles is not None:
        raise ValueError(
            "Pass `limits` or `quantiles`, not both. "
            f"Received: limits={limits}, quantiles={quantiles}"
        )
    if quantiles is None:
        return _evenly("limits", _LIMITS if limits is None else limits, num_steps)
    expected = "two probabilities between 0 and 1, the smaller first"
    low, high = _ends("quantiles", quantiles, share, expected)
    prior = statistics.NormalDist()
    values = [prior.inv_cdf(probability) for probability in np.linspace(low, high, num_steps)]
    return np.array(values, np.float32)


def _evenly(argument, limits, num_steps):
    """Values `[num_steps]` at equal distances."""
    low, high = _ends(argument, limits, number, "two numbers, the smaller first")
    return np.linspace(low, high, num_steps, dtype=np.float32)


def _ends(argument, ends, check, expected):
    """Both ends, checked one by one, the smaller first."""
    try:
        low, high = (check(argument, end) for end in ends)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise invalid(argument, expected, ends)
    return low, high


def _named(latent, kl):
    """A latent's name, and its KL where that is known."""
    return f"z{latent}" if kl is None else f"z{latent}  KL {kl[latent]:.2f}"


def _written(values):
    """Values as labels, with as many decimals as their distance needs."""
    decimals = max(1, -math.floor(math.log10(values[1] - values[0])))
    return [f"{value:.{decimals}f}" for value in values]


def _decode(functions, codes):
    """Images `[rows, columns, *event]` of codes `[rows, columns, latent]`."""
    images = functions.decode(codes.reshape(-1, codes.shape[-1]))
    return images.reshape(*codes.shape[:2], *images.shape[1:])


def _functions(model, **given):
    """The functions of a model, with those that are given in the place of its own."""
    return model if isinstance(model, ModelFunctions) else ModelFunctions(model, **given)
