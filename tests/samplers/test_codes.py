"""Tests of the codes of a model: drawn as in training, or its means."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import networks, objectives
from keras_vae.samplers import GaussianMixtureSampler, codes_of


def test_codes_of_a_vae_are_draws_of_its_posterior(make_vae, images):
    vae = make_vae()
    many = np.repeat(images[:1], 4000, axis=0)
    posterior = vae.encode(images[:1])
    drawn = codes_of(vae, many, seed=1)
    assert drawn.shape == (4000, 2) and drawn.dtype == np.float32
    scale = posterior.stddev()[0].numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), posterior.mean()[0], atol=5 * scale.max() / 63)
    np.testing.assert_allclose(drawn.std(axis=0), scale, rtol=0.06)
    np.testing.assert_array_equal(drawn, codes_of(vae, many, seed=1))
    assert not np.isclose(drawn, codes_of(vae, many, seed=2)).all()


def test_means_are_taken_where_asked_for_and_of_what_draws_nothing(make_vae, images):
    vae = make_vae()
    np.testing.assert_allclose(codes_of(vae, images, sample=False), vae.embed(images), rtol=1e-5)
    plain = make_vae(objectives.Autoencoder)
    np.testing.assert_allclose(codes_of(plain, images), plain.embed(images), rtol=1e-5)


def test_batches_will_do_and_bring_conditions_along(images):
    keras.utils.set_random_seed(1)
    labels = np.arange(20) % 3
    vae = objectives.ConditionalVAE(
        networks.mlp_encoder((4, 4, 1), 2, [5]),
        networks.mlp_decoder((4, 4, 1), 5, [5]),
        condition_dim=3,
        seed=3,
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    found = codes_of(vae, batches, sample=False)
    np.testing.assert_allclose(found, vae.embed(images, condition=labels), rtol=1e-5)


def test_any_keras_model_has_codes(images):
    inputs = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    scale = keras.layers.Dense(2, "softplus")(flat)
    encoder = keras.Model(inputs, {"loc": keras.layers.Dense(2)(flat), "scale": scale})
    many = np.repeat(images[:1], 3000, axis=0)
    loc, scale = (encoder(many[:1])[name].numpy()[0] for name in ("loc", "scale"))
    drawn = codes_of(None, tf.data.Dataset.from_tensor_slices(many).batch(600), encode=encoder)
    np.testing.assert_allclose(drawn.std(axis=0), scale, rtol=0.07)
    np.testing.assert_allclose(codes_of(None, many[:3], False, encode=encoder), [loc] * 3, 1e-4)


def test_of_a_model_without_standard_deviations_the_code_is_taken(images):
    encode = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    codes = codes_of(None, images, encode=encode)
    np.testing.assert_allclose(codes, encode(images), rtol=1e-5)


def test_a_vae_decodes_what_a_sampler_draws(make_vae, images):
    vae = make_vae()
    sampler = GaussianMixtureSampler(2).fit(codes_of(vae, images))
    drawn = vae.sample(5, seed=7, sampler=sampler)
    np.testing.assert_allclose(drawn, vae.decode(sampler.sample(5, seed=7)).mean(), rtol=1e-5)
    with pytest.raises(ValueError, match=r"must draw codes \[n, 3\] .* GaussianMixtureSampler"):
        make_vae(latent_dim=3).sample(5, sampler=sampler)
    with pytest.raises(ValueError, match=r"`sampler`. Expected an object with a method `sample"):
        vae.sample(5, sampler=sampler.sample)
