"""Tests of the density ratio, of who trains whom, and of what is saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.objectives import FactorVAE


def values_of(variables):
    return [variable.numpy() for variable in variables]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_density_ratio_finds_the_total_correlation(make_vae, correlation):
    vae = make_vae(FactorVAE, discriminator_sizes=(32, 32), discriminator_rate=2e-3)
    covariance = np.array([[1, correlation], [correlation, 1]])
    lower = tf.constant(np.linalg.cholesky(covariance), tf.float32)

    def draw(count, seed):
        return tf.random.stateless_normal([count, 2], [7, seed]) @ tf.transpose(lower)

    @tf.function
    def train():
        for seed in tf.range(1500):
            vae.train_discriminator(draw(512, seed))

    train()
    ratios = vae.log_density_ratio(draw(20_000, -1)).numpy()
    # -1/2 log det R, by Watanabe's definition for a Gaussian; 0 without correlation.
    expected = -0.5 * np.log(1 - correlation**2)
    assert ratios.mean() == pytest.approx(expected, rel=0.1, abs=0.02)
    assert ratios.std() / np.sqrt(20_000) < 0.01


def test_the_loss_is_the_vaes_and_the_mean_log_ratio(make_vae, images):
    vae = make_vae(FactorVAE, gamma=5.0, beta=0.5, discriminator_sizes=(8,), eager=True)
    noise = vae.noise(20, (vae.latent_dim,), training=True)
    order = np.argsort(vae.noise(20, (vae.latent_dim,), training=True, stream=2), axis=0)
    z = vae.reparameterize(vae.encode(images), noise).numpy()
    shuffled = np.take_along_axis(z, order, axis=0)
    real, fake = (np.float64(vae.discriminator(codes))[:, 0] for codes in (z, shuffled))
    cross_entropy = 0.5 * np.mean(np.logaddexp(0, -real) + np.logaddexp(0, fake))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["total_correlation"] == pytest.approx(real.mean(), rel=1e-4)
    assert logs["discriminator_loss"] == pytest.approx(cross_entropy, rel=1e-5)
    expected = logs["reconstruction_loss"] + 0.5 * logs["kl_loss"] + 5 * real.mean()
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_shuffling_keeps_every_latent_and_breaks_their_pairs(make_vae):
    vae = make_vae(FactorVAE, discriminator_sizes=(8,))
    seen = []
    vae.log_density_ratio = lambda z: seen.append(z.numpy()) or tf.zeros([len(z)])
    z = tf.constant(np.arange(100, dtype="float32")[:, None] * [1, -1])
    vae.discriminator_loss(z, training=True)
    real, shuffled = seen
    np.testing.assert_array_equal(real, z)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(z, axis=0))
    assert np.mean(shuffled[:, 0] == -shuffled[:, 1]) < 0.1


def test_either_is_trained_by_its_own_optimizer_alone(make_vae, images):
    vae = make_vae(FactorVAE, discriminator_sizes=(8,), eager=True)
    networks = [*vae.encoder.weights, *vae.decoder.weights]
    discriminator = vae.discriminator.weights
    own = {id(weight) for weight in discriminator}
    assert not own & {id(weight) for weight in vae.trainable_weights}
    before = values_of(networks), values_of(discriminator)

    vae.train_discriminator(vae.embed(images))
    assert_equal(values_of(networks), before[0])
    assert np.abs(values_of(discriminator)[0] - before[1][0]).max() > 1e-6

    before = values_of(networks), values_of(discriminator)
    vae.prepare_to_train()
    keras_vae.VAE.train_step(vae, (tf.constant(images),))
    assert_equal(values_of(discriminator), before[1])
    assert np.abs(values_of(networks)[0] - before[0][0]).max() > 1e-3
    assert (int(vae.discriminator_optimizer.iterations), int(vae.optimizer.iterations)) == (1, 1)


def test_the_total_correlation_moves_the_encoder(make_vae, images):
    def gradient(gamma):
        optimizer = keras.optimizers.SGD(1.0)
        vae = make_vae(
            FactorVAE, gamma=gamma, discriminator_sizes=(8,), optimizer=optimizer, eager=True
        )
        before = [
            np.concatenate([w.numpy().ravel() for w in part.weights])
            for part in (vae.encoder, vae.decoder)
        ]
        vae.train_on_batch(images)
        after = [
            np.concatenate([w.numpy().ravel() for w in part.weights])
            for part in (vae.encoder, vae.decoder)
        ]
        return [one - other for one, other in zip(before, after, strict=True)]

    (encoder, decoder), (pushed, same) = gradient(0.0), gradient(50.0)
    assert np.abs(pushed - encoder).max() > 0.01
    np.testing.assert_array_equal(same, decoder)


def test_evaluation_trains_nothing(make_vae, images):
    vae = make_vae(FactorVAE, discriminator_sizes=(8,), eager=True)
    before = values_of([*vae.weights, *vae.discriminator_optimizer.variables])
    vae.evaluate(images, verbose=0)
    assert_equal(values_of([*vae.weights, *vae.discriminator_optimizer.variables]), before)


def test_the_discriminators_optimizer_is_saved(make_vae, images, tmp_path):
    vae = make_vae(FactorVAE, discriminator_sizes=(8,), discriminator_rate=3e-4, eager=True)
    vae.train_on_batch(images)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    state = values_of(vae.discriminator_optimizer.variables)
    assert_equal(values_of(again.discriminator_optimizer.variables), state)
    assert max(np.abs(value).max() for value in state[2:]) > 1e-6
    assert float(again.discriminator_optimizer.learning_rate) == pytest.approx(3e-4)
