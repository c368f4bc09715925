"""Tests of the steps against NumPy, of volumes and energies, and of what the bound gains."""

import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.objectives import HamiltonianVAE


def squares(z):
    """The potential of N(0, diag(1, 1/4)), without its constant."""
    return 0.5 * tf.reduce_sum(z**2 * [1.0, 4.0], axis=-1)


def test_steps_by_hand(make_vae):
    vae = make_vae(HamiltonianVAE, num_steps=2, step_size=0.1, tempering=0.25)
    z, noise = np.array([[1.0, -0.5]]), np.array([[0.3, 0.8]])
    found = vae.moved(squares, tf.constant(z, tf.float32), tf.constant(noise, tf.float32))
    # sqrt(beta_k) = 1 / ((1 - 1 / sqrt(beta_0)) k^2 / K^2 + 1 / sqrt(beta_0)).
    roots = [1 / ((1 - 2) * k**2 / 4 + 2) for k in range(3)]
    assert roots == [0.5, pytest.approx(1 / 1.75), 1.0]
    momentum = noise / roots[0]
    for k in (1, 2):
        half = momentum - 0.05 * z * [1, 4]
        z = z + 0.1 * half
        momentum = (half - 0.05 * z * [1, 4]) * roots[k - 1] / roots[k]
    np.testing.assert_allclose(found[0], z, rtol=1e-5)
    np.testing.assert_allclose(found[1], momentum, rtol=1e-5)
    np.testing.assert_allclose(found[2], 0.5 * np.sum(z**2 * [1, 4], axis=1), rtol=1e-5)


def test_volumes_change_by_the_tempering_alone(make_vae):
    vae = make_vae(HamiltonianVAE, num_steps=3, step_size=0.3, tempering=0.3)
    state = tf.constant([[0.5, -1.0, 0.2, 0.7]])
    with tf.GradientTape() as tape:
        tape.watch(state)
        z, momentum, _ = vae.moved(squares, *tf.split(state, 2, axis=-1))
        after = tf.concat([z, momentum], axis=-1)
    # Momenta are begun larger by 1 / sqrt(tempering), and end as large as noise.
    determinant = np.linalg.det(np.float64(tape.batch_jacobian(after, state)))
    np.testing.assert_allclose(determinant, 1, rtol=1e-4)


def test_without_tempering_small_steps_keep_the_energy(make_vae):
    vae = make_vae(HamiltonianVAE, num_steps=20, step_size=0.02, tempering=1.0)
    z, noise = tf.constant([[1.0, -0.5]]), tf.constant([[0.3, 0.8]])
    end, momentum, energy = vae.moved(squares, z, noise)
    before = squares(z) + 0.5 * tf.reduce_sum(noise**2, axis=-1)
    after = energy + 0.5 * tf.reduce_sum(momentum**2, axis=-1)
    np.testing.assert_allclose(after, before, rtol=1e-3)
    assert np.abs(end - z).max() > 0.1


def test_the_loss_is_the_bound_of_the_moved_code(make_vae, images):
    vae = make_vae(HamiltonianVAE, num_steps=2, step_size=0.05, beta=1.0, eager=True)
    noise, v = (vae.noise(20, (2,), training=True, stream=stream) for stream in (0, 1))
    posterior, prior = vae.encode(images), vae.prior_distribution()
    start = vae.reparameterize(posterior, noise)

    def joint(z):
        return vae.decode(z).log_prob(images) + prior.log_prob(z)

    z, momentum, _ = vae.moved(lambda z: -joint(z), start, v)
    base = 0.5 * (np.sum(np.float64(v) ** 2, axis=1) - np.sum(np.float64(momentum) ** 2, axis=1))
    bound = np.float64(joint(z)) - np.float64(posterior.log_prob(start)) + base
    distortion = -np.mean(vae.decode(start).log_prob(images))
    kl = np.mean(posterior.log_prob(start) - prior.log_prob(start))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(-bound.mean(), rel=1e-5)
    assert logs["reconstruction_loss"] == pytest.approx(distortion, rel=1e-5)
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-4)
    assert logs["elbo"] == pytest.approx(-distortion - kl, rel=1e-5)


def test_of_codes_in_the_wrong_place_the_bound_rises_towards_the_log_likelihood(make_vae, images):
    vae = make_vae(HamiltonianVAE, step_size=0.3, num_steps=5, eager=True)
    exact = keras_vae.evaluation.log_likelihood(vae, images, 1000, progress=False)
    # Of a decoder that knows nothing the true posterior is about N(0, 1).
    vae.encoder.get_layer("loc").bias.assign([4.0, -4.0])
    logs = vae.evaluate(np.tile(images, (25, 1, 1, 1)), batch_size=500, verbose=0, return_dict=True)
    assert logs["hamiltonian_gain"] < -3
    assert logs["elbo"] + 3 < -logs["loss"] < exact["log_likelihood"] + 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction": "mean", "beta": 0.1}, "reduction='sum'"),
        ({"tempering": 1.5}, "above 0 and up to 1"),
        ({"free_bits": 0.1}, "has no effect on the loss of HamiltonianVAE"),
    ],
)
def test_what_makes_no_bound_is_refused(make_vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_vae(HamiltonianVAE, **arguments)
