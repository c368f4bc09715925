"""Tests of what all likelihoods have in common."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from likelihood_events import EXAMPLES, example
from tensorflow_probability import distributions as tfd

import keras_vae
from keras_vae import distributions


@pytest.mark.parametrize("name", EXAMPLES)
def test_half_precision_parameters_give_float32_nats(name):
    likelihood, parameters, x = example(name)
    parameters = parameters.astype("float16")
    found = likelihood.distribution(parameters)
    assert found.log_prob(x).dtype == found.mean().dtype == tf.float32
    wide = likelihood.distribution(np.float32(parameters)).log_prob(x)
    np.testing.assert_allclose(found.log_prob(x), wide, rtol=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_shapes_are_those_of_the_events(name):
    likelihood, parameters, x = example(name)
    found = likelihood.distribution(parameters)
    assert (found.batch_shape, found.event_shape) == ((5,), x.shape[1:])
    assert found.mean().shape == found.stddev().shape == x.shape
    assert found.sample(7, seed=[0, 1]).shape == (7, *x.shape)
    assert found.log_prob(np.stack([x, x])).shape == (2, 5)


@pytest.mark.parametrize("name", EXAMPLES)
def test_means_are_those_of_draws(name):
    likelihood, parameters, _ = example(name, size=0.3)
    found = likelihood.distribution(parameters)
    draws = np.float64(found.sample(20_000, seed=[0, 1]))
    # Six standard errors: of 13 likelihoods' 60 means none is farther out by chance.
    error = np.float64(found.stddev()) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - found.mean()) < 6 * error + 1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_draws_are_within_the_support_and_others_are_not(name):
    likelihood, _, x = example(name)
    assert [r for r in likelihood.all_requirements() if r.broken_by(x)] == []
    if likelihood.all_requirements():
        assert any(requirement.broken_by(x - 0.75) for requirement in likelihood.all_requirements())


# Missing values ----------------------------------------------------------------------------


def holes(name, x):
    """Half of the values missing, classes as a whole."""
    is_missing = np.random.default_rng(1).random(x.shape) < 0.5
    if name == "categorical":
        is_missing[...] = is_missing[..., :1]
    if name == "product":
        is_missing[:, [2, 3]] = is_missing[:, [0]]
    return is_missing


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_holes_the_density_of_the_observed_is_the_density(name):
    likelihood, parameters, x = example(name)
    found = likelihood.distribution_of_observed(parameters).log_prob(x)
    np.testing.assert_allclose(found, likelihood.distribution(parameters).log_prob(x), rtol=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_observed_and_the_rest_make_up_the_whole(name):
    # Given the code all values are independent: what is missing changes nothing, whatever it is.
    likelihood, parameters, x = example(name)
    is_missing = holes(name, x)
    density = likelihood.distribution_of_observed(parameters)
    other = likelihood.distribution(parameters[::-1]).sample(seed=[5, 5]).numpy()
    found = density.log_prob(np.where(is_missing, np.nan, x))
    rest = density.log_prob(np.where(is_missing, other, np.nan))
    whole = likelihood.distribution(parameters)
    expected = whole.log_prob(np.where(is_missing, other, x))
    np.testing.assert_allclose(found + rest, expected, rtol=1e-4, atol=1e-4)
    assert not np.allclose(found, whole.log_prob(x))


@pytest.mark.parametrize("name", EXAMPLES)
def test_of_nothing_observed_the_density_is_1_and_has_no_gradient(name):
    likelihood, parameters, x = example(name)
    variable = tf.Variable(parameters)
    with tf.GradientTape() as tape:
        density = likelihood.distribution_of_observed(variable)
        found = density.log_prob(np.full_like(x, np.nan))
    np.testing.assert_array_equal(found, 0.0)
    np.testing.assert_array_equal(tape.gradient(found, variable), 0.0)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_gradients_are_finite_with_holes_and_extreme_parameters(name, size):
    likelihood, parameters, x = example(name)
    parameters = tf.Variable(size * parameters)
    with tf.GradientTape() as tape:
        density = likelihood.distribution_of_observed(parameters)
        found = density.log_prob(np.where(holes(name, x), np.nan, x))
    assert np.all(np.isfinite(found))
    assert np.all(np.isfinite(tape.gradient(found, parameters)))
    assert np.all(np.isfinite(density.mean()))


def test_a_likelihood_of_dependent_values_takes_no_holes():
    class Joint(keras_vae.distributions.Likelihood):
        """A distribution over whole vectors."""

        def distribution(self, parameters):
            """N(parameters, 1)."""
            return tfd.MultivariateNormalDiag(parameters)

    with pytest.raises(ValueError, match="Joint does not take missing values"):
        Joint().distribution_of_observed(np.zeros((2, 3), "float32"))


# Parts of a model --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        *[make() for make, _ in EXAMPLES.values()],
        distributions.Gaussian("optimal"),
        distributions.Poisson(size_factor="total"),
        distributions.NegativeBinomial(size_factor="total"),
        distributions.StudentT(7.0),
        distributions.Beta(margin=0.01),
    ],
    ids=lambda part: type(part).__name__,
)
def test_parts_survive_serialisation(part):
    config = keras.saving.serialize_keras_object(part)
    assert config["registered_name"] == f"keras_vae>{type(part).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(part)
    assert again.get_config() == part.get_config()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_model_of_it_trains_and_comes_back_from_its_file(name, tmp_path):
    likelihood, _, x = example(name, num_events=6)
    keras.utils.set_random_seed(0)
    shape = x.shape[1:]
    vae = keras_vae.VAE(
        keras_vae.mlp_encoder(shape, 2, [4], missing=True),
        keras_vae.mlp_decoder(shape, 2, [4], likelihood=likelihood),
        likelihood=likelihood,
        missing=True,
        seed=0,
    )
    vae.compile("adam", run_eagerly=True)
    x = np.where(holes(name, x), np.nan, x)
    assert np.all(np.isfinite(vae.train_on_batch(x)))
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras", safe_mode=True)
    # A file makes lists of tuples.
    assert json.dumps(again.likelihood.get_config()) == json.dumps(likelihood.get_config())
    np.testing.assert_array_equal(again.impute(x, 5, seed=0), vae.impute(x, 5, seed=0))


def test_names_and_objects_are_both_accepted():
    for name, cls in distributions.LIKELIHOODS.items():
        assert type(distributions.get_likelihood(name)) is cls
    own = distributions.Gaussian(0.1)
    assert distributions.get_likelihood(own) is own


@pytest.mark.parametrize("identifier", ["cauchy", None, 3, distributions.Gaussian])
def test_unknown_likelihoods_list_the_known_ones(identifier):
    with pytest.raises(ValueError) as raised:
        distributions.get_likelihood(identifier)
    message = str(raised.value)
    assert f"Received: likelihood={identifier!r}" in message
    assert all(repr(name) in message for name in distributions.LIKELIHOODS)


def test_a_likelihood_without_a_distribution_says_what_to_define():
    class Incomplete(keras_vae.distributions.Likelihood):
        """Defines nothing."""

    with pytest.raises(TypeError, match=r"Incomplete.*distribution"):
        Incomplete()
