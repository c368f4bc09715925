"""Tests of all measures together."""

import numpy as np
import pytest

from keras_vae import sample_quality


@pytest.fixture(scope="module")
def sets():
    """Twice eighty grey images, of which the second are brighter."""
    random = np.random.default_rng(0)
    dark, other = random.random((2, 80, 28, 28, 1), dtype=np.float32) / 2
    return dark, other + 0.4


def brightness(images):
    return images.mean(axis=(1, 2, 3))[:, None]


def test_it_has_what_every_measure_has(sets):
    found = sample_quality.evaluate(*sets, features=brightness, num_folds=2, seed=1)
    points = tuple(map(brightness, sets))
    assert found == {
        **sample_quality.frechet_distance(*points),
        **sample_quality.precision_recall(*points),
        **sample_quality.two_sample_test(*points, num_folds=2, seed=1),
    }
    assert found["precision"] == 0.0 and found["frechet_distance"] == pytest.approx(0.16, rel=0.05)


def test_by_default_it_takes_the_features_of_the_network_that_ships(sets):
    found = sample_quality.evaluate(*sets, num_folds=2)
    expected = sample_quality.frechet_distance(*map(sample_quality.mnist_features, sets))
    assert found["frechet_distance"] == pytest.approx(expected["frechet_distance"])
