"""Thresholds against what theory says of order statistics."""

import numpy as np
import pytest
from scipy import stats

from keras_vae.anomaly import threshold


def test_it_is_the_order_statistic_of_split_conformal_prediction():
    found = threshold(np.arange(99)[::-1], 0.05)
    assert found.value == 94  # Number 95 of 99 from below.
    assert found.num_scores == 99
    assert list(found.is_strange([94, 94.5])) == [False, True]
    assert threshold(np.arange(19), 0.05).value == 18


def test_what_is_no_number_is_neither_strange_nor_usual():
    with pytest.raises(ValueError, match="Received: 1 of 2 that are NaN"):
        threshold(np.arange(19)).is_strange([3.0, np.nan])


@pytest.mark.parametrize("count", [1, 6, 10, 18, 999])
def test_the_rate_that_is_advised_is_one_that_works(count):
    with pytest.raises(ValueError, match=r"ask for a rate of ([\d.]+) or more\.") as raised:
        threshold(np.arange(count), 1e-4)
    rate = float(str(raised.value).split("a rate of ")[1].split(" ")[0])
    assert threshold(np.arange(count), rate).value == count - 1


def test_the_interval_is_that_of_the_order_statistics_beta():
    found = threshold(np.random.default_rng(0).normal(size=500), 0.1, confidence=0.9)
    rank = 451
    expected = stats.beta(500 + 1 - rank, rank).ppf([0.05, 0.95])
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-6)
    assert found.low < 0.1 < found.high


def test_the_true_rate_is_as_wanted_on_average_and_within_as_often_as_it_says():
    generator = np.random.default_rng(0)
    rates, within = [], []
    for _ in range(2000):
        found = threshold(generator.normal(size=60), 0.1, confidence=0.8)
        rates.append(stats.norm.sf(found.value))
        within.append(found.low <= rates[-1] <= found.high)
    # Of a Beta(6, 55): five standard errors of the mean of 2,000.
    assert np.mean(rates) == pytest.approx(6 / 61, abs=5 * 0.0378 / 2000**0.5)
    assert np.mean(within) == pytest.approx(0.8, abs=5 * (0.16 / 2000) ** 0.5)


def test_it_says_what_it_is():
    text = str(threshold(np.arange(99.0), 0.05))
    assert text.startswith("94: false alarms 0.05 as wanted, between 0.01")
    assert text.endswith("with probability 0.95 (99 held-out scores)")


@pytest.mark.parametrize(
    ("scores", "arguments", "message"),
    [
        (np.arange(10.0), {}, "needs at least 19 held-out scores. Received: 10. Hold out more"),
        (np.arange(98.0), {"false_alarm_rate": 0.01}, "needs at least 99"),
        ([1.0, np.nan], {}, r"finite numbers, one for .* Received: shape \[2\], 1 not finite"),
        ([[1.0]], {}, r"finite numbers, one for .* Received: shape \[1, 1\], 0 not"),
        ([], {}, r"Received: 0. Hold out more examples\.$"),
        (np.arange(99.0), {"false_alarm_rate": 0}, "`false_alarm_rate`. Expected a number between"),
        (np.arange(99.0), {"false_alarm_rate": 5}, "`false_alarm_rate`. Expected a number between"),
        (np.arange(99.0), {"confidence": 1}, "`confidence`. Expected a number between"),
    ],
)
def test_what_it_cannot_do_is_said(scores, arguments, message):
    with pytest.raises(ValueError, match=message):
        threshold(scores, **arguments)
