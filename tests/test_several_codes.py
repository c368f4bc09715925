"""Several codes an example are decoded as each would be by itself."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import networks, several_codes
from keras_vae.objectives import ConditionalVAE


def test_each_code_has_the_likelihood_that_it_has_alone(make_vae, images):
    vae = make_vae()
    z = tf.random.stateless_normal([3, 20, 2], [1, 2])
    found = several_codes.log_likelihood(vae, z, images)
    assert found.shape == (3, 20)
    for codes, own in zip(z, found, strict=True):
        np.testing.assert_allclose(own, vae.decode(codes).log_prob(images), rtol=1e-5)
    assert several_codes.decoded(vae, z).batch_shape == (60,)


@pytest.mark.parametrize("labels", [np.arange(20) % 3, np.eye(3, dtype=np.float32)[[1] * 20]])
def test_conditions_go_with_their_examples(images, labels):
    encoder = networks.mlp_encoder((4, 4, 1), 2, [5])
    vae = ConditionalVAE(encoder, networks.mlp_decoder((4, 4, 1), 2 + 3, [5]), condition_dim=3)
    z = tf.random.stateless_normal([3, 20, 2], [1, 2])
    found = several_codes.log_likelihood(vae, z, images, labels)
    for codes, own in zip(z, found, strict=True):
        np.testing.assert_allclose(own, vae.decode(codes, labels).log_prob(images), rtol=1e-5)
