"""Tests of the drawing of sprites, against outlines that are traced point by point."""

import hashlib

import numpy as np
import pytest
from matplotlib.path import Path

from keras_vae.datasets.factors.sprite_drawing import ORIENTATIONS, POSITIONS, SCALES, render


def some_factors(count, seed=0):
    sizes = (3, 6, 40, 32, 32)
    return np.random.default_rng(seed).integers(0, sizes, (count, 5))


def outline(shape):
    """Points of an upright outline at scale 1, y downwards."""
    angle = np.linspace(0, 2 * np.pi, 4_000)
    if shape == 0:
        half = 9.599
        return np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    if shape == 1:
        return np.column_stack([12.768 * np.cos(angle), 7.2125 * np.sin(angle)])
    height = 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle)
    return np.column_stack([9.595 * np.sin(angle) ** 3, -0.662 * (height + 2.17)])


def traced(shape, scale, orientation, x, y, margin=0.0):
    """Which pixel centres are within the outline, widened by a margin."""
    turn = ORIENTATIONS[orientation]
    # The inverse of what takes pixels back to the upright outline.
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = 16 + 32 * np.array([POSITIONS[x], POSITIONS[y]])
    points = (outline(shape) * (1 + margin)) @ rotation.T * SCALES[scale] + centre
    row, column = np.indices((64, 64)) + 0.5
    inside = Path(points).contains_points(np.column_stack([column.ravel(), row.ravel()]))
    return inside.reshape(64, 64)


@pytest.mark.parametrize("shape", range(3))
def test_pixels_are_white_whose_centres_are_within_the_outline(shape):
    factors = some_factors(12)
    factors[:, 0] = shape
    for image, one in zip(render(factors), factors, strict=True):
        # Nothing is said of centres nearer to the outline than 14 pixels times this.
        surely, perhaps = traced(*one, margin=-1e-4), traced(*one, margin=1e-4)
        assert image[surely].all()
        assert not image[~perhaps].any()
        assert np.sum(surely != perhaps) <= 1


def test_an_image_does_not_depend_on_the_others():
    factors = some_factors(30)
    images = render(factors)
    for image, one in zip(images, factors, strict=True):
        np.testing.assert_array_equal(render(one[None])[0], image)
    assert render(factors[:0]).shape == (0, 64, 64)


def test_sprites_of_every_place_and_size_are_whole():
    # The whole image, where only a window around the centre is looked at.
    corners = [
        (shape, 5, orientation, x, y)
        for shape in range(3)
        for orientation in range(0, 40, 3)
        for x in (0, 31)
        for y in (0, 31)
    ]
    images = render(np.array(corners))
    assert not images[:, [0, -1]].any() and not images[:, :, [0, -1]].any()
    for first, last in zip(images[0::4], images[3::4], strict=True):
        # From end to end are 32 whole pixels.
        np.testing.assert_array_equal(np.roll(first, (32, 32), (0, 1)), last)


def test_both_ends_of_the_orientations_are_the_same():
    factors = some_factors(60)
    first, last = factors.copy(), factors.copy()
    first[:, 2], last[:, 2] = 0, 39
    np.testing.assert_array_equal(render(first), render(last))


def test_the_images_are_the_ones_that_were_compared_with_the_original():
    packed = np.packbits(render(some_factors(2_000, seed=1)))
    assert hashlib.sha256(packed.tobytes()).hexdigest() == (
        "9be93ebe01f2c1bff0e095577781574e4dbc207925c49b9612efe7404b841657"
    )
