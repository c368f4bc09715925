"""The metrics by name, for what runs several of them on the same points."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_vae.arguments import invalid
from keras_vae.disentanglement.beta_vae_score import beta_vae_score
from keras_vae.disentanglement.dci import dci
from keras_vae.disentanglement.factor_vae_score import factor_vae_score
from keras_vae.disentanglement.gaussian_total_correlation import gaussian_total_correlation
from keras_vae.disentanglement.interventional_robustness import interventional_robustness
from keras_vae.disentanglement.modularity_explicitness import modularity_explicitness
from keras_vae.disentanglement.mutual_information_gap import mutual_information_gap
from keras_vae.disentanglement.posterior_mutual_information_gap import (
    posterior_mutual_information_gap,
)
from keras_vae.disentanglement.sap_score import sap_score

# In the order in which they are shown: those that take longest come last.
METRICS: dict[str, Callable] = {
    "mutual_information_gap": mutual_information_gap,
    "posterior_mutual_information_gap": posterior_mutual_information_gap,
    "interventional_robustness": interventional_robustness,
    "gaussian_total_correlation": gaussian_total_correlation,
    "factor_vae_score": factor_vae_score,
    "beta_vae_score": beta_vae_score,
    "sap_score": sap_score,
    "modularity_explicitness": modularity_explicitness,
    "dci": dci,
}
_OF_HELD_FACTORS = ("factor_vae_score", "beta_vae_score")
_OF_TWO_PARTS = ("sap_score", "modularity_explicitness", "dci")


class Points(NamedTuple):
    """Codes and factors of the same images.

    Attributes:
        loc: `[n, latent]`.
        scale: Standard deviations of the same shape, `None` if not known.
        factors: `[n, num_factors]`, none of them constant.
        test_share: The share that a predictor is tested on.
        num_untrained: How many points the metrics take that train nothing.
    """

    loc: np.ndarray
    scale: np.ndarray | None
    factors: np.ndarray
    test_share: float
    num_untrained: int


def chosen(
    metrics: Sequence[str] | Mapping[str, Mapping], argument: str = "metrics"
) -> dict[str, dict]:
    """Metrics and their arguments, by name.

    Raises:
        ValueError: If one is unknown, or there are none.
    """
    several = isinstance(metrics, Sequence | Mapping) and not isinstance(metrics, str)
    if not several or not metrics or not all(name in METRICS for name in metrics):
        raise invalid(argument, f"names out of {list(METRICS)}", metrics)
    if not isinstance(metrics, Mapping):
        return {name: {} for name in metrics}
    if not all(isinstance(given, Mapping) for given in metrics.values()):
        raise invalid(argument, "a dict of arguments for each name, such as {'dci': {}}", metrics)
    return {name: dict(given) for name, given in metrics.items()}


def measure(name: str, given: Mapping, points: Points, seed: int) -> dict[str, object]:
    """One metric, of points.

    Args:
        name: Of the metric.
        given: Its arguments, in place of its defaults.
        points: What it is of.
        seed: Int. Of the metric, unless it takes none.

    Raises:
        ValueError: If the points or an argument are invalid.
    """
    metric = METRICS[name]
    loc, factors, first = points.loc, points.factors, slice(points.num_untrained)
    if name in _OF_HELD_FACTORS:
        return metric((loc, factors), **{"seed": seed, **given})
    if name in _OF_TWO_PARTS:
        split = {"seed": seed, "test_share": points.test_share}
        return metric(loc, factors, **{**split, **given})
    if name == "posterior_mutual_information_gap":
        if points.scale is None:
            raise ValueError(
                "`posterior_mutual_information_gap` needs the standard deviations of q(z|x), and "
                "the encoder gives none. Leave it out of `metrics`, or pass `encode=`, a function "
                'from images to {"loc": ..., "scale": ...}.'
            )
        return metric(loc[first], points.scale[first], factors[first], **{"seed": seed, **given})
    if name == "gaussian_total_correlation":
        return metric(loc[first], **given)
    return metric(loc[first], factors[first], **given)


def varying(factors: np.ndarray, names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """The factors that have more than one value, and their names."""
    factors = np.asarray(factors)
    if factors.ndim != 2:
        raise ValueError(
            "`factors` has the wrong shape. Expected: [n, num_factors]. "
            f"Received: shape {factors.shape}"
        )
    names = list(names) if names is not None else [f"v{k}" for k in range(factors.shape[1])]
    kept = [column for column in range(factors.shape[1]) if np.ptp(factors[:, column]) != 0]
    return factors[:, kept], [names[column] for column in kept]
