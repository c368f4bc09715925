"""Tests of the codes along which a latent space is walked."""

import numpy as np

from keras_vae import latent_walks


def test_a_row_moves_one_latent_and_leaves_the_others():
    codes = latent_walks.rows([2, 0], [-1.0, 0.5], [7.0, 8.0, 9.0])
    np.testing.assert_array_equal(codes[0], [[7, 8, -1], [7, 8, 0.5]])
    np.testing.assert_array_equal(codes[1], [[-1, 8, 9], [0.5, 8, 9]])
    assert codes.dtype == np.float32


def test_a_grid_moves_the_first_latent_down_and_the_second_along():
    codes = latent_walks.grid((2, 0), [1.0, 2.0, 3.0], np.zeros(3))
    assert codes.shape == (3, 3, 3)
    np.testing.assert_array_equal(codes[1, 2], [3, 0, 2])
    np.testing.assert_array_equal(codes[2, 0], [1, 0, 3])


def test_a_line_has_both_ends_and_equal_steps():
    codes = latent_walks.between([[0.0, 4.0], [1.0, 1.0]], [[3.0, 1.0], [1.0, -2.0]], 4)
    np.testing.assert_allclose(codes[0], [[0, 4], [1, 3], [2, 2], [3, 1]], atol=1e-6)
    np.testing.assert_allclose(codes[1], [[1, 1], [1, 0], [1, -1], [1, -2]], atol=1e-6)
    assert codes.dtype == np.float32
