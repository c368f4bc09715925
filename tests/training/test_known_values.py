"""Tests of what is known of a data set's values before it is read."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.datasets import from_arrays
from keras_vae.requirements import Requirement, is_whole
from keras_vae.training.data_checks import DataCheck
from keras_vae.training.known_values import known_extremes, remember_extremes

FLOATS = np.linspace(-0.5, 2, 24, dtype=np.float32).reshape(6, 2, 2, 1)
BYTES = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1)


def test_extremes_are_found_once_and_when_asked_for():
    asked = []
    dataset = tf.data.Dataset.range(3)
    remember_extremes(dataset, lambda: asked.append(1) or (0.0, 2.0))
    assert asked == []
    assert known_extremes(dataset) == known_extremes(dataset.repeat()) == (0.0, 2.0)
    assert asked == [1]


@pytest.mark.parametrize(
    "images, binarize, expected",
    [
        (FLOATS, None, (-0.5, 2.0)),
        (FLOATS.astype(np.float64), None, (-0.5, 2.0)),
        (FLOATS.astype(np.float16), None, (-0.5, 2.0)),
        (BYTES, None, (0.0, 1.0)),
        (BYTES, "dynamic", (0.0, 1.0)),
        (FLOATS.clip(0.25, 0.75), "fixed", (0.0, 1.0)),
        (np.full((2, 2, 2, 1), 1e300), None, (math.inf, math.inf)),
    ],
)
def test_of_arrays_they_are_known(images, binarize, expected):
    dataset = from_arrays(images, np.arange(len(images)), batch_size=4, binarize=binarize)
    assert known_extremes(dataset) == expected


@pytest.mark.parametrize("value, place", [(math.nan, 0), (math.nan, 23), (math.inf, 7)])
def test_one_value_that_is_not_finite_shows(value, place):
    images = FLOATS.copy()
    images.flat[place] = value
    low, high = known_extremes(from_arrays(images))
    assert not (math.isfinite(low) and math.isfinite(high))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.repeat(2).take(3).skip(1),
        lambda data: data.shuffle(4).prefetch(2).cache(),
        lambda data: data.with_options(tf.data.Options()),
        lambda data: data.apply(tf.data.experimental.assert_cardinality(3)),
    ],
)
def test_they_stay_known_where_elements_are_handed_on(change):
    assert known_extremes(change(from_arrays(FLOATS, batch_size=2))) == (-0.5, 2.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.map(lambda batch: 3 * batch),
        lambda data: data.unbatch().batch(3).map(tf.identity),
        lambda data: data.concatenate(tf.data.Dataset.from_tensors(9 * FLOATS)),
        lambda data: tf.data.Dataset.zip(data, data),
        lambda data: data.flat_map(lambda batch: tf.data.Dataset.from_tensors(5 * batch)).repeat(),
    ],
)
def test_nothing_is_known_of_what_is_made_of_them(change):
    assert known_extremes(change(from_arrays(FLOATS, batch_size=2))) is None


def test_nothing_is_known_of_a_cache_in_a_file_which_may_hold_other_images(tmp_path):
    file = str(tmp_path / "images")
    list(from_arrays(9 * FLOATS, batch_size=2).cache(file))
    cached = from_arrays(FLOATS.clip(0, 1), batch_size=2).cache(file)
    assert known_extremes(cached) is None
    check = DataCheck((2, 2, 1), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"within \[0, 1\]"), check.errors_made_clear():
        list(check.wrap(cached))


def test_images_that_change_afterwards_do_not_change_the_data_set():
    images = FLOATS.copy()
    dataset = from_arrays(images, shuffle=False)
    images[...] = np.nan
    assert known_extremes(dataset) == (-0.5, 2.0)
    np.testing.assert_array_equal(next(iter(dataset)), FLOATS)


@pytest.mark.parametrize("change", [lambda data: data, lambda data: data.repeat().take(2)])
def test_batches_that_are_known_to_fit_are_not_looked_at(change):
    fitting = change(from_arrays(FLOATS.clip(0, 1), batch_size=4))
    assert DataCheck((2, 2, 1), 0.0, 1.0).wrap(fitting) is fitting
    beyond = change(from_arrays(FLOATS, batch_size=4))
    assert DataCheck((2, 2, 1)).wrap(beyond) is beyond
    check = DataCheck((2, 2, 1), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"within \[0, 1\]"), check.errors_made_clear():
        list(check.wrap(beyond))


def test_batches_are_looked_at_where_extremes_do_not_tell():
    data = from_arrays(FLOATS.clip(0, 1), batch_size=4)
    whole = Requirement("whole numbers", is_whole, "Round them.")
    check = DataCheck((2, 2, 1), 0.0, 1.0, requirements=[whole])
    with pytest.raises(ValueError, match="whole numbers"), check.errors_made_clear():
        list(check.wrap(data))
    weighted = tf.data.Dataset.zip(data, data.map(lambda x: -tf.ones(tf.shape(x)[0])))
    weighted = weighted.map(lambda x, weights: (x, weights, weights))
    check = DataCheck((2, 2, 1), 0.0, 1.0)
    with pytest.raises(ValueError, match="Sample weights"), check.errors_made_clear():
        list(check.wrap(weighted))


def test_nan_is_never_known_to_fit():
    images = FLOATS.clip(0, 1)
    images[3] = np.nan
    check = DataCheck((2, 2, 1), 0.0, 1.0)
    with pytest.raises(ValueError, match="must be finite"), check.errors_made_clear():
        list(check.wrap(from_arrays(images, batch_size=2)))
    # Where it may be, the batches are looked at as they come.
    rows = np.where(np.isnan(images), np.nan, images)
    check = DataCheck((2, 2, 1), 0.0, 1.0, missing=True)
    assert len(list(check.wrap(from_arrays(rows, batch_size=2)))) == 3
