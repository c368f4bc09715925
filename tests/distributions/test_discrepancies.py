"""Tests of the maximum mean discrepancy against NumPy and against samples that are known."""

import numpy as np
import pytest

from keras_vae.distributions import KERNELS, maximum_mean_discrepancy

RANDOM = np.random.default_rng(0)


def mmd_by_hand(x, y, kernel):
    """Gretton et al. (2012), equation 3, pair by pair, float64."""
    latents = x.shape[1]

    def similarity(a, b):
        squared = np.sum((np.float64(a) - b) ** 2)
        return (
            np.exp(-squared / latents) if kernel == "rbf" else 2 * latents / (2 * latents + squared)
        )

    def within(a):
        return np.mean(
            [similarity(p, q) for i, p in enumerate(a) for j, q in enumerate(a) if i != j]
        )

    return within(x) + within(y) - 2 * np.mean([similarity(p, q) for p in x for q in y])


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_unbiased_estimate_of_the_paper(kernel):
    x = RANDOM.normal(size=(9, 3)).astype("float32")
    y = RANDOM.normal(loc=0.5, size=(6, 3)).astype("float32")
    found = float(maximum_mean_discrepancy(x, y, kernel))
    assert found == pytest.approx(mmd_by_hand(x, y, kernel), rel=1e-4, abs=1e-6)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_distributions_have_none_in_the_mean_and_others_some(kernel):
    def estimates(shift=0.0, spread=1.0):
        pairs = RANDOM.normal(size=(200, 2, 32, 3)).astype("float32")
        return np.array(
            [float(maximum_mean_discrepancy(x, shift + spread * y, kernel)) for x, y in pairs]
        )

    equal = estimates()
    error = equal.std() / np.sqrt(200)
    # Four standard errors of the mean over 200 pairs of samples; single estimates have both signs.
    assert abs(equal.mean()) < 4 * error < 0.02
    assert equal.min() < 0 < equal.max()
    for others in (estimates(shift=0.5), estimates(spread=0.3)):
        assert others.mean() > 10 * error


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_point_has_no_pairs_within(kernel):
    point = np.zeros((1, 2), "float32")
    assert float(maximum_mean_discrepancy(point, point, kernel)) == -2.0


def test_the_heavy_tail_still_sees_a_code_that_is_far_away():
    near = np.zeros((2, 2), "float32")
    far = near + np.float32(30.0)
    slopes = {}
    for kernel in KERNELS:
        here, farther = (float(maximum_mean_discrepancy(near, far + d, kernel)) for d in (0.0, 5.0))
        slopes[kernel] = farther - here
    assert slopes["rbf"] == 0.0 and slopes["imq"] > 1e-4
