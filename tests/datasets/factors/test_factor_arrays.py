"""Tests of a user's images by their factors: incomplete, repeated and continuous ones."""

import numpy as np
import pytest

from keras_vae.datasets.factors import FactorArrays

# Of a grid of 3 x 3, the corner (2, 2) is not there, and (0, 0) twice.
FACTORS = np.array([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [0, 0]])
IMAGES = np.broadcast_to(np.arange(9, dtype=np.uint8)[:, None, None, None], (9, 2, 2, 1)).copy()


@pytest.fixture
def data():
    return FactorArrays(IMAGES, FACTORS, ["row", "column"])


def rows(images):
    """Which images these are."""
    return np.rint(images[:, 0, 0, 0] * 255).astype(int)


def test_images_are_found_by_their_factors(data):
    assert (data.factor_sizes, data.image_shape) == ((3, 3), (2, 2, 1))
    images = data.sample(FACTORS[::-1])
    assert images.dtype == np.float32
    # Without a generator it is the first of several.
    assert list(rows(images)) == [0, 7, 6, 5, 4, 3, 2, 1, 0]


def test_among_images_of_the_same_factors_a_generator_picks(data):
    picked = rows(data.sample(np.zeros((200, 2), int), 0))
    assert set(picked) == {0, 8}
    np.testing.assert_array_equal(picked, rows(data.sample(np.zeros((200, 2), int), 0)))


def test_every_image_is_drawn_as_often(data):
    _, images = data.draw(9_000, 0)
    counts = np.bincount(rows(images))
    # 1,000 of each are expected: five standard deviations.
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_held_factors_are_drawn_among_the_images_that_have_them(data):
    factors, images = data.draw(600, 0, held={"row": 2})
    assert {tuple(one) for one in factors} == {(2, 0), (2, 1)}
    np.testing.assert_array_equal(factors, FACTORS[rows(images)])
    wanted = np.arange(600) % 3
    factors, _ = data.draw(600, 0, held={"column": wanted})
    np.testing.assert_array_equal(factors[:, 1], wanted)
    assert {tuple(one) for one in factors} == {tuple(one) for one in FACTORS}


def test_what_is_not_there_is_refused(data):
    with pytest.raises(ValueError, match=r"No image has the values \{'row': 2, 'column': 2\}"):
        data.sample([[0, 0], [2, 2]])
    with pytest.raises(ValueError, match="No image has the values"):
        data.draw(5, 0, held={"row": 2, "column": 2})


def test_values_are_those_given():
    data = FactorArrays(IMAGES, FACTORS * 10 - 5, ["row", "column"])
    np.testing.assert_array_equal(data.factor_values[0], [-5, 5, 15])
    np.testing.assert_array_equal(data.sample([[1, 2]]), IMAGES[5:6] / np.float32(255))


def test_continuous_factors_are_held_by_bins():
    angles = np.random.default_rng(0).random(9)
    data = FactorArrays(IMAGES, np.column_stack([FACTORS[:, 0], angles]), num_bins={"factor_1": 3})
    assert data.factor_sizes == (3, 3)
    third = np.argsort(angles).reshape(3, 3)
    np.testing.assert_allclose(data.factor_values[1], angles[third[:, 1]])
    _, images = data.draw(200, 0, held={"factor_1": 1})
    assert set(rows(images)) == set(third[1])


def test_booleans_and_floats():
    for images in (IMAGES > 4, (IMAGES > 4).astype(np.float64)):
        drawn = FactorArrays(images, FACTORS).sample(FACTORS[1:8])
        assert drawn.dtype == np.float32
        np.testing.assert_array_equal(drawn, (IMAGES > 4)[1:8])


def test_images_stay_in_the_file_that_they_are_mapped_from(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    data = FactorArrays(mapped, FACTORS)
    assert np.shares_memory(data._images, mapped)
    assert list(rows(data.sample(FACTORS[:8]))) == list(range(8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": IMAGES.astype(int)}, "dtype int64"),
        ({"images": IMAGES[:, 0, 0, 0]}, r"shape \(9,\)"),
        ({"images": [np.zeros((2, 2)), np.zeros((3, 3))]}, "differing shapes"),
        ({"factors": FACTORS[:8]}, "9 images and 8 rows"),
        ({"factors": FACTORS[:, 0]}, r"`factor\[:, None\]`"),
        ({"factors": FACTORS.astype(str)}, "np.unique"),
        ({"factors": np.where(FACTORS == 2, np.nan, FACTORS)}, "2 of 9 are NaN"),
        ({"factors": np.random.default_rng(0).random((9, 2))}, "'factor_0' is continuous: 9"),
        ({"factors": np.arange(9)[:, None] * 2**40 * np.ones((1, 22), int)}, r"2\*\*63"),
        ({"factor_names": ["one"]}, "2 different names"),
        ({"factor_names": "ab"}, "2 different names"),
        ({"num_bins": {"angle": 3}}, "`num_bins`"),
        ({"num_bins": {"factor_0": 1}}, "`num_bins`.*at least 2"),
        ({"num_bins": {"factor_0": 4}}, "has 3 values, fewer than bins"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        FactorArrays(**{"images": IMAGES, "factors": FACTORS, **arguments})


def test_floats_that_are_not_scaled_are_refused_where_they_are_read():
    data = FactorArrays(IMAGES.astype(np.float32), FACTORS)
    data.sample([[0, 1]])
    with pytest.raises(ValueError, match=r"in \[0, 1\].*2\.0"):
        data.sample([[0, 2]])
