"""Tests of the noise that training draws."""

import random

import keras
import numpy as np
import tensorflow as tf

from keras_vae.noise import python_seed, standard_normal


def test_the_noise_is_standard_normal_and_a_function_of_its_seed():
    noise = standard_normal([50_000, 2], tf.constant([3, 4])).numpy()
    again = standard_normal([50_000, 2], tf.constant([3, 4]))
    np.testing.assert_array_equal(noise, again)
    other = standard_normal([50_000, 2], tf.constant([3, 5]))
    pairs = np.concatenate([noise, other], axis=1)
    # Of 50,000 draws the standard error of a mean, a covariance is 1/sqrt(50,000); of a variance
    # sqrt(2) times, of a fourth moment sqrt(96) times that. Five of each.
    error = 5 / np.sqrt(50_000)
    assert np.abs(pairs.mean(axis=0)).max() < error
    assert np.abs(np.cov(pairs.T) - np.eye(4)).max() < error * np.sqrt(2)
    assert np.abs((pairs**4).mean(axis=0) - 3).max() < error * np.sqrt(96)


def test_first_weights_follow_from_a_seed_and_others_go_on_as_if_there_were_none():
    def kernel():
        layer = keras.layers.Dense(3)
        layer.build((None, 2))
        return layer.kernel.numpy()

    random.seed(7)
    expected = random.random()
    random.seed(7)
    with python_seed(1):
        first = kernel()
    assert random.random() == expected
    with python_seed(1):
        np.testing.assert_array_equal(kernel(), first)
    with python_seed(2):
        assert not np.isclose(kernel(), first).any()
