"""Tests of the checks that images pass before training."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.requirements import Requirement, is_whole
from keras_vae.training.data_checks import DataCheck, as_float_images, example_weights

SHAPE = (4, 4, 1)
GOOD = np.random.default_rng(0).random((6, *SHAPE), dtype=np.float32)


@pytest.fixture
def check():
    return DataCheck(SHAPE, 0.0, 1.0)


def spoiled(value, index=0):
    images = GOOD.copy()
    images[index, 1, 2, 0] = value
    return images


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floating_images_become_float32(dtype):
    found = as_float_images(GOOD.astype(dtype))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, GOOD, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_images_that_are_not_floating_are_refused(check, dtype):
    images = GOOD.astype(dtype)
    for refuse in (as_float_images, check.wrap):
        with pytest.raises(ValueError, match=rf"must be floating.*Received: dtype {dtype}.*255"):
            refuse(images)


def test_example_weights_are_one_float_an_example():
    np.testing.assert_array_equal(example_weights(None, 3), [1, 1, 1])
    np.testing.assert_array_equal(example_weights(np.array([[1], [2]]), 2), [1, 2])
    assert example_weights(np.array([1, 2]), 2).dtype == tf.float32
    with pytest.raises(tf.errors.InvalidArgumentError):
        example_weights(np.ones(3), 2)


@pytest.mark.parametrize(
    "wrapped", [GOOD, (GOOD,), (GOOD, np.arange(6)), (GOOD, np.arange(6), np.ones(6))]
)
def test_good_arrays_pass_as_they_are(check, wrapped):
    assert check.wrap(wrapped) is wrapped


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_ends_of_the_support_belong_to_it(check, value):
    images = spoiled(value)
    assert check.wrap(images) is images
    (batch,) = check.wrap(tf.data.Dataset.from_tensors(images))
    np.testing.assert_array_equal(batch, images)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.001, r"within \[0, 1\].*Received: values from 0.0\d* to 1.001"),
        (-2.0, r"within \[0, 1\].*Received: values from -2.0 to 0.9\d*"),
        (math.nan, r"must be finite. Received: values that are NaN or infinite"),
        (math.inf, r"must be finite. Received: values that are NaN or infinite"),
    ],
)
def test_values_of_arrays_are_checked_wherever_they_stand(check, value, message):
    for index in (0, 5):
        with pytest.raises(ValueError, match=message):
            check.wrap(spoiled(value, index))


def test_without_a_support_any_finite_value_passes():
    check = DataCheck(SHAPE, -math.inf, math.inf)
    images = spoiled(-1e6)
    assert check.wrap(images) is images
    assert len(list(check.wrap(tf.data.Dataset.from_tensors(images)))) == 1
    with pytest.raises(ValueError, match=r"must be finite"):
        check.wrap(spoiled(math.nan))
    with pytest.raises(ValueError, match=r"the reals"), check.errors_made_clear():
        list(check.wrap(tf.data.Dataset.from_tensors(spoiled(math.inf))))


def test_shapes_are_checked_unless_unknown(check):
    wrong = GOOD[:, :, :3]
    with pytest.raises(ValueError, match=r"Expected: \[batch, 4, 4, 1\]. Received: \[6, 4, 3, 1\]"):
        check.wrap(wrong)
    with pytest.raises(ValueError, match=r"Expected: \[batch, 4, 4, 1\]. Received: \[4, 3, 1\]"):
        check.wrap(tf.data.Dataset.from_tensor_slices(wrong))
    unknown = DataCheck(None, 0.0, 1.0)
    assert unknown.wrap(wrong) is wrong


@pytest.mark.parametrize("extra", [(), (np.arange(6),), (np.arange(6), np.ones(6))])
def test_datasets_keep_their_structure_and_content(check, extra):
    elements = (GOOD, *extra) if extra else GOOD
    dataset = tf.data.Dataset.from_tensor_slices(elements).batch(4)
    checked = check.wrap(dataset)
    assert checked.element_spec == dataset.element_spec
    assert checked.cardinality() == 2
    for found, expected in zip(checked, dataset, strict=True):
        for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [1.5, -0.5, math.nan])
def test_values_of_datasets_are_checked_batch_by_batch(check, value):
    batches = iter(check.wrap(tf.data.Dataset.from_tensor_slices(spoiled(value, 5)).batch(4)))
    np.testing.assert_array_equal(next(batches), GOOD[:4])
    with pytest.raises(ValueError, match=r"\[0, 1\].*A batch"), check.errors_made_clear():
        next(batches)


@pytest.mark.parametrize("lower, upper", [(0.0, 1.0), (-math.inf, math.inf)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_value_in_a_whole_batch_is_seen_wherever_it_is(lower, upper, value):
    # Vectorised minima and maxima of an array of odd length end with a part that is not.
    size = 4 * 16 + 5
    images = np.full((size, size), 0.5, np.float32)
    np.fill_diagonal(images, value)
    check = DataCheck((size,), lower, upper)
    checked = check.wrap(tf.data.Dataset.from_tensor_slices(images).batch(1))
    refused, batches = 0, iter(checked)
    for _ in range(size):
        try:
            next(batches)
        except tf.errors.InvalidArgumentError:
            refused += 1
    assert refused == size


def test_other_errors_of_a_pipeline_pass_unchanged(check):
    with pytest.raises(tf.errors.InvalidArgumentError), check.errors_made_clear():
        tf.reshape(GOOD, [7])


def test_generators_are_checked_as_they_run(check):
    batches = [(GOOD,), (spoiled(2.0),)]
    checked = check.wrap(batch for batch in batches)
    assert next(checked)[0] is GOOD
    with pytest.raises(ValueError, match=r"Received: values from"):
        next(checked)
    with pytest.raises(ValueError, match=r"Received: values from"):
        check.wrap(batch for batch in reversed(batches))


def test_py_datasets_are_checked_and_kept(check):
    class One(keras.utils.PyDataset):
        def __init__(self, images):
            super().__init__()
            self.images = images

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return (self.images,)

    assert next(iter(np.asarray(check.wrap(One(GOOD))[0][0])[:, 0, 0, 0])) == GOOD[0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"Received: values from"):
        check.wrap(One(spoiled(2.0)))


# Values that must be more than in an interval, or may be missing -----------------------------

COUNTS = np.float32([[0, 1], [2, 3], [4, 5]])


@pytest.fixture
def of_counts():
    whole = Requirement("whole numbers", is_whole, "Round them.")
    return DataCheck((2,), 0.0, math.inf, requirements=[whole], missing=True)


def ways_to_give(values):
    """What `fit` takes that holds these values."""
    return {
        "array": values,
        "data set": tf.data.Dataset.from_tensor_slices(values).batch(2),
        "generator": (batch for batch in np.split(values, len(values))),
    }


def look_at(check, data):
    """Goes through data as training does."""
    with check.errors_made_clear():
        for _ in check.wrap(data):
            pass


@pytest.mark.parametrize("kind", ways_to_give(COUNTS))
def test_values_meet_requirements_wherever_they_come_from(of_counts, kind):
    missing, fraction, negative = COUNTS.copy(), COUNTS.copy(), COUNTS.copy()
    missing[2, 1], fraction[2, 1], negative[2, 1] = np.nan, 0.5, -2
    look_at(of_counts, ways_to_give(missing)[kind])
    with pytest.raises(ValueError, match=r"Images must be whole numbers.*Round them"):
        look_at(of_counts, ways_to_give(fraction)[kind])
    with pytest.raises(ValueError, match=r"within \[0, inf\].*Choose another|choose another"):
        look_at(of_counts, ways_to_give(negative)[kind])


@pytest.mark.parametrize("kind", ways_to_give(COUNTS))
def test_what_is_infinite_is_not_missing(of_counts, kind):
    infinite = COUNTS.copy()
    infinite[2, 1] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        look_at(of_counts, ways_to_give(infinite)[kind])


def test_one_row_may_be_empty_and_several_may_not(of_counts):
    empty = np.full_like(COUNTS, np.nan)
    assert of_counts.wrap(empty[:1]).shape == (1, 2)
    with pytest.raises(ValueError, match="Something must be observed"):
        of_counts.wrap(empty)


def test_the_same_check_of_other_labels_is_the_same_check(of_counts):
    def refuse(labels):
        raise ValueError("no labels")

    other = of_counts.with_labels(refuse)
    assert (other.requirements, other.missing) == (of_counts.requirements, True)
    with pytest.raises(ValueError, match="no labels"):
        other.wrap((COUNTS, [1, 2, 3]))
    of_counts.wrap((COUNTS, [1, 2, 3]))
