"""Tests of the product of likelihoods against its parts."""

import keras
import numpy as np
import pytest
from likelihood_events import example, product

from keras_vae import VAE, distributions, networks
from keras_vae.distributions import Gaussian, Product
from keras_vae.objectives import IWAE

# Columns of each group, and its parameters: two numbers, two, three logits.
COLUMNS = {"size": [1], "visits": [4], "colour": [0, 2, 3]}
PARAMETERS = {"size": slice(0, 2), "visits": slice(2, 4), "colour": slice(4, 7)}


def test_it_is_the_sum_of_its_parts():
    likelihood, parameters, x = example("product", num_events=20)
    found = likelihood.distribution(parameters)
    groups = found.log_prob_by_group(x)
    total = 0
    for name, part in likelihood.parts.items():
        own = part.distribution(parameters[:, PARAMETERS[name]])
        np.testing.assert_allclose(groups[name], own.log_prob(x[:, COLUMNS[name]]), rtol=1e-6)
        np.testing.assert_allclose(found.mean().numpy()[:, COLUMNS[name]], own.mean(), rtol=1e-6)
        total += own.log_prob(x[:, COLUMNS[name]])
    np.testing.assert_allclose(found.log_prob(x), total, rtol=1e-5)


def test_the_size_of_the_parameters_follows():
    assert product().parameters_shape((5,)) == (7,)
    of_channels = Product({"grey": ("bernoulli", 0), "depth": ("laplace", slice(1, 3))})
    assert of_channels.parameters_shape((8, 8, 3)) == (8, 8, 5)
    images = np.random.default_rng(0).random((2, 8, 8, 3), "float32")
    found = of_channels.distribution(np.zeros((2, 8, 8, 5), "float32"))
    assert found.log_prob(images).shape == (2,) and found.mean().shape == images.shape


def table(num_rows=24):
    return np.float32(example("product", num_rows)[2])


def vae_of_table(missing=False, cls=VAE, **kwargs):
    likelihood = Product(
        {
            "size": (Gaussian(0.5, learn_scale=True), 1),
            "visits": ("negative_binomial", [4]),
            "colour": ("categorical", [0, 2, 3]),
        }
    )
    keras.utils.set_random_seed(1)
    vae = cls(
        networks.mlp_encoder((5,), 2, [5], missing=missing),
        networks.mlp_decoder((5,), 2, [5], likelihood=likelihood),
        likelihood=likelihood,
        missing=missing,
        seed=3,
        **kwargs,
    )
    vae.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    return vae


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("cls", [VAE, IWAE])
def test_its_groups_are_logged_and_add_up(missing, cls):
    vae = vae_of_table(missing, cls)
    x = table()
    if missing:
        x[::2, 1] = np.nan
    history = vae.fit(x, validation_data=x, batch_size=7, verbose=0).history
    for prefix in ("", "val_"):
        parts = [history[f"{prefix}reconstruction_loss_{name}"][0] for name in COLUMNS]
        assert history[f"{prefix}reconstruction_loss"][0] == pytest.approx(sum(parts), rel=1e-5)
        assert len(set(parts)) == 3 and np.all(np.isfinite(parts))
    loss = history["reconstruction_loss"][0] + history["kl_loss"][0]
    assert history["loss"][0] == pytest.approx(
        loss + history.get("importance_gain", [0.0])[0], rel=1e-5
    )


def test_it_is_saved_with_the_weights_of_its_parts(tmp_path):
    vae = vae_of_table(missing=True)
    vae.fit(table(), verbose=0)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    scale = float(vae.likelihood.parts["size"].log_scale)
    assert scale != pytest.approx(np.log(0.5), abs=1e-5)
    assert float(again.likelihood.parts["size"].log_scale) == scale
    assert again.missing and again.likelihood.columns == vae.likelihood.columns
    x = table()
    x[::2, 1] = np.nan
    np.testing.assert_array_equal(again.impute(x, seed=0), vae.impute(x, seed=0))


def test_values_outside_a_groups_support_are_told_by_its_name():
    vae = vae_of_table()
    x = table()
    x[3, 4] = 2.5
    with pytest.raises(ValueError, match=r"`visits` must be whole numbers.*Received: 2.5"):
        vae.fit(x)
    x[3, 4] = -1
    with pytest.raises(ValueError, match=r"Values of `visits` must be within \[0, inf\]"):
        vae.fit(x)


def test_parameters_of_a_group_are_looked_at():
    likelihood = Product({"a": ("gaussian", 0), "b": ("bernoulli", range(1, 9))})
    likelihood.build((None, 9))
    logits = np.random.default_rng(0).normal(size=(16, 9), scale=9).astype("float32")
    likelihood.check_parameters(logits)
    with pytest.raises(ValueError, match="must return logits"):
        likelihood.check_parameters(1 / (1 + np.exp(-logits)))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "`groups`. Expected a dict"),
        ({"a/b": ("gaussian", 0)}, "names without '/'"),
        ({"a": "gaussian"}, r"Expected \(likelihood, columns\)"),
        ({"a": ("cauchy", 0)}, "`likelihood`. Expected one of"),
        ({"a": ("gaussian", -1)}, "columns of 'a'"),
        ({"a": ("gaussian", slice(0, None))}, "a slice with an end"),
        ({"a": ("gaussian", [])}, "one column or more"),
        ({"a": ("gaussian", [0, 1]), "b": ("beta", 1)}, "column 1 of 'a' and of 'b'"),
        ({"a": ("gaussian", 0), "b": ("beta", 3)}, r"Columns \[1, 2\] are in none"),
    ],
)
def test_bad_groups_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        Product(groups)


def test_other_columns_than_the_groups_are_refused():
    for ask in (product().parameters_shape, product().build):
        with pytest.raises(ValueError, match=r"of 5 columns.*has 6"):
            ask((2, 6))
    with pytest.raises(ValueError, match=r"takes 7 numbers.*Received: 5"):
        product().distribution(np.zeros((1, 5), "float32"))


def test_columns_may_be_given_in_many_ways():
    found = Product(
        {"a": ("gaussian", 0), "b": ("beta", slice(1, 3)), "c": ("poisson", range(3, 5))}
    )
    assert found.columns == {"a": (0,), "b": (1, 2), "c": (3, 4)}
    assert type(found.parts["b"]) is distributions.Beta
