"""From a wanted rate of false alarms to the score that raises one."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from tensorflow_probability import distributions as tfd

from keras_vae import arguments


@dataclass(frozen=True)
class Threshold:
    """A score above which an example counts as strange.

    Attributes:
        value: The score.
        false_alarm_rate: The rate that was wanted.
        low, high: Between these the true rate is, with probability `confidence` over the choice of
            the held-out examples.
        confidence: That probability.
        num_scores: How many held-out scores it comes from.
    """

    value: float
    false_alarm_rate: float
    low: float
    high: float
    confidence: float
    num_scores: int

    def is_strange(self, scores) -> np.ndarray:
        """Whether each of some scores is above the threshold, `[n]` of bool.

        Raises:
            ValueError: If a score is NaN, of which nobody can tell.
        """
        scores = np.asarray(scores, np.float64)
        if np.isnan(scores).any():
            raise ValueError(
                "`scores` must be numbers. "
                f"Received: {np.isnan(scores).sum()} of {scores.size} that are NaN, which are "
                "neither strange nor usual. Look for what made them."
            )
        return scores > self.value

    def __str__(self):
        return (
            f"{self.value:.6g}: false alarms {self.false_alarm_rate:.3g} as wanted, between "
            f"{self.low:.3g} and {self.high:.3g} with probability {self.confidence:g} "
            f"({self.num_scores} held-out scores)"
        )


def threshold(scores, false_alarm_rate: float = 0.05, confidence: float = 0.95) -> Threshold:
    """The lowest score whose rate of false alarms is at most as wanted, on average.

    Of n held-out scores in ascending order it is number ceil((n + 1)(1 - rate)): a new example of
    the same kind is above it with a probability of at most `false_alarm_rate`, whatever the
    distribution of the scores is (split conformal prediction: Vovk, Gammerman & Shafer,
    "Algorithmic learning in a random world", 2005). Given these very examples the true rate is
    another one: for continuous scores it has the distribution Beta(n + 1 - k, k) of the k-th
    smallest, whose quantiles are `low` and `high`.

    Args:
        scores: `[n]`. Of examples that are not strange and that the model has not been trained on:
            training examples have lower scores, and a threshold from them raises more alarms.
        false_alarm_rate: Float in (0, 1). Defaults to `0.05`.
        confidence: Float in (0, 1), of the interval from `low` to `high`. Defaults to `0.95`.

    Returns:
        A `Threshold`.

    Raises:
        ValueError: If an argument is invalid, a score is not finite, or there are too few scores
            for a rate as low as that.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(
            "`scores` must be finite numbers, one for each held-out example. "
            f"Received: shape {list(scores.shape)}, {(~np.isfinite(scores)).sum()} not finite"
        )
    false_alarm_rate = arguments.share("false_alarm_rate", false_alarm_rate)
    confidence = arguments.share("confidence", confidence)
    needed = math.ceil(1 / false_alarm_rate - 1e-9) - 1
    if len(scores) < needed:
        raise ValueError(
            f"A false alarm rate of {false_alarm_rate} needs at least {needed} held-out scores. "
            f"Received: {len(scores)}. Hold out more examples"
            + (
                f", or ask for a rate of {_least_rate(len(scores)):g} or more."
                if len(scores)
                else "."
            )
        )
    # The tolerance keeps 0.05 of 99 + 1 the fifth from above, which rounding makes the sixth.
    rank = math.ceil((len(scores) + 1) * (1 - false_alarm_rate) - 1e-9)
    low, high = _interval(len(scores), rank, confidence)
    return Threshold(
        value=float(np.sort(scores)[rank - 1]),
        false_alarm_rate=false_alarm_rate,
        low=low,
        high=high,
        confidence=confidence,
        num_scores=len(scores),
    )


def _least_rate(count):
    """The least rate that so many scores are enough for, rounded up to ten-thousandths."""
    return math.ceil(10_000 / (count + 1)) / 10_000


@functools.cache
def _interval(count, rank, confidence):
    """Quantiles of the share of continuous scores above that rank among so many of them."""
    rate = tfd.Beta(np.float64(count + 1 - rank), np.float64(rank))
    tail = (1 - confidence) / 2
    return tuple(float(rate.quantile(np.float64(share))) for share in (tail, 1 - tail))
