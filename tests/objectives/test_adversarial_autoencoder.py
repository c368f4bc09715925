"""Tests of the game between encoder and discriminator."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives import AdversarialAutoencoder


def test_the_loss_is_the_reconstruction_and_what_the_discriminator_finds(make_vae, images):
    vae = make_vae(
        AdversarialAutoencoder, adversarial_weight=5.0, discriminator_sizes=(8,), eager=True
    )
    z = vae.encoder(images)["loc"]
    prior = vae.noise(20, (2,), training=True, stream=1)
    real, fake = (np.float64(vae.discriminator(codes))[:, 0] for codes in (prior, z))
    cross_entropy = 0.5 * np.mean(np.logaddexp(0, -real) + np.logaddexp(0, fake))
    # -log sigmoid(a) = log(1 + exp(-a)).
    adversarial = np.logaddexp(0, -fake).mean()
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["beta"] == 0
    assert logs["adversarial_loss"] == pytest.approx(adversarial, rel=1e-5)
    assert logs["discriminator_loss"] == pytest.approx(cross_entropy, rel=1e-5)
    expected = logs["reconstruction_loss"] + 5 * adversarial
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_discriminator_finds_the_density_ratio(make_vae):
    vae = make_vae(
        AdversarialAutoencoder, discriminator_sizes=(32, 32), discriminator_rate=2e-3, eager=True
    )
    shift = tf.constant([1.0, 0.0])

    @tf.function
    def step(seed):
        # Other draws at every step: here there is no other optimizer that counts them.
        vae.prior_sample = lambda count, _: tf.random.stateless_normal([count, 2], [5, seed])
        vae.train_discriminator(shift + tf.random.stateless_normal([512, 2], [7, seed]))

    for seed in tf.range(600):
        step(seed)
    points = np.stack(np.meshgrid(*[np.linspace(-0.5, 1.5, 5)] * 2), axis=-1).reshape(-1, 2)
    # log N(z; 0, I) - log N(z; (1, 0), I) = 1/2 - z_0.
    found = vae.discriminator(np.float32(points)).numpy()[:, 0]
    np.testing.assert_allclose(found, 0.5 - points[:, 0], atol=0.25)


def test_codes_come_to_fill_the_prior(make_vae, images):
    vae = make_vae(
        AdversarialAutoencoder,
        adversarial_weight=20.0,
        discriminator_sizes=(32, 32),
        discriminator_rate=5e-3,
    )
    # An encoder that puts all codes far from the prior.
    vae.encoder.get_layer("loc").bias.assign([6.0, -6.0])
    many = np.tile(images, (40, 1, 1, 1))
    before = np.abs(vae.embed(images).numpy().mean(axis=0))
    vae.fit(many, batch_size=20, epochs=4, verbose=0)
    after = np.abs(vae.embed(images).numpy().mean(axis=0))
    assert np.all(before > 4) and np.all(after < 2)


def test_no_noise_reaches_a_code(make_vae, images):
    vae = make_vae(AdversarialAutoencoder, discriminator_sizes=(8,), eager=True)
    np.testing.assert_allclose(vae(images, training=True), vae(images), atol=1e-6)
