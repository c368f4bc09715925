"""Tests of the priors: their densities in NumPy, their samples, and that they learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import distributions

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=(7, 2)).astype("float32")


def normal_by_hand(z, loc, scale):
    """log N(z; loc, diag(scale^2)), summed over the last axis, float64."""
    z, loc, scale = (np.float64(value) for value in (z, loc, scale))
    return np.sum(
        -0.5 * ((z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi), axis=-1
    )


def scattered_mixture():
    """A mixture of three components, all of whose parameters are random."""
    prior = distributions.GaussianMixture(3)
    prior.build((None, 2))
    random = np.random.default_rng(1)
    for parameter in (prior.loc, prior.raw_scale, prior.logits):
        parameter.assign(random.normal(size=parameter.shape))
    return prior


def mixture_by_hand(prior):
    """Weights, means and standard deviations of the components, float64."""
    logits, loc, raw = (np.float64(p) for p in (prior.logits, prior.loc, prior.raw_scale))
    return np.exp(logits) / np.exp(logits).sum(), loc, np.logaddexp(0, raw) + 0.01


def test_the_standard_normal_is_one():
    prior = distributions.get_prior("standard_normal").distribution(2)
    assert (prior.batch_shape, prior.event_shape) == ((), (2,))
    np.testing.assert_allclose(prior.log_prob(Z), normal_by_hand(Z, 0.0, 1.0), rtol=1e-5)


def test_the_mixtures_density_is_the_formula():
    prior = scattered_mixture()
    weights, loc, scale = mixture_by_hand(prior)
    found = prior.distribution(2)
    assert (found.batch_shape, found.event_shape) == ((), (2,))
    components = normal_by_hand(Z[:, None], loc, scale)
    expected = np.log(np.exp(components) @ weights)
    np.testing.assert_allclose(found.log_prob(Z), expected, rtol=1e-5)


def test_samples_of_the_mixture_have_its_mean():
    prior = scattered_mixture()
    weights, loc, scale = mixture_by_hand(prior)
    samples = prior.distribution(2).sample(20_000, seed=tf.constant([1, 2])).numpy()
    mean = weights @ loc
    variance = weights @ (scale**2 + loc**2) - mean**2
    # Five standard errors of the mean of 20,000 draws.
    assert np.all(np.abs(samples.mean(axis=0) - mean) < 5 * np.sqrt(variance / 20_000))
    np.testing.assert_allclose(samples.var(axis=0), variance, rtol=0.05)


def test_the_mixture_starts_near_the_standard_normal():
    prior = distributions.GaussianMixture(200)
    prior.build((None, 2))
    weights, loc, scale = mixture_by_hand(prior)
    np.testing.assert_allclose(weights, 1 / 200, rtol=1e-5)
    np.testing.assert_allclose(scale, 1.0, atol=0.02)
    # Five standard errors of the mean of 200 draws of N(0, 1).
    assert np.all(np.abs(loc.mean(axis=0)) < 5 / np.sqrt(200))
    assert len(np.unique(loc, axis=0)) == 200


def test_a_component_cannot_collapse():
    prior = scattered_mixture()
    prior.raw_scale.assign(-100 * np.ones((3, 2)))
    at_mean = float(prior.distribution(2).log_prob(prior.loc[0]))
    assert np.isfinite(at_mean) and at_mean < normal_by_hand(0.0, [0.0, 0.0], 0.01) + 1e-3


def test_the_mixture_is_learned_and_saved(make_vae, images, tmp_path):
    vae = make_vae(prior=distributions.GaussianMixture(3))
    before = [weight.numpy() for weight in vae.prior.trainable_weights]
    many = np.tile(images, (20, 1, 1, 1))
    first, second = vae.fit(many, batch_size=20, epochs=2, verbose=0).history["loss"]
    assert second < first - 0.05
    for weight, old in zip(vae.prior.trainable_weights, before, strict=True):
        assert np.abs(weight - old).max() > 1e-3
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert again.prior.num_components == 3
    np.testing.assert_array_equal(again.sample(4, seed=1), vae.sample(4, seed=1))


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_mixture_needs_a_positive_number_of_components(number):
    with pytest.raises(ValueError, match=r"`num_components`. Expected a positive integer"):
        distributions.GaussianMixture(number)


@pytest.mark.parametrize(
    "part",
    [distributions.StandardNormal(), distributions.GaussianMixture(4)],
    ids=lambda part: type(part).__name__,
)
def test_priors_survive_serialisation(part):
    config = keras.saving.serialize_keras_object(part)
    assert config["registered_name"] == f"keras_vae>{type(part).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(part)
    assert again.get_config() == part.get_config()


def test_priors_are_found_by_name_and_others_refused():
    for name, cls in distributions.PRIORS.items():
        assert type(distributions.get_prior(name)) is cls
    prior = distributions.StandardNormal()
    assert distributions.get_prior(prior) is prior
    for identifier in ("normal", None, distributions.Bernoulli(), distributions.DiagonalNormal()):
        with pytest.raises(ValueError) as raised:
            distributions.get_prior(identifier)
        assert all(repr(name) in str(raised.value) for name in distributions.PRIORS)
