"""Tests of the decomposed KL: its densities in NumPy, its sum, its mean, its limits."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.distributions import diagonal_normal, reparameterized_sample
from keras_vae.objectives import BetaTCVAE
from keras_vae.objectives.aggregate_posterior import log_densities

RANDOM = np.random.default_rng(0)
BATCH, LATENTS = 5, 3
LOC = RANDOM.normal(size=(BATCH, LATENTS)).astype("float32")
SCALE = RANDOM.uniform(0.3, 1.5, size=(BATCH, LATENTS)).astype("float32")
Z = LOC + SCALE * RANDOM.normal(size=(BATCH, LATENTS)).astype("float32")


def densities_by_hand(z, loc, scale, weights):
    """log q(z|x), log q(z), log prod_j q(z_j), where `weights[i][j]` is image j's for sample i."""
    z, loc, scale = (np.float64(value) for value in (z, loc, scale))
    each = np.exp(-0.5 * ((z[:, None] - loc) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    given = np.log(np.prod(each[np.arange(len(z)), np.arange(len(z))], axis=-1))
    joint = np.log(np.sum(weights * np.prod(each, axis=-1), axis=1))
    product = np.sum(np.log(np.sum(weights[..., None] * each, axis=1)), axis=-1)
    return given, joint, product


def stratified_weights(batch, size):
    """Chen et al. (2018), appendix C.2: of the own image, of one for all outside, of the others."""
    weights = np.full((batch, batch), 1 / (batch - 1))
    for i in range(batch):
        weights[i, i] = 1 / size
        weights[i, (i + 1) % batch] = (size - batch + 1) / (size * (batch - 1))
    return weights


@pytest.mark.parametrize(
    ("arguments", "weights"),
    [
        ((None, False), np.full((BATCH, BATCH), 1 / BATCH)),
        ((40, False), np.full((BATCH, BATCH), 1 / (BATCH * 40))),
        ((40, True), stratified_weights(BATCH, 40)),
    ],
    ids=["batch as data", "weighted", "stratified"],
)
def test_densities_are_the_papers(arguments, weights):
    found = log_densities(diagonal_normal(LOC, SCALE), Z, *arguments)
    expected = densities_by_hand(Z, LOC, SCALE, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_stratified_weights_of_a_sample_sum_to_one():
    np.testing.assert_allclose(stratified_weights(BATCH, 40).sum(axis=1), 1)


def test_with_the_data_as_batch_the_mixture_is_the_aggregate():
    posterior = diagonal_normal(LOC, SCALE)
    _, joint, product = log_densities(posterior, Z)
    aggregate = keras_vae.distributions.mixture(tf.zeros([BATCH]), posterior)
    np.testing.assert_allclose(joint, aggregate.log_prob(Z), rtol=1e-5)
    marginals = [
        keras_vae.distributions.mixture(
            tf.zeros([BATCH]), diagonal_normal(LOC[:, j : j + 1], SCALE[:, j : j + 1])
        ).log_prob(Z[:, j : j + 1])
        for j in range(LATENTS)
    ]
    np.testing.assert_allclose(product, np.sum(marginals, axis=0), rtol=1e-5)


def test_stratified_sampling_has_the_aggregates_density_as_its_mean():
    # All ordered batches of three of the five images that begin with the same one: an exact mean.
    found = []
    for others in itertools.permutations(range(1, BATCH), 2):
        batch = [0, *others]
        z = tf.repeat(Z[:1], 3, axis=0)
        posterior = diagonal_normal(LOC[batch], SCALE[batch])
        _, joint, _ = log_densities(posterior, z, BATCH, stratified=True)
        found.append(np.exp(np.float64(joint[0])))
    aggregate = keras_vae.distributions.mixture(tf.zeros([BATCH]), diagonal_normal(LOC, SCALE))
    assert np.std(found) > 1e-3 * np.mean(found)
    assert np.mean(found) == pytest.approx(float(tf.exp(aggregate.log_prob(Z[0]))), rel=1e-4)


@pytest.mark.parametrize("arguments", [{}, {"sampling": "stratified", "dataset_size": 50}])
def test_the_terms_sum_to_the_sampled_kl(make_vae, images, arguments):
    vae = make_vae(BetaTCVAE, eager=True, **arguments)
    posterior = vae.encode(images)
    z = vae.reparameterize(posterior, vae.noise(20, (vae.latent_dim,), training=True))
    terms = vae.regularizers(posterior, z, vae.kl_divergence(posterior, z), training=True)
    assert list(terms) == ["mutual_information", "total_correlation", "dimension_wise_kl"]
    total = sum(nats for _, nats in terms.values())
    sampled = posterior.log_prob(z) - vae.prior_distribution().log_prob(z)
    np.testing.assert_allclose(total, sampled, atol=1e-5)


def test_at_one_each_it_is_the_vae_in_the_mean(make_vae, images):
    vae = make_vae(BetaTCVAE, alpha=1.0, beta=1.0, gamma=1.0, eager=True)
    plain = make_vae(eager=True)
    logs, expected = (
        model.evaluate(images, batch_size=20, verbose=0, return_dict=True) for model in (vae, plain)
    )
    assert logs["reconstruction_loss"] == expected["reconstruction_loss"]
    posterior = vae.encode(images)
    noise = RANDOM.normal(size=(500, 20, 2)).astype("float32")

    @tf.function
    def total(z):
        terms = vae.regularizers(posterior, z, None, training=True)
        return tf.add_n([weight * tf.reduce_mean(nats) for weight, nats in terms.values()])

    totals = [float(total(z)) for z in reparameterized_sample(posterior, noise)]
    # Four standard errors of the mean over 500 draws of noise.
    error = 4 * np.std(totals) / np.sqrt(500)
    assert abs(np.mean(totals) - expected["kl_loss"]) < error < 0.05


def test_what_the_latents_share_counts_as_total_correlation():
    # Codes on a line: z_2 = z_1, but for a little noise.
    line = RANDOM.normal(size=(400, 1)).astype("float32") * np.ones((1, 2), "float32")
    z = line + 0.05 * RANDOM.normal(size=line.shape).astype("float32")
    _, joint, product = log_densities(diagonal_normal(line, np.full_like(line, 0.05)), z)
    assert np.mean(joint - product) > 1.5
    apart = RANDOM.normal(size=(400, 2)).astype("float32")
    z = apart + 0.5 * RANDOM.normal(size=apart.shape).astype("float32")
    _, joint, product = log_densities(diagonal_normal(apart, np.full_like(apart, 0.5)), z)
    assert abs(np.mean(joint - product)) < 0.3


@pytest.mark.parametrize(
    "arguments", [{"sampling": "random"}, {"sampling": "stratified"}], ids=["unknown", "no size"]
)
def test_sampling_is_checked(make_vae, arguments):
    with pytest.raises(ValueError, match=r"`sampling`.*'stratified'\].*dataset_size.*Received"):
        make_vae(BetaTCVAE, **arguments)


def test_a_posterior_that_does_not_factorise_is_refused(make_vae, images):
    vae = make_vae(BetaTCVAE, posterior="coupling_flow", eager=True)
    with pytest.raises(ValueError, match=r"factorises over them. Received: posterior"):
        vae.train_on_batch(images)
