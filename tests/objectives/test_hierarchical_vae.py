"""Tests of the densities of both levels, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_vae.objectives import HierarchicalVAE


@pytest.fixture(params=[0, 3])
def vae(request, make_vae):
    """Three latents, of which the first is the top; both networks between levels bent."""
    made = make_vae(
        HierarchicalVAE,
        num_pseudo_inputs=request.param,
        hidden_sizes=(4,),
        latent_dim=3,
        eager=True,
    )
    random = np.random.default_rng(0)
    for weight in [*made.top_to_bottom.weights, *made.posterior.weights]:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    return made


def log_normal(z, loc, scale):
    return stats.norm.logpdf(np.float64(z), np.float64(loc), np.float64(scale)).sum(axis=-1)


def log_prior(vae, z):
    """Log p(z_2) + log p(z_1|z_2)."""
    if vae.num_pseudo_inputs:
        of_inputs = {key: value[:, :1] for key, value in vae.encoder(vae.pseudo_inputs).items()}
        by_input = log_normal(z[:, None, :1], of_inputs["loc"], of_inputs["scale"])
        top = special.logsumexp(by_input, axis=1) - np.log(vae.num_pseudo_inputs)
    else:
        top = log_normal(z[:, :1], 0, 1)
    shift, raw = np.split(vae.top_to_bottom(z[:, :1]).numpy(), 2, axis=1)
    return top + log_normal(z[:, 1:], shift, np.exp(np.tanh(raw)))


def test_the_prior_is_that_of_the_top_and_of_the_bottom_given_it(vae):
    z = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")
    found = vae.prior_distribution().log_prob(z)
    np.testing.assert_allclose(found, log_prior(vae, z), rtol=1e-4)


def test_the_kl_is_of_both_levels_at_the_sample(vae, images):
    noise = np.float64(vae.noise(20, (3,), training=True))
    parameters = {key: np.float64(value) for key, value in vae.encoder(images).items()}
    z = parameters["loc"] + parameters["scale"] * noise
    context = np.concatenate([z[:, :1], parameters["loc"], parameters["scale"]], axis=1)
    shift, raw = np.split(np.float64(vae.posterior.networks[0](np.float32(context))), 2, axis=1)
    # q(z_1|x, z_2): the encoder's Gaussian, shifted and scaled as z_2 says.
    loc = parameters["loc"][:, 1:] * np.exp(np.tanh(raw)) + shift
    scale = parameters["scale"][:, 1:] * np.exp(np.tanh(raw))
    z = np.concatenate([z[:, :1], loc + scale * noise[:, 1:]], axis=1)
    log_posterior = log_normal(z[:, :1], parameters["loc"][:, :1], parameters["scale"][:, :1])
    log_posterior += log_normal(z[:, 1:], loc, scale)
    kl = np.mean(log_posterior - log_prior(vae, np.float32(z)))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-4)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + kl, rel=1e-4)


def test_draws_of_the_prior_have_its_density(vae):
    prior = vae.prior_distribution()
    z = prior.sample(4000, seed=tf.constant([1, 2])).numpy()
    shift, raw = np.split(vae.top_to_bottom(z[:, :1]).numpy(), 2, axis=1)
    noise = (z[:, 1:] - shift) / np.exp(np.tanh(raw))
    # Given the top, what the bottom is made of is N(0, I), whatever the top.
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:, 0], z[:, 0])[0, 1]) < 5 / np.sqrt(4000)
    assert vae.sample(3, seed=0).shape == (3, 4, 4, 1)


def test_pseudo_inputs_and_what_is_between_the_levels_are_trained(vae, images):
    parts = [vae.top_to_bottom.weights[0], vae.posterior.weights[0]]
    parts += [vae.pseudo_inputs] if vae.num_pseudo_inputs else []
    before = [part.numpy() for part in parts]
    vae.train_on_batch(images)
    for part, old in zip(parts, before, strict=True):
        assert np.abs(part.numpy() - old).max() > 1e-3
