"""Tests of the flows: their Jacobians, densities and samples, and what undoes them."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae import distributions
from keras_vae.distributions import CouplingFlow, HouseholderFlow, InverseAutoregressiveFlow

RANDOM = np.random.default_rng(0)
LOC = RANDOM.normal(size=(4, 3)).astype("float32")
SCALE = RANDOM.uniform(0.3, 1.5, size=(4, 3)).astype("float32")
NOISE = RANDOM.normal(size=(4, 3)).astype("float32")
each_flow = pytest.mark.parametrize(
    "cls", [CouplingFlow, InverseAutoregressiveFlow, HouseholderFlow]
)
begins_as_identity = pytest.mark.parametrize("cls", [CouplingFlow, InverseAutoregressiveFlow])


def bent_flow(cls=CouplingFlow, latents=3, **arguments):
    """A flow with random weights, so that it is far from the identity."""
    if cls is not HouseholderFlow:
        arguments["hidden_sizes"] = (8,)
    flow = cls(**arguments)
    flow.build((None, latents))
    random = np.random.default_rng(1)
    for weight in flow.weights:
        weight.assign(random.normal(scale=0.6, size=weight.shape))
    return flow


@begins_as_identity
@pytest.mark.parametrize(("num_layers", "latents"), [(1, 2), (2, 3), (3, 3)])
def test_a_flow_begins_as_the_factorised_gaussian(num_layers, latents, cls):
    flow = cls(num_layers)
    flow.build((None, latents))
    loc, scale, noise = LOC[:, :latents], SCALE[:, :latents], NOISE[:, :latents]
    posterior = flow.distribution({"loc": loc, "scale": scale})
    assert (posterior.batch_shape, posterior.event_shape) == ((4,), (latents,))
    z = distributions.reparameterized_sample(posterior, noise)
    np.testing.assert_allclose(z, loc + scale * noise, rtol=1e-5)
    plain = distributions.diagonal_normal(loc, scale)
    np.testing.assert_allclose(posterior.log_prob(z), plain.log_prob(z), rtol=1e-5)
    np.testing.assert_allclose(posterior.mean(), loc, rtol=1e-5)
    # Of 64 fixed draws: 0.09 is the standard error of a deviation, relative to it.
    np.testing.assert_allclose(posterior.stddev(), scale, rtol=0.3)


@each_flow
@pytest.mark.parametrize(("num_layers", "latents"), [(1, 2), (4, 3)])
def test_a_flows_log_determinant_is_its_jacobians(num_layers, latents, cls):
    loc, scale = LOC[:, :latents], SCALE[:, :latents]
    flow = bent_flow(cls, latents, num_layers=num_layers)
    posterior = flow.distribution({"loc": loc, "scale": scale})
    noise = tf.constant(NOISE[:, :latents])
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z = distributions.reparameterized_sample(posterior, noise)
    determinant = np.linalg.slogdet(np.float64(tape.batch_jacobian(z, noise)))[1]
    assert np.abs(z - (loc + scale * noise)).max() > 0.1
    found = posterior.bijector.forward_log_det_jacobian(noise, event_ndims=1)
    np.testing.assert_allclose(found, determinant, rtol=1e-4, atol=1e-5)
    base = -0.5 * np.sum(np.square(noise) + np.log(2 * np.pi), axis=1)
    np.testing.assert_allclose(posterior.log_prob(z), base - determinant, rtol=1e-4, atol=1e-5)


@each_flow
def test_a_flow_is_undone_by_its_inverse(cls):
    # A distribution made anew, so that no cached pair answers.
    parameters = {"loc": LOC, "scale": SCALE}
    flow = bent_flow(cls)
    z = distributions.reparameterized_sample(flow.distribution(parameters), NOISE).numpy()
    again = flow.distribution(parameters)
    np.testing.assert_allclose(again.bijector.inverse(z), NOISE, atol=1e-4)
    cached = flow.distribution(parameters)
    sample = distributions.reparameterized_sample(cached, NOISE)
    np.testing.assert_allclose(again.log_prob(z), cached.log_prob(sample), rtol=1e-4)


@each_flow
def test_a_flows_density_integrates_to_one_and_has_the_moments_of_its_samples(cls):
    posterior = bent_flow(cls, 2, num_layers=2).distribution(
        {"loc": LOC[:1, :2], "scale": SCALE[:1, :2]}
    )
    noise = RANDOM.normal(size=(20_000, 1, 2)).astype("float32")
    samples = distributions.reparameterized_sample(posterior, noise).numpy()[:, 0]
    # Midpoints of 600 x 600 cells over six standard deviations more than the samples span.
    low, high = samples.min(axis=0) - 1, samples.max(axis=0) + 1
    axes = [low[i] + (np.arange(600) + 0.5) * (high[i] - low[i]) / 600 for i in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    density = np.exp(np.float64(posterior.log_prob(np.float32(grid)))[:, 0])
    density *= np.prod((high - low) / 600)
    assert density.sum() == pytest.approx(1, abs=5e-3)
    mean = density @ grid[:, 0]
    error = 5 * samples.std(axis=0) / np.sqrt(20_000)
    assert np.all(np.abs(mean - samples.mean(axis=0)) < error + 1e-2)
    half = samples[:, 0] < mean[0]
    share = density[grid[:, 0, 0] < mean[0]].sum()
    assert half.mean() == pytest.approx(share, abs=5 * 0.5 / np.sqrt(20_000) + 5e-3)


@each_flow
def test_a_flow_takes_several_samples_an_image(cls):
    posterior = bent_flow(cls).distribution({"loc": LOC, "scale": SCALE})
    z = distributions.reparameterized_sample(posterior, np.stack([NOISE, 2 * NOISE]))
    assert z.shape == (2, 4, 3) and posterior.log_prob(z).shape == (2, 4)
    one = distributions.reparameterized_sample(posterior, NOISE)
    np.testing.assert_allclose(z[0], one, rtol=1e-5)


@pytest.mark.slow
@each_flow
def test_a_flow_of_several_layers_is_one_compiled_function(cls):
    flow = bent_flow(cls)

    def drawn(noise):
        posterior = flow.distribution({"loc": LOC, "scale": SCALE})
        z = distributions.reparameterized_sample(posterior, noise)
        return z, posterior.log_prob(z)

    compiled = tf.function(drawn, jit_compile=True)
    for found, expected in zip(compiled(tf.constant(NOISE)), drawn(NOISE), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # What was drawn is not undone latent by latent: the flow remembers where it came from.
    graph = tf.function(drawn).get_concrete_function(tf.constant(NOISE)).graph
    assert not [operation.type for operation in graph.get_operations() if "While" in operation.type]


def test_an_inverse_autoregressive_layer_by_hand():
    flow = bent_flow(InverseAutoregressiveFlow, num_layers=2)
    posterior = flow.distribution({"loc": LOC, "scale": SCALE})
    z, log_density = np.float64(LOC + SCALE * NOISE), -np.log(np.float64(SCALE)).sum(axis=1)
    log_density -= 0.5 * np.sum(np.float64(NOISE) ** 2 + np.log(2 * np.pi), axis=1)
    for network, order in zip(flow.networks, ([0, 1, 2], [2, 1, 0]), strict=True):
        shift, raw = np.split(network(np.concatenate([z, LOC, SCALE], axis=1)), 2, axis=1)
        # Latents change one after the other; what comes later must not be seen.
        for place, latent in enumerate(order):
            hidden = z.copy()
            hidden[:, order[place:]] = 1e3
            again = np.split(network(np.concatenate([hidden, LOC, SCALE], axis=1)), 2, axis=1)
            np.testing.assert_allclose(again[0][:, latent], shift[:, latent], rtol=1e-5)
            np.testing.assert_allclose(again[1][:, latent], raw[:, latent], rtol=1e-5)
        z = (z - shift) * np.exp(-np.tanh(raw))
        log_density += np.tanh(raw).sum(axis=1)
    found = distributions.reparameterized_sample(posterior, NOISE)
    np.testing.assert_allclose(found, z, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(posterior.log_prob(found), log_density, rtol=1e-4)


def test_reflections_by_hand_are_a_gaussian_of_full_covariance():
    flow = bent_flow(HouseholderFlow, num_layers=3)
    posterior = flow.distribution({"loc": LOC, "scale": SCALE})
    normal = np.concatenate([LOC, SCALE], axis=1).astype("float64")
    rotation = np.stack([np.eye(3)] * 4)
    for layer in flow.normals:
        normal = normal @ layer.kernel.numpy() + layer.bias.numpy()
        unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        rotation = (np.eye(3) - 2 * unit[:, :, None] * unit[:, None]) @ rotation
    z = distributions.reparameterized_sample(posterior, NOISE)
    expected = np.einsum("bij,bj->bi", rotation, np.float64(LOC + SCALE * NOISE))
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)
    covariance = np.einsum("bij,bj,bkj->bik", rotation, np.float64(SCALE) ** 2, rotation)
    for image in range(4):
        mean = rotation[image] @ LOC[image]
        density = stats.multivariate_normal(mean, covariance[image]).logpdf(z[image])
        assert float(posterior.log_prob(z)[image]) == pytest.approx(density, rel=1e-4)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (CouplingFlow, {"num_layers": 0}),
        (CouplingFlow, {"hidden_sizes": (0,)}),
        (InverseAutoregressiveFlow, {"num_layers": 1.5}),
        (InverseAutoregressiveFlow, {"hidden_sizes": 8}),
        (HouseholderFlow, {"num_layers": True}),
    ],
)
def test_a_flow_needs_layers(cls, arguments):
    with pytest.raises(ValueError, match=r"Expected a .*positive integer.*Received: (num|hid)"):
        cls(**arguments)


def test_a_flow_needs_two_latents():
    with pytest.raises(ValueError, match=r"two latents or more. Received: 1"):
        distributions.CouplingFlow().build((None, 1))
