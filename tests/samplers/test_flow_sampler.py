"""Tests of the autoregressive flow: a density that adds up to 1, and learns what bends."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.samplers import FlowSampler, GaussianMixtureSampler
from keras_vae.samplers.autoregressive_flow import AutoregressiveFlow


@pytest.fixture
def flow():
    flow = AutoregressiveFlow(2, num_layers=3, hidden_sizes=(8,), seed=0)
    random = np.random.default_rng(0)
    flow.set_weights([0.5 * random.normal(size=weight.shape) for weight in flow.weights])
    return flow


def test_it_begins_as_the_standard_normal():
    flow = AutoregressiveFlow(3, num_layers=2, hidden_sizes=(8,), seed=0)
    codes = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = 0.5 * np.sum(codes**2, axis=1) + 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(flow(codes), expected, rtol=1e-5)


def test_its_density_adds_up_to_one(flow):
    axis = np.linspace(-15, 15, 301, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(-flow(grid).numpy().astype(np.float64)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=0.01)


def test_its_density_is_that_of_its_layers(flow):
    codes = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    noise, nats = codes, np.log(2 * np.pi)
    for network in flow.networks[::-1]:
        shift, raw = np.split(network(noise).numpy(), 2, axis=-1)
        noise = (noise - shift) * np.exp(-np.tanh(raw))
        nats = nats + np.tanh(raw).sum(axis=-1)
    np.testing.assert_allclose(flow(codes), nats + 0.5 * (noise**2).sum(axis=-1), rtol=1e-4)
    pushed = flow.distribution().bijector.forward(tf.constant(noise))
    np.testing.assert_allclose(pushed, codes, atol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("steps_one_by_one")
def test_it_learns_a_curve_that_no_gaussian_knows():
    random = np.random.default_rng(0)
    first = random.normal(size=800)
    codes = np.stack([first, first**2 + 0.2 * random.normal(size=800)], axis=1)
    train, test = codes[:600], codes[600:]
    units = (test - train.mean(axis=0)) / train.std(axis=0)
    flow = FlowSampler(2, (16,), epochs=25, batch_size=60, learning_rate=2e-2).fit(train, seed=1)
    gaussian = GaussianMixtureSampler(1).fit(train)
    nats = -flow.density.distribution().log_prob(units.astype(np.float32)).numpy().mean()
    of_gaussian = -gaussian.distribution().log_prob(units.astype(np.float32)).numpy().mean()
    # The true density is 1.6 nats above the Gaussian's.
    assert nats < of_gaussian - 0.8
    drawn = flow.sample(500, seed=0)
    assert np.corrcoef(drawn[:, 0] ** 2, drawn[:, 1])[0, 1] > 0.9


def test_its_arguments_come_back_from_its_config():
    sampler = FlowSampler(3, (4, 5), epochs=6, batch_size=7, learning_rate=0.5)
    again = FlowSampler.from_config(sampler.get_config())
    assert again.get_config() == sampler.get_config()
    assert (again.num_layers, again.hidden_sizes, again.epochs) == (3, (4, 5), 6)
    assert (again.batch_size, again.learning_rate) == (7, 0.5)
