"""Tests of the codebook against NumPy: nearest vectors, moving averages, gradients, revival."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.quantized import Codebook

SEED = tf.constant([3, 7])


def codebook(num_codes=5, dim=3, **arguments):
    """One whose vectors are spread out, so that several are in use."""
    book = Codebook(num_codes, **{"revive_after": None, **arguments})
    book.build((None, dim))
    book.vectors.assign(np.random.default_rng(0).normal(size=(num_codes, dim)))
    return book


def outputs_of_an_encoder(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def distances(book, outputs):
    return ((outputs[..., None, :] - book.vectors.numpy()) ** 2).sum(-1)


@pytest.mark.parametrize("grid", [(), (7,), (2, 4)], ids=str)
def test_the_nearest_vectors_are_those_of_numpy(grid):
    book, outputs = codebook(), outputs_of_an_encoder(6, *grid, 3)
    codes = book.nearest(outputs).numpy()
    np.testing.assert_array_equal(codes, distances(book, outputs).argmin(-1))
    assert codes.shape == (6, *grid) and codes.dtype == np.int32
    expected = book.vectors.numpy()[codes]
    # To the last bit, also behind the straight-through gradient.
    np.testing.assert_array_equal(book.lookup(codes), expected)
    np.testing.assert_array_equal(book(outputs), expected)


@pytest.mark.parametrize("decay", [0.9, None])
def test_the_gradient_passes_straight_through_and_not_into_the_vectors(decay):
    book, outputs = codebook(decay=decay), tf.constant(outputs_of_an_encoder(6, 3))
    factors = outputs_of_an_encoder(6, 3) + 2
    with tf.GradientTape() as tape:
        tape.watch([outputs, book.vectors.value])
        loss = tf.reduce_sum(factors * book(outputs))
    moved, vectors = tape.gradient(loss, [outputs, book.vectors.value])
    np.testing.assert_array_equal(moved, factors)
    assert vectors is None
    assert [weight.name for weight in book.trainable_weights] == ([] if decay else ["vectors"])


def test_the_perplexity_is_that_of_numpy():
    book, codes = codebook(num_codes=4), np.array([[0, 0], [1, 3], [1, 0]])
    shares = np.array([3, 2, 1]) / 6
    expected = np.exp(-np.sum(shares * np.log(shares)))
    assert float(book.perplexity(codes)) == pytest.approx(expected, rel=1e-6)
    assert float(book.perplexity(np.arange(4))) == pytest.approx(4, rel=1e-6)
    assert float(book.perplexity(np.zeros(9, int))) == 1


def test_moving_averages_are_those_of_the_paper():
    book, decay = codebook(decay=0.8), 0.8
    # As equations 6 to 8 have it, sums and counts apart, in double precision.
    counts, sums = np.zeros(5), np.zeros((5, 3))
    vectors = book.vectors.numpy().astype(float)
    for step in range(4):
        outputs = outputs_of_an_encoder(20, 2, 3) + step
        flat = outputs.reshape(-1, 3)
        codes = ((flat[:, None] - vectors) ** 2).sum(-1).argmin(1)
        np.testing.assert_array_equal(book.nearest(outputs).numpy().ravel(), codes)
        book.update(outputs, book.nearest(outputs), SEED)
        one_hot = np.eye(5)[codes]
        counts = decay * counts + (1 - decay) * one_hot.sum(0)
        sums = decay * sums + (1 - decay) * one_hot.T @ flat
        used = counts > 0
        vectors[used] = sums[used] / counts[used, None]
        np.testing.assert_allclose(book.counts.numpy(), counts, rtol=1e-5)
        np.testing.assert_allclose(book.vectors.numpy(), vectors, rtol=1e-4, atol=1e-5)
    assert 1 < used.sum() < 5


def test_the_first_batch_counts_in_full_and_what_is_not_used_stays_to_the_last_bit():
    book = codebook(decay=0.99)
    book.vectors.assign([[0, 0, 0], [9, 9, 9], [1, 1, 1], [8, 8, 7], [7, 7, 8]])
    before = book.vectors.numpy()
    outputs = np.array([[0.1, 0, 0], [0.3, 0, 0], [1, 1, 1.3]], np.float32)
    for _ in range(3):
        book.update(outputs, book.nearest(outputs), SEED)
    np.testing.assert_allclose(book.vectors.numpy()[[0, 2]], [[0.2, 0, 0], [1, 1, 1.3]], rtol=1e-5)
    np.testing.assert_array_equal(book.vectors.numpy()[[1, 3, 4]], before[[1, 3, 4]])


@pytest.mark.parametrize("decay", [0.9, None])
def test_vectors_without_use_become_outputs_of_the_batch(decay):
    book = codebook(decay=decay, revive_after=3)
    book.unused.assign(np.zeros(5))
    book.vectors.assign(np.array([[0], [50], [60], [70], [80]]) * np.ones((1, 3)))
    # One place that is drawn for each vector, and all of them different.
    outputs = outputs_of_an_encoder(40, 3)
    for step in range(3):
        assert (book.nearest(outputs).numpy() == 0).all()
        book.update(outputs, book.nearest(outputs), tf.constant([1, step]))
    revived = book.vectors.numpy()[1:]
    is_one = (revived[:, None] == outputs).all(-1)
    assert is_one.any(1).all() and len(set(is_one.argmax(1))) == 4
    np.testing.assert_array_equal(book.unused.numpy(), np.zeros(5))
    assert len(set(book.nearest(outputs).numpy())) == 5
    if decay:
        # As at the beginning: their next batch counts in full.
        np.testing.assert_array_equal(book.counts.numpy()[1:], np.zeros(4))


def test_revival_is_a_function_of_the_seed_alone_and_starts_with_the_first_batch():
    outputs = outputs_of_an_encoder(40, 3) + 20

    def after_one(seed):
        book = codebook(revive_after=100)
        book.update(outputs, book.nearest(outputs), tf.constant(seed))
        return book.vectors.numpy()

    np.testing.assert_array_equal(after_one([3, 7]), after_one([3, 7]))
    assert not np.array_equal(after_one([3, 7]), after_one([3, 10]))
    # All vectors are far from the outputs but for the one that was nearest, which is their mean.
    found = after_one([3, 7])
    is_output = (found[:, None] == outputs).all(-1).any(1)
    assert is_output.sum() == 4
    np.testing.assert_allclose(found[~is_output][0], outputs.mean(0), rtol=1e-5)


def test_a_batch_smaller_than_the_codebook_revives_all_the_same():
    book = codebook(revive_after=1)
    outputs = outputs_of_an_encoder(2, 3) + 20
    book.update(outputs, book.nearest(outputs), SEED)
    assert np.abs(book.vectors.numpy() - 20).max() < 5


def test_the_config_makes_the_same_codebook():
    config = codebook(decay=None, revive_after=7).get_config()
    again = Codebook.from_config(config)
    assert again.get_config() == config and again.decay is None and again.revive_after == 7
