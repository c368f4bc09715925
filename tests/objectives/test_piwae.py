"""Tests that encoder and decoder of a PIWAE have the gradients of the two bounds."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives import IWAE, PIWAE


def gradients(vae, images):
    """The value of a loss, and its gradients by encoder and decoder."""
    with tf.GradientTape() as tape:
        result = vae.forward(tf.constant(images), None, training=True)
        loss = tf.reduce_mean(
            result.terms["reconstruction_loss"].value
            + vae.beta * result.terms["kl_loss"].value
            + result.terms["importance_gain"].value
        )
    weights = vae.encoder.trainable_weights + vae.decoder.trainable_weights
    found = tape.gradient(loss, weights)
    count = len(vae.encoder.trainable_weights)
    return float(loss), found[:count], found[count:]


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_each_network_has_the_gradient_of_its_own_bound(make_vae, images, beta):
    piwae = make_vae(PIWAE, num_samples=3, num_bounds=4, beta=beta, eager=True)
    tight = make_vae(IWAE, num_samples=12, beta=beta, eager=True)
    loose = make_vae(IWAE, num_samples=3, num_bounds=4, beta=beta, eager=True)
    value, encoder, decoder = gradients(piwae, images)
    tight_value, _, tight_decoder = gradients(tight, images)
    _, loose_encoder, loose_decoder = gradients(loose, images)
    assert value == pytest.approx(tight_value, rel=1e-6)
    for found, expected in zip(encoder + decoder, loose_encoder + tight_decoder, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert not np.allclose(loose_decoder[-1], tight_decoder[-1], rtol=1e-3)


def test_with_one_bound_it_is_the_iwae(make_vae, images):
    expected = gradients(make_vae(IWAE, num_samples=4, eager=True), images)
    found = gradients(make_vae(PIWAE, num_samples=4, num_bounds=1, eager=True), images)
    for part, whole in zip(found[1] + found[2], expected[1] + expected[2], strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-3, atol=1e-5)


def test_gradients_are_finite_where_one_sample_has_all_the_weight(make_vae, images):
    vae = make_vae(PIWAE, num_samples=2, num_bounds=2, eager=True)
    vae.decoder.set_weights([300 * weight for weight in vae.decoder.get_weights()])
    value, encoder, decoder = gradients(vae, images)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in encoder + decoder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_bounds": 0}, "num_bounds=0"),
        ({"num_samples": 2.5}, "num_samples=2.5"),
        ({"gradient": "doubly_reparameterized"}, "`gradient` has no effect on the loss of PIWAE"),
        ({"elbo_share": 0.5}, "`elbo_share` has no effect"),
        ({"reduction": "mean", "beta": 0.01}, "reduction='sum'"),
    ],
)
def test_arguments_are_checked(make_vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_vae(PIWAE, **arguments)
