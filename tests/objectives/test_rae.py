"""Tests of both penalties against NumPy, and that no noise reaches the code."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives import RAE


def code_loss_of(vae, images):
    return 0.5 * np.sum(np.float64(vae.encoder(images)["loc"]) ** 2, axis=1).mean()


def test_the_loss_has_the_norms_of_the_codes_and_of_the_decoders_weights(make_vae, images):
    vae = make_vae(RAE, code_weight=0.3, decoder_weight=0.7, eager=True)
    code_loss = code_loss_of(vae, images)
    decoder_loss = sum(np.sum(np.float64(weight) ** 2) for weight in vae.decoder.get_weights())
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["code_loss"] == pytest.approx(code_loss, rel=1e-5)
    assert logs["decoder_loss"] == pytest.approx(decoder_loss, rel=1e-5)
    expected = logs["reconstruction_loss"] + 0.3 * code_loss + 0.7 * decoder_loss
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["beta"] == 0


def test_the_gradient_penalty_is_that_of_the_combination_of_pixels(make_vae, images):
    vae = make_vae(RAE, penalty="gradient", decoder_weight=0.7, eager=True)
    z = tf.constant(vae.encoder(images)["loc"].numpy())
    with tf.GradientTape() as tape:
        tape.watch(z)
        decoded = vae.decode(z).mean()
    jacobian = np.float64(tape.batch_jacobian(decoded, z))
    direction = np.float64(vae.noise(20, vae.event_shape, training=True, stream=1))
    expected = np.einsum("bhwc,bhwcz->bz", direction, jacobian)
    expected = np.sum(expected**2, axis=1).mean()
    code_loss = code_loss_of(vae, images)
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["decoder_loss"] == pytest.approx(expected, rel=1e-4)
    total = logs["reconstruction_loss"] + 0.1 * code_loss + 0.7 * expected
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


def test_the_estimate_of_the_gradient_has_no_bias(make_vae):
    vae = make_vae(RAE, penalty="gradient")
    z = tf.constant([[0.3, -0.5]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        decoded = vae.decode(z).mean()
    expected = np.sum(np.float64(tape.jacobian(decoded, z)) ** 2)
    found = vae.squared_gradient(tf.repeat(z, 20_000, axis=0), training=False).numpy()
    assert found.mean() == pytest.approx(expected, abs=5 * found.std() / np.sqrt(20_000))


def test_the_gradient_penalty_smooths_the_decoder(make_vae, images):
    def steepness(weight):
        optimizer = keras.optimizers.SGD(0.1)
        vae = make_vae(RAE, penalty="gradient", decoder_weight=weight, optimizer=optimizer)
        vae.fit(np.tile(images, (5, 1, 1, 1)), batch_size=20, epochs=2, verbose=0)
        z = tf.constant(vae.embed(images))
        return float(tf.reduce_mean(vae.squared_gradient(z, training=False)))

    assert steepness(5.0) < 0.7 * steepness(0.0)


def test_no_noise_reaches_the_training_with_weights_that_decay(make_vae, images):
    def trained(seed):
        vae = make_vae(RAE, seed=seed, eager=True)
        vae.train_on_batch(images)
        return np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])

    np.testing.assert_array_equal(trained(1), trained(2))
