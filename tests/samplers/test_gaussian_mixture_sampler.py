"""Tests of the mixture against scikit-learn's own density, and on codes of known clusters."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from keras_vae.samplers import GaussianMixtureSampler

CENTRES = np.array([[-5.0, 0.0], [5.0, 0.0], [0.0, 8.0]])


@pytest.fixture(scope="module")
def codes():
    random = np.random.default_rng(0)
    which = random.choice(3, 600, p=[0.5, 0.3, 0.2])
    return CENTRES[which] + random.normal(size=(600, 2)) @ [[1.0, 0.6], [0.0, 0.5]]


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_its_density_is_that_of_scikit_learn(codes, covariance):
    sampler = GaussianMixtureSampler(3, covariance).fit(codes, seed=2)
    standardised = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    expected = GaussianMixture(3, covariance_type=covariance, random_state=2, max_iter=200)
    expected = expected.fit(standardised.astype(np.float32).astype(np.float64))
    points = standardised[:50].astype(np.float32)
    found = sampler.distribution().log_prob(points)
    np.testing.assert_allclose(found, expected.score_samples(points), rtol=1e-3, atol=1e-3)


def test_its_draws_have_the_clusters_of_the_codes(codes):
    drawn = GaussianMixtureSampler(3).fit(codes).sample(4000, seed=1)
    nearest = np.argmin(((drawn[:, None] - CENTRES) ** 2).sum(axis=-1), axis=1)
    # The shares of 600 codes and of 4,000 draws are off by 0.02 and 0.008.
    np.testing.assert_allclose(np.bincount(nearest) / 4000, [0.5, 0.3, 0.2], atol=0.06)
    for index, centre in enumerate(CENTRES):
        own = drawn[nearest == index]
        np.testing.assert_allclose(own.mean(axis=0), centre, atol=0.25)
        np.testing.assert_allclose(np.cov(own.T), [[1.0, 0.6], [0.6, 0.61]], atol=0.25)


def test_without_scikit_learn_it_says_what_to_install(codes, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="`GaussianMixtureSampler` needs the package"):
        GaussianMixtureSampler(3).fit(codes)
