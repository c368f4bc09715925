import math

import numpy as np
import pytest

from keras_vae.latent_measures import (
    active_units,
    gaussian_kl,
    mutual_information,
    variance_of_means,
)

N = 600


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_a_perfectly_informative_code_tells_the_image(random):
    loc = np.arange(N)[:, None] * np.ones((1, 2))
    information = mutual_information(loc, np.full((N, 2), 1e-3), random.standard_normal((N, 2)))
    assert information == pytest.approx(math.log(N), rel=1e-6)
    assert information <= math.log(N)


def test_a_collapsed_code_tells_nothing(random):
    noise = random.standard_normal((N, 3))
    assert mutual_information(np.zeros((N, 3)), np.ones((N, 3)), noise) == pytest.approx(
        0, abs=1e-6
    )
    np.testing.assert_array_equal(variance_of_means(np.zeros((N, 3))), np.zeros(3))


def test_half_of_the_images_that_share_a_code_leave_one_bit(random):
    # Two far apart clusters: the code tells which of the two, which is log 2.
    loc = np.where(np.arange(N) % 2, 100.0, -100.0)[:, None]
    information = mutual_information(loc, np.ones((N, 1)), random.standard_normal((N, 1)))
    assert information == pytest.approx(math.log(2), rel=1e-6)


def test_a_dimension_without_information_adds_none(random):
    informative = random.standard_normal((N, 1)) * 5
    noise = random.standard_normal((N, 2))
    alone = mutual_information(informative, np.ones((N, 1)), noise[:, :1])
    loc = np.concatenate([informative, np.zeros((N, 1))], axis=1)
    assert mutual_information(loc, np.ones((N, 2)), noise) == pytest.approx(alone, abs=1e-6)


def test_equals_the_definition_summed_pair_by_pair(random):
    loc, noise = random.standard_normal((2, N, 3)) * 2
    scale = np.exp(random.standard_normal((N, 3)) * 0.7)
    codes = loc + scale * noise

    def log_density(z, j):
        return sum(
            -0.5 * ((z[d] - loc[j, d]) / scale[j, d]) ** 2
            - math.log(scale[j, d])
            - 0.5 * math.log(2 * math.pi)
            for d in range(3)
        )

    expected = np.mean(
        [
            log_density(codes[i], i)
            - math.log(np.mean([math.exp(log_density(codes[i], j)) for j in range(N)]))
            for i in range(0, N, 20)
        ]
    )
    every_twentieth = mutual_information_of_rows(loc, scale, noise, slice(0, N, 20))
    assert every_twentieth == pytest.approx(expected, rel=1e-6)


def mutual_information_of_rows(loc, scale, noise, rows):
    """The estimate over some rows, as a weighted mean of the estimate over all of them."""
    codes = loc + scale * noise
    z = codes[rows]
    density = -0.5 * (((z[:, None] - loc) / scale) ** 2).sum(-1) - np.log(scale).sum(-1)
    own = density[np.arange(len(z)), np.arange(len(loc))[rows]]
    every = -0.5 * (((codes[:, None] - loc) / scale) ** 2).sum(-1) - np.log(scale).sum(-1)
    whole = np.mean(np.diag(every) - np.log(np.exp(every).mean(axis=1)))
    assert mutual_information(loc, scale, noise) == pytest.approx(whole, rel=1e-6)
    return np.mean(own - np.log(np.exp(density).mean(axis=1)))


def test_tiny_scales_do_not_cancel(random):
    loc = random.standard_normal((N, 4))
    information = mutual_information(loc, np.full((N, 4), 1e-6), random.standard_normal((N, 4)))
    assert information == pytest.approx(math.log(N), rel=1e-6)


def test_variance_of_means_is_over_the_images():
    loc = np.array([[0.0, 1.0], [2.0, 1.0]])
    np.testing.assert_array_equal(variance_of_means(loc), [1.0, 0.0])


def test_active_is_what_is_above_the_threshold():
    variance = [0.0, 0.01, 0.011, 1.0]
    assert active_units(variance) == 2
    assert active_units(variance, threshold=0.0) == 3


def test_the_kl_of_a_gaussian_is_by_latent_and_in_the_mean_over_images():
    loc, scale = np.array([[0.0, 3.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [1.0, 2.0]])
    kl = gaussian_kl(loc, scale)
    assert kl == pytest.approx([0, (4.5 + 2 - math.log(2)) / 2])
    assert gaussian_kl(loc, scale * 0)[0] == math.inf
