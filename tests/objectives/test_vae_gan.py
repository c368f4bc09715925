"""Tests of the terms against NumPy, of who trains whom, and of networks that are given."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_vae
from keras_vae.objectives import VAEGAN

SHAPE = (4, 4, 1)


def of_patches():
    """A discriminator with a logit for each of four patches."""
    return keras.Sequential([keras.Input(SHAPE), layers.Conv2D(1, 2, strides=2)])


def pyramid():
    """Features of two kinds, such as those of two layers of a classifier."""
    inputs = keras.Input(SHAPE)
    fine = layers.Conv2D(2, 3, activation="relu")(inputs)
    return keras.Model(inputs, [fine, layers.Dense(3)(layers.Flatten()(fine))])


def test_the_loss_has_the_distance_of_features_and_what_the_discriminator_finds(make_vae, images):
    arguments = {"discriminator": of_patches(), "features": pyramid()}
    vae = make_vae(
        VAEGAN, perceptual_weight=3.0, adversarial_weight=5.0, beta=0.5, eager=True, **arguments
    )
    noise = vae.noise(20, (2,), training=True)
    fake = vae.decode(vae.reparameterize(vae.encode(images), noise)).mean()
    perceptual = sum(
        0.5 * np.sum((np.float64(a) - np.float64(b)) ** 2, axis=tuple(range(1, a.ndim))).mean()
        for a, b in zip(vae.features(images), vae.features(fake), strict=True)
    )
    real_logit, logit = (
        np.float64(vae.discriminator(part)).mean(axis=(1, 2, 3)) for part in (images, fake)
    )
    # -log sigmoid(a) = log(1 + exp(-a)).
    adversarial = np.logaddexp(0, -logit).mean()
    cross_entropy = 0.5 * np.mean(np.logaddexp(0, -real_logit) + np.logaddexp(0, logit))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["perceptual_loss"] == pytest.approx(perceptual, rel=1e-4)
    assert logs["adversarial_loss"] == pytest.approx(adversarial, rel=1e-5)
    assert logs["discriminator_loss"] == pytest.approx(cross_entropy, rel=1e-5)
    expected = logs["reconstruction_loss"] + 0.5 * logs["kl_loss"]
    expected += 3 * perceptual + 5 * adversarial
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_without_features_they_are_the_discriminators_last_hidden_layer(make_vae, images):
    vae = make_vae(VAEGAN, discriminator_sizes=(7, 6))
    hidden = vae.features(images)
    assert hidden.shape == (20, 6)
    expected = vae.discriminator.layers[-1](hidden)
    np.testing.assert_allclose(vae.discriminator(images), expected, rtol=1e-5)


def test_either_is_trained_by_its_own_optimizer_and_features_by_none(make_vae, images):
    vae = make_vae(VAEGAN, discriminator=of_patches(), features=pyramid(), eager=True)
    discriminator, features = vae.discriminator.get_weights(), vae.features.get_weights()
    networks = vae.encoder.get_weights() + vae.decoder.get_weights()
    vae.prepare_to_train()
    keras_vae.VAE.train_step(vae, (tf.constant(images),))
    after = vae.encoder.get_weights() + vae.decoder.get_weights()
    assert max(np.abs(a - b).max() for a, b in zip(after, networks, strict=True)) > 1e-3
    np.testing.assert_array_equal(vae.discriminator.get_weights()[0], discriminator[0])
    vae.train_discriminator(vae.shown(tf.constant(images), vae.embed(images)))
    assert np.abs(vae.discriminator.get_weights()[0] - discriminator[0]).max() > 1e-5
    for found, expected in zip(vae.features.get_weights(), features, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_networks_that_were_given_are_saved(make_vae, images, tmp_path):
    vae = make_vae(VAEGAN, discriminator=of_patches(), features=pyramid(), eager=True)
    vae.train_on_batch(images)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    expected = vae.evaluate(images, verbose=0, return_dict=True)
    assert again.evaluate(images, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    assert len(again.trainable_weights) == len(vae.trainable_weights)
    again.train_on_batch(images)


def test_flattened_grids_are_codes(images):
    inputs = keras.Input(SHAPE)
    loc, raw = (layers.Flatten()(layers.Conv2D(2, 2, strides=2)(inputs)) for _ in range(2))
    outputs = {"loc": loc, "scale": keras_vae.networks.PositiveScale()(raw)}
    decoder = keras.Sequential(
        [keras.Input((8,)), layers.Reshape((2, 2, 2)), layers.Conv2DTranspose(1, 2, strides=2)]
    )
    vae = VAEGAN(keras.Model(inputs, outputs), decoder, discriminator_sizes=(5,), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    losses = [vae.train_on_batch(images, return_dict=True)["loss"] for _ in range(8)]
    assert vae.embed(images).shape == (20, 8) and losses[-1] < losses[0]
