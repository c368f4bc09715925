"""Tests of `from_arrays`: order, kinds of pixels, labels, refusals."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.datasets import arrays, from_arrays

COUNT = 20


@pytest.fixture
def pictures():
    """Twenty byte images, each of one grey level, its number."""
    return np.broadcast_to(
        np.arange(COUNT, dtype=np.uint8)[:, None, None, None], (COUNT, 3, 2, 1)
    ).copy()


def numbers(batches):
    """Which images an epoch brought, in its order."""
    return np.concatenate([np.rint(batch[:, 0, 0, 0] * 255) for batch in as_arrays(batches)])


def as_arrays(batches):
    return list(batches.as_numpy_iterator())


def test_every_epoch_brings_every_image_once_in_another_order(pictures):
    batches = from_arrays(pictures, batch_size=6)
    first, second = numbers(batches), numbers(batches)
    assert sorted(first) == sorted(second) == list(range(COUNT))
    assert list(first) != list(second)


def test_the_order_is_a_function_of_seed_and_epoch(pictures):
    one, same, other = (from_arrays(pictures, batch_size=6, seed=seed) for seed in (1, 1, 2))
    for _ in range(3):
        order = list(numbers(one))
        assert order == list(numbers(same))
        assert order != list(numbers(other))


def test_repeat_goes_on_to_the_next_epoch(pictures):
    batches = from_arrays(pictures, batch_size=10, seed=1)
    epochs = [list(numbers(batches)) for _ in range(2)]
    repeated = numbers(from_arrays(pictures, batch_size=10, seed=1).repeat(2))
    assert list(repeated) == epochs[0] + epochs[1]


def test_bytes_are_scaled_and_floating_point_is_left_alone(pictures):
    (batch,) = as_arrays(from_arrays(pictures, batch_size=COUNT, shuffle=False))
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, pictures / np.float32(255))
    floats = pictures.astype(np.float64) - 7
    (batch,) = as_arrays(from_arrays(floats, batch_size=COUNT, shuffle=False))
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, floats)


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_the_last_batch(pictures, drop_remainder):
    batches = from_arrays(pictures, batch_size=6, drop_remainder=drop_remainder)
    sizes = [len(batch) for batch in as_arrays(batches)]
    assert sizes == [6, 6, 6] + [2] * (not drop_remainder)
    assert int(batches.cardinality()) == len(sizes)
    assert batches.element_spec.shape == (6 if drop_remainder else None, 3, 2, 1)


def test_labels_stay_with_their_images(pictures):
    labels = np.arange(COUNT) * 2
    for images, chosen in as_arrays(from_arrays(pictures, labels, batch_size=6)):
        np.testing.assert_array_equal(np.rint(images[:, 0, 0, 0] * 510), chosen)


@pytest.mark.parametrize("start", [1, 4, 6])
def test_beginning_after_some_batches(pictures, start):
    labels = np.arange(COUNT)
    settings = {"batch_size": 6, "binarize": "dynamic", "seed": 1}
    whole = as_arrays(from_arrays(pictures, labels, **settings).repeat(4))
    rest = as_arrays(from_arrays(pictures, labels, **settings, start=start).repeat(2))
    assert rest
    for (images, chosen), (expected, numbers_) in zip(rest, whole[start:], strict=False):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(chosen, numbers_)


def test_a_pipeline_does_not_wait_for_a_tuner_when_it_ends():
    # Such a tuner sleeps twice as long every time, and its pipeline ends when it next wakes up.
    assert from_arrays(np.zeros((4, 2, 2, 1), np.uint8)).options().autotune.enabled is False


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_binarization(kind):
    half = np.full((400, 2, 2, 1), 0.5 if kind is np.float32 else 128, kind)
    for binarize in ("dynamic", "fixed"):
        batches = from_arrays(half, batch_size=400, shuffle=False, binarize=binarize)
        (first,), (second,) = as_arrays(batches), as_arrays(batches)
        assert set(np.unique(first)) == {0, 1}
        # 1,600 fair coins: five standard deviations.
        assert abs(first.mean() - 0.5) < 5 * 0.5 / 40
        assert np.array_equal(first, second) == (binarize == "fixed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((4, 2, 2, 1), np.int32)}, "uint8.*int32"),
        ({"images": np.zeros((0, 2, 2, 1), np.uint8)}, "n > 0"),
        ({"images": np.zeros(4, np.uint8)}, r"\[n, \*event\]"),
        ({"labels": np.zeros(3)}, "4 images and 3 labels"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 5, "drop_remainder": True}, "too few"),
        ({"binarize": "often"}, "binarize"),
        ({"seed": -1}, "seed"),
        ({"start": -1}, "start"),
        ({"shuffle": "no"}, "`shuffle`. Expected `True` or `False`"),
        ({"drop_remainder": "no"}, "`drop_remainder`. Expected `True` or `False`"),
        ({"images": np.ma.masked_equal(np.eye(4), 1.0)}, "4 values are masked"),
        ({"images": np.zeros((4, 2), np.longdouble)}, "uint8.*longdouble|uint8.*float128"),
        ({"labels": [1, None, 2, 3]}, "Labels must be one dense array .* Received: a list"),
        ({"labels": [[1], [1, 2], [3], [4]]}, "Labels must be one dense array"),
        ({"labels": tf.ragged.constant([[1], [], [3], [4]])}, "Labels must .* an array of .*int32"),
        ({"labels": np.zeros(4, "datetime64[D]")}, "Labels must be .* datetime64"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(**{"images": np.zeros((4, 2, 2, 1), np.uint8), **arguments})


def test_an_image_is_drawn_alone_as_it_is_among_all():
    # An odd number of pixels: every other image begins with the second half of a random number.
    images = np.random.default_rng(0).random((1100, 3, 3, 1), dtype=np.float32)
    once = arrays.binarized_once(images, seed=7)
    for index in (0, 1, 2, 1023, 1024, 1099):
        alone = arrays.bernoulli_once(tf.constant(images[index]), 7, tf.constant(index, tf.int64))
        np.testing.assert_array_equal(alone, once[index])


@pytest.mark.parametrize("at_once", [1, 3, 8])
@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize("start", [0, 2, 5])
def test_how_many_batches_are_taken_at_once_changes_none(
    pictures, at_once, drop_remainder, start, monkeypatch
):
    settings = {"batch_size": 3, "seed": 5, "drop_remainder": drop_remainder, "start": start}
    expected = as_arrays(from_arrays(pictures, np.arange(COUNT), **settings).repeat(2))
    monkeypatch.setattr(arrays, "_BYTES_AT_ONCE", at_once * 4 * 3 * 6)
    found = as_arrays(from_arrays(pictures, np.arange(COUNT), **settings).repeat(2))
    assert len(found) == len(expected) == 2 * (6 if drop_remainder else 7) - start
    for one, other in zip(found, expected, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)
