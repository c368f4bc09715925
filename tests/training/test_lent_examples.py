"""Tests of examples that a data set lends to training."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.datasets import from_arrays
from keras_vae.training.lent_examples import LentIterator, lending

IMAGES = np.linspace(0, 1, 40, dtype=np.float32).reshape(10, 2, 2, 1)
LABELS = np.arange(10)


def data(**kwargs):
    return from_arrays(IMAGES, **{"batch_size": 4, "seed": 3, **kwargs})


def taken(iterator, most=2):
    """All batches of an iterator, taken from the examples that it lends."""
    examples = iterator.examples
    for _ in range(100):
        some = iterator.next_batches(most)
        if some is None:
            return
        batches, length = some
        assert 1 <= batches.stop - batches.first <= most
        for number in range(batches.first, batches.stop):
            place = number * examples.batch_size
            draw = examples.draw_of(batches) + number - batches.first
            rows = batches.order[place : place + length]
            yield examples.take(examples.arrays, rows, tf.constant(draw, tf.int64))


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


CHANGES = [
    lambda data: data,
    lambda data: data.repeat(3),
    lambda data: data.skip(1).take(1).repeat(4).prefetch(2),
    lambda data: data.repeat(2).skip(4),
    lambda data: data.repeat().skip(2).take(7),
    lambda data: data.take(-1).repeat(2).skip(1),
    lambda data: data.take(0).repeat(),
    lambda data: data.skip(-1).repeat(),
    lambda data: data.skip(5),
    lambda data: data.repeat(0),
    lambda data: data.with_options(tf.data.Options()).take(2),
    # Nothing is left of an epoch that begins late, and something of the next ones.
    lambda data: data.skip(2).repeat(3),
    lambda data: data.skip(2).repeat().take(4),
    lambda data: data.repeat().skip(-1),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"labels": LABELS},
        {"binarize": "dynamic"},
        {"drop_remainder": True},
        {"shuffle": False},
        {"start": 4},
    ],
    ids=lambda settings: "-".join(settings) or "plain",
)
def test_what_is_taken_is_what_the_pipeline_yields(settings, change):
    lent, read = (change(data(**settings)) for _ in range(2))
    lent = lending(lent)
    for _ in range(2):  # Epochs differ.
        iterator = iter(lent)
        assert isinstance(iterator, LentIterator)
        assert_same(list(taken(iterator)), list(read))


def test_several_settings_at_once():
    settings = {"labels": LABELS, "binarize": "dynamic", "start": 3, "batch_size": 3}
    lent = iter(lending(data(**settings).repeat(2)))
    assert_same(list(taken(lent, most=100)), list(data(**settings).repeat(2)))


def test_bytes_are_scaled():
    images = np.arange(40, dtype=np.uint8).reshape(10, 2, 2, 1)
    lent = iter(lending(from_arrays(images, batch_size=4)))
    assert_same(list(taken(lent)), list(from_arrays(images, batch_size=4)))


def first_compiled(dataset):
    """The first batch of a data set, taken by what XLA compiles."""
    iterator = iter(lending(dataset))
    examples = iterator.examples
    batches, length = iterator.next_batches(1)
    take = tf.function(examples.take, jit_compile=True, autograph=False)
    return take(examples.arrays, batches.order[:length], tf.constant(0, tf.int64))


@pytest.mark.parametrize("settings", [{}, {"binarize": "dynamic"}])
def test_a_compiled_loop_draws_the_same(settings):
    np.testing.assert_array_equal(first_compiled(data(**settings)), next(iter(data(**settings))))


def test_a_compiled_loop_scales_bytes_to_the_bit():
    grey = np.arange(256, dtype=np.uint8)[None, :, None, None]
    batch = first_compiled(from_arrays(grey))
    np.testing.assert_array_equal(batch, grey / np.float32(255))


def test_an_epoch_that_is_read_and_one_that_is_taken_are_two():
    dataset, both = data(), data().repeat(3)
    lent = lending(dataset)
    three = [list(dataset), list(taken(iter(lent))), list(lent)]
    assert_same(itertools.chain(*three), both)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.map(tf.identity),
        lambda data: data.shuffle(3),
        lambda data: data.cache(),
        lambda data: data.concatenate(data),
        lambda data: data.shuffle(3).repeat(2),
        lambda data: data.apply(tf.data.experimental.assert_cardinality(3)),
        lambda data: tf.data.Dataset.from_tensor_slices(IMAGES).batch(4),
    ],
)
def test_nothing_is_lent_where_batches_are_made_anew(change):
    dataset = change(data())
    assert lending(dataset) is dataset


def test_strings_are_not_lent():
    dataset = data(labels=np.array(["a"] * 10))
    assert lending(dataset) is dataset


def test_what_lends_is_a_data_set_like_the_other():
    lent = lending(data().repeat(2))
    assert lent.element_spec == data().element_spec
    assert int(lent.cardinality()) == 6
    assert_same(lent.map(lambda x: 2 * x), data().repeat(2).map(lambda x: 2 * x))


def test_batches_are_of_one_epoch_and_one_length():
    iterator = iter(lending(data(start=1).repeat()))
    found = [iterator.next_batches(100) for _ in range(4)]
    places = [(batches.epoch, batches.first, batches.stop, length) for batches, length in found]
    assert places == [(0, 1, 2, 4), (0, 2, 3, 2), (1, 0, 2, 4), (1, 2, 3, 2)]


def test_no_examples_are_taken_once_a_batch_was_read():
    iterator = iter(lending(data()))
    next(iterator)
    assert iterator.is_read
    with pytest.raises(RuntimeError, match="asked for examples after a batch"):
        iterator.next_batches(1)


@pytest.mark.parametrize("settings", [{}, {"labels": LABELS}, {"binarize": "dynamic"}])
def test_what_was_not_taken_is_read(settings):
    iterator = iter(lending(data(**settings).repeat(2)))
    iterator.next_batches(1)
    iterator.next_batches(1)
    assert_same(list(iterator), list(data(**settings).repeat(2))[2:])


@pytest.mark.parametrize("most", [0, 1])
def test_a_traced_function_reads_one_batch_a_call(most):
    iterator = iter(lending(data()))
    if most:
        iterator.next_batches(most)
    read = tf.function(lambda: next(iterator), autograph=False)
    assert_same([read() for _ in range(3 - most)], list(data())[most:])
    with pytest.raises(tf.errors.OutOfRangeError):
        read()


def test_a_data_set_that_keras_maps_is_read():
    # As `class_weight` does.
    adapter = keras.src.trainers.data_adapters.tf_dataset_adapter.TFDatasetAdapter
    weighted = adapter(lending(data(labels=LABELS)), class_weight={i: i for i in range(10)})
    _, y, weights = next(iter(weighted.get_tf_dataset()))
    np.testing.assert_array_equal(y, weights)
