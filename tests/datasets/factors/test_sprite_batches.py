"""Tests of `load("sprites")`."""

import numpy as np
import pytest

from keras_vae.datasets import available, load
from keras_vae.datasets.factors import Sprites
from keras_vae.datasets.factors.sprite_batches import SPLITS, places_of


def as_arrays(batches):
    return list(batches.as_numpy_iterator())


def few(split="train[:20]", **settings):
    return load("sprites", split, **{"batch_size": 8, **settings})


def test_splits_are_all_images_once():
    train, test = places_of("train"), places_of("test")
    assert (len(train), len(test)) == tuple(SPLITS.values())
    np.testing.assert_array_equal(np.sort(places_of("train+test")), np.arange(737_280))
    np.testing.assert_array_equal(places_of("test[10:20]+train[:2]"), [*test[10:20], *train[:2]])


def test_a_stretch_of_a_split_is_a_sample_of_all_factors():
    factors = np.unravel_index(places_of("test[:6000]"), Sprites().factor_sizes)
    for values, size in zip(factors, Sprites().factor_sizes, strict=True):
        expected = 6000 / size
        assert np.abs(np.bincount(values, minlength=size) - expected).max() < 5 * expected**0.5


def test_both_splits_by_default_without_labels():
    train, test = load("sprites")
    assert int(train.cardinality()) == 663_552 // 128 and int(test.cardinality()) == 576
    assert train.element_spec.shape == (None, 64, 64, 1)


def test_images_are_those_of_their_labels():
    batches = as_arrays(few(with_labels=True))
    assert [len(images) for images, _ in batches] == [8, 8, 4]
    for images, factors in batches:
        assert images.dtype == np.float32 and factors.dtype == np.int64
        np.testing.assert_array_equal(images, Sprites().sample(factors))


def numbers(batches):
    """Which images an epoch brought, in its order."""
    sizes = Sprites().factor_sizes
    return [
        int(np.ravel_multi_index(one, sizes))
        for _, factors in as_arrays(batches)
        for one in factors
    ]


def test_the_order_is_a_function_of_seed_and_epoch():
    one, same, other = (few(with_labels=True, seed=seed) for seed in (1, 1, 2))
    epochs = [numbers(one) for _ in range(2)]
    assert epochs == [numbers(same) for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(places_of("train[:20]"))
    assert epochs[0] != epochs[1] and epochs[0] != numbers(other)


def test_other_splits_are_in_their_order():
    batches = few("test[:20]", with_labels=True)
    assert numbers(batches) == numbers(batches) == list(places_of("test[:20]"))


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_beginning_after_some_batches(drop_remainder):
    settings = {"with_labels": True, "seed": 1, "drop_remainder": drop_remainder}
    whole = as_arrays(few(**settings).repeat(3))
    rest = as_arrays(few(**settings, start=4).repeat(2))
    assert rest
    for (images, factors), (expected, of_them) in zip(rest, whole[4:], strict=False):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(factors, of_them)


def test_resized_images_are_grey_and_can_be_binarized():
    settings = {"image_size": (20, 20), "shuffle": False}
    (grey,), binary = as_arrays(few(batch_size=20, **settings)), {}
    assert grey.shape == (20, 20, 20, 1) and grey.min() == 0 and grey.max() == 1
    assert np.any((grey > 0.2) & (grey < 0.8))
    # Bytes, as those of any other set.
    np.testing.assert_allclose(255 * grey, np.rint(255 * grey), atol=1e-4)
    for binarize in ("dynamic", "fixed"):
        batches = few(batch_size=20, binarize=binarize, **settings)
        (first,), (second,) = as_arrays(batches), as_arrays(batches)
        assert set(np.unique(first)) == {0, 1}
        assert np.all(first[grey == 1] == 1) and np.all(first[grey == 0] == 0)
        assert np.array_equal(first, second) == (binarize == "fixed")
        binary[binarize] = first
    # Those of an image alone are those it has among others.
    again = np.concatenate(as_arrays(few(batch_size=7, binarize="fixed", **settings)))
    np.testing.assert_array_equal(again, binary["fixed"])


def test_a_name_that_needs_no_network_is_available():
    assert available("sprites") == "sprites"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "validation"}, "Unknown split 'validation' of 'sprites'"),
        ({"split": "train["}, "Unknown split"),
        ({"split": "train[:0]"}, "0 images are too few"),
        ({"batch_size": 21, "drop_remainder": True}, "20 images are too few"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        few(**arguments)
