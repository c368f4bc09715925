"""Tests of the second-stage VAE."""

import numpy as np
import pytest

from keras_vae.samplers import SecondStageSampler


@pytest.fixture(scope="module")
def codes():
    """Two clusters on a line: the mean of all lies where no code is."""
    random = np.random.default_rng(0)
    sign = random.choice([-1.0, 1.0], size=(600, 1))
    return sign * [3.0, -6.0] + random.normal(size=(600, 2)) * [0.3, 0.6]


@pytest.mark.slow
@pytest.mark.usefixtures("steps_one_by_one")
def test_it_draws_from_the_clusters_of_the_codes(codes):
    sampler = SecondStageSampler(None, (32,), epochs=40, batch_size=60, learning_rate=1e-2)
    drawn = sampler.fit(codes, seed=1).sample(1000, seed=0)
    assert sampler.density.latent_dim == 2
    np.testing.assert_allclose(drawn.std(axis=0), codes.std(axis=0), rtol=0.2)
    # Of N(0, I) stretched to the same mean and deviation, a third lies between the clusters.
    assert np.mean(abs(drawn[:, 0]) < 1) < 0.15
    assert 0.3 < np.mean(drawn[:, 0] > 0) < 0.7


@pytest.mark.usefixtures("steps_one_by_one")
def test_it_draws_the_noise_of_the_likelihood_too(codes):
    sampler = SecondStageSampler(1, (4,), epochs=1, batch_size=600).fit(codes)
    sampler.density.decoder.set_weights([0 * w for w in sampler.density.decoder.get_weights()])
    drawn = sampler.sample(2000, seed=0)
    scale = sampler.density.decode(np.zeros((1, 1), np.float32)).stddev().numpy()[0]
    np.testing.assert_allclose(drawn.std(axis=0), scale * codes.std(axis=0), rtol=0.1)


def test_its_arguments_come_back_from_its_config():
    sampler = SecondStageSampler(3, (4, 5), epochs=6)
    config = SecondStageSampler.from_config(sampler.get_config()).get_config()
    assert config == sampler.get_config()
    assert (config["latent_dim"], config["hidden_sizes"], config["epochs"]) == (3, (4, 5), 6)
