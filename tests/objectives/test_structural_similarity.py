"""Tests of the similarity against TensorFlow's, and of its gradient where that one has none."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.objectives.structural_similarity import multiscale_similarity, num_scales

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("size", "scales", "filter_size"), [(28, 2, 11), (48, 5, 3), (12, 1, 11)])
def test_it_is_tensorflows(size, scales, filter_size):
    assert num_scales((size, size, 3), filter_size) == scales
    x = RANDOM.random((4, size, size, 3), dtype=np.float32)
    x = 255 * np.cumsum(x, axis=1) / size
    y = x + 20 * RANDOM.normal(size=x.shape).astype("float32")
    exponents = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    expected = tf.image.ssim_multiscale(
        x, y, 255.0, list(exponents / exponents.sum()), filter_size=filter_size
    )
    found = multiscale_similarity(tf.constant(x), tf.constant(y), 255.0, filter_size)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.all(expected < 0.999)


def test_the_same_images_are_alike_and_opposite_ones_have_a_finite_gradient():
    x = tf.constant(RANDOM.random((3, 28, 28, 1), dtype=np.float32))
    np.testing.assert_allclose(multiscale_similarity(x, x, 1.0), 1, atol=1e-6)
    opposite = 1 - x
    with tf.GradientTape() as tape:
        tape.watch(opposite)
        similarity = multiscale_similarity(x, opposite, 1.0)
    assert np.all(similarity < 0.1)
    assert np.all(np.isfinite(tape.gradient(similarity, opposite)))


def test_a_window_larger_than_an_image_has_no_scale():
    assert num_scales((10, 28, 1), 11) == 0
