"""Every metric of one model, on the same points."""

import time
from collections.abc import Callable, Mapping, Sequence
from numbers import Number

import keras
import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.beta_vae_score import beta_vae_score
from keras_vae.disentanglement.factor_vae_score import factor_vae_score
from keras_vae.disentanglement.measurements import METRICS, Points, chosen, measure, varying
from keras_vae.disentanglement.scikit_learn import require_scikit_learn
from keras_vae.model_functions import ModelFunctions

# Of images at once.
_IMAGES = 1024
_TRAINED = {"beta_vae_score", "sap_score", "dci", "modularity_explicitness"}
_DRAWN_ANEW: dict[str, Callable] = {
    "beta_vae_score": beta_vae_score,
    "factor_vae_score": factor_vae_score,
}


class Report(dict):
    """What each metric returned, by its name. Printed, it is one table.

    Attributes:
        factor_names: Of the factors that vary, in the order of the columns.
        latent_dim: The number of latents.
        num_train: Points to train on.
        num_test: Points to test on.
        seconds: Of each metric, by name.
    """

    def __init__(self, results, factor_names, latent_dim, num_train, num_test, seconds):
        super().__init__(results)
        self.factor_names = tuple(factor_names)
        self.latent_dim = latent_dim
        self.num_train = num_train
        self.num_test = num_test
        self.seconds = seconds

    @property
    def scores(self) -> dict[str, float]:
        """The headline numbers, by name."""
        return {name: result["score"] for name, result in self.items()}

    def __str__(self):
        width = max(len("metric"), *(len(name) for name in self))
        lines = [
            f"{self.latent_dim} latents, {len(self.factor_names)} factors "
            f"({', '.join(self.factor_names)}), {self.num_train} + {self.num_test} points",
            f"{'metric':{width}}    score  and",
        ]
        for name, result in self.items():
            # The headline number may stand in a dict once more, by a name of its own.
            parts = [
                f"{key} {value:.4g}"
                for key, value in result.items()
                if isinstance(value, Number) and key != "score"
            ]
            lines.append(f"{name:{width}} {result['score']:8.4f}  {', '.join(parts)}".rstrip())
        return "\n".join(lines)


def evaluate(
    model,
    data,
    metrics: Sequence[str] | Mapping[str, Mapping] | None = None,
    num_train: int = 10_000,
    num_test: int = 5_000,
    redraw: bool = False,
    encode: Callable | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """Draws images, encodes them and runs all metrics on their posterior means.

    Sizes are those of Locatello et al., "Challenging common assumptions in the unsupervised
    learning of disentangled representations" (2019). Most of the time goes into `dci`, whose
    gradient boosting grows hundreds of thousands of trees; `docs/disentanglement.md` says how much.

    `beta_vae_score` and `factor_vae_score` make their groups out of the points that are encoded,
    again and again, instead of drawing 2.9 million images anew as published; `redraw=True` draws
    them.

    Args:
        model: A `keras_vae.VAE`, any Keras model that tells how to encode (see
            `keras_vae.model_functions`), or a function from images to codes, or to a dict of `loc`
            and `scale`.
        data: A factor data set, such as those of `keras_vae.datasets.factors`, or a pair
            `(images, factors)` of arrays, of which `num_train + num_test` are drawn. Factors of one
            value are left out.
        metrics: Names, or a dict of names and arguments, such as
            `{"mutual_information_gap": {"bins": "quantile"}}`. Defaults to `None`: all of them;
            `posterior_mutual_information_gap` if the encoder gives a scale and all factors are
            discrete.
        num_train: Int. Points to train on, and of metrics that train nothing. Defaults to `10_000`.
        num_test: Int. Further points, to test on. Defaults to `5_000`.
        redraw: Bool. Whether metrics that hold a factor draw their images anew. Defaults to
            `False`.
        encode: Function from images to codes, for a model that does not tell how. Defaults to
            `None`.
        seed: Int. Of the points and of every metric. Defaults to `0`.
        progress: Bool. Whether to show progress bars. Defaults to `True`.

    Returns:
        A `Report`: a dict of what each metric returned, which prints as a table.

    Raises:
        ValueError: If the model cannot encode the images, the data are too few, or an argument is
            invalid.
        ImportError: If a metric needs scikit-learn and it is not installed.

    Example:
    >>> report = keras_vae.disentanglement.evaluate(vae, data)
    >>> print(report)
    >>> report["dci"]["completeness"]
    """
    wanted = None if metrics is None else chosen(metrics)
    # Before the images are encoded, not after.
    if _TRAINED & set(wanted or METRICS):
        require_scikit_learn("evaluate")
    num_train = arguments.count("num_train", num_train, least=2)
    num_test = arguments.count("num_test", num_test, least=2)
    redraw = arguments.flag("redraw", redraw)
    if redraw and isinstance(data, tuple | list):
        raise ValueError(
            "`redraw=True` needs a factor data set, from which images are drawn. Received: arrays, "
            "of which nothing more can be drawn. Leave `redraw=False`."
        )
    seed = arguments.seed("seed", seed)
    functions = functions_of(model, encode)
    points, names = _encoded(functions, data, num_train, num_test, seed, progress)
    if wanted is None:
        wanted = {name: {} for name in METRICS}
        if points.scale is None or points.factors.dtype.kind == "f":
            del wanted["posterior_mutual_information_gap"]
    results, seconds = {}, {}
    bar = keras.utils.Progbar(len(wanted), unit_name="metric") if progress else None
    for index, (name, given) in enumerate(wanted.items()):
        began = time.perf_counter()
        if redraw and name in _DRAWN_ANEW:
            results[name] = _DRAWN_ANEW[name](
                data, lambda images: functions.encode(images).loc, **{"seed": seed, **given}
            )
        else:
            results[name] = measure(name, given, points, seed)
        seconds[name] = time.perf_counter() - began
        if bar:
            bar.update(index + 1)
    return Report(results, names, points.loc.shape[1], num_train, num_test, seconds)


def functions_of(model, encode: Callable | None = None):
    """The `ModelFunctions` of a model, or of a function from images to codes."""
    is_function = callable(model) and not isinstance(model, keras.layers.Layer)
    if encode is None and is_function and not hasattr(model, "encode"):
        model, encode = None, model
    return ModelFunctions(model, encode=encode)


def draw_batches(data, count: int, seed: int):
    """Yields `(factors, images)` of that many points, some at a time.

    Args:
        data: A factor data set, or a pair `(images, factors)` of arrays.
        count: Int.
        seed: Int. Of the draw.

    Raises:
        ValueError: If it is neither, or the arrays are too few.
    """
    generator = np.random.default_rng(seed)
    if isinstance(data, tuple | list) and len(data) == 2:
        images, factors = (np.asarray(part) for part in data)
        if len(images) != len(factors) or len(images) < count:
            raise ValueError(
                f"Expected: (images, factors) of at least {count} points, one row of both for "
                f"each. Received: {len(images)} images and {len(factors)} rows of factors. Pass "
                "more points, or smaller numbers of them."
            )
        rows = generator.permutation(len(images))[:count]
        for start in range(0, count, _IMAGES):
            part = rows[start : start + _IMAGES]
            yield factors[part], images[part]
        return
    if not hasattr(data, "draw"):
        raise ValueError(
            "Expected a factor data set, with `draw(count, generator)`, or a pair (images, "
            f"factors) of arrays. Received: {type(data).__name__}. "
            "`keras_vae.datasets.factors` has data sets of known factors."
        )
    for start in range(0, count, _IMAGES):
        yield data.draw(min(_IMAGES, count - start), generator)


def _encoded(functions, data, num_train, num_test, seed, progress):
    """Points, and the names of their factors."""
    count = num_train + num_test
    bar = keras.utils.Progbar(-(-count // _IMAGES), unit_name="batch") if progress else None
    found = []
    for index, (factors, images) in enumerate(draw_batches(data, count, seed)):
        found.append((*functions.encode(np.asarray(images)), np.asarray(factors)))
        if bar:
            bar.update(index + 1)
    loc, scale, factors = zip(*found, strict=True)
    scale = None if scale[0] is None else np.concatenate(scale)
    factors, names = varying(np.concatenate(factors), getattr(data, "factor_names", None))
    loc = np.concatenate(loc)
    # As published, metrics that train nothing do without the test points.
    return Points(loc, scale, factors, num_test / count, num_train), names
