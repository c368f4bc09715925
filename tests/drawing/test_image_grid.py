"""Tests of the image grid: every pixel where it belongs, every label outside the images."""

import itertools

import numpy as np
import pytest
from PIL import ImageDraw

from keras_vae import drawing


def test_image_grid_places_every_pixel():
    levels = np.linspace(0, 1, 2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2, 1)
    picture = drawing.image_grid(levels, scale=2, padding=1)
    pixels = np.asarray(picture)
    assert picture.mode == "L"
    assert pixels.shape == (1 + 2 * 5, 1 + 3 * 5)
    for row, column, y, x in np.ndindex(2, 3, 2, 2):
        top, left = 1 + 5 * row + 2 * y, 1 + 5 * column + 2 * x
        expected = round(255 * levels[row, column, y, x, 0])
        assert (pixels[top : top + 2, left : left + 2] == expected).all()
    assert (pixels[5::5] == 255).all() and (pixels[:, ::5] == 255).all()


def test_image_grid_in_colour():
    colours = np.eye(3, dtype=np.float32).reshape(1, 3, 1, 1, 3)
    picture = drawing.image_grid(colours, scale=1, padding=0)
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(picture)[0], 255 * np.eye(3))


def test_image_grid_clips_and_never_rescales():
    values = np.array([-3, 0.2, 0.4, 7, np.nan], np.float32).reshape(1, 5, 1, 1)
    pixels = np.asarray(drawing.image_grid(values, scale=1, padding=0))
    assert pixels.tolist() == [[0, 51, 102, 255, 0]]


@pytest.mark.parametrize(
    ("shape", "scale"),
    [
        # A few small images: eight at most.
        ((1, 1, 28, 28), 8),
        ((2, 5, 28, 28), 6),
        ((2, 10, 28, 28), 3),
        ((11, 11, 28, 28), 3),
        ((2, 8, 64, 64, 3), 2),
        # More than fit are shown as they are.
        ((1, 30, 64, 64, 3), 1),
        # Height counts, too.
        ((60, 5, 28, 28), 1),
    ],
)
def test_image_grid_scales_small_images_up(shape, scale):
    rows, columns, height, width = shape[:4]
    size = columns * (scale * width + 2) + 2, rows * (scale * height + 2) + 2
    assert drawing.image_grid(np.zeros(shape)).size == size


def test_labels_and_title_stand_outside_the_images():
    images = np.full((2, 2, 8, 8, 1), 0.5)
    plain = np.asarray(drawing.image_grid(images))
    labelled = np.asarray(drawing.image_grid(images, ["z3  KL 1.25", "z0"], title="a title"))
    top, left = labelled.shape[0] - plain.shape[0], labelled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(labelled[top:, left:], plain)
    assert labelled[:top].min() < 100
    assert labelled[top:, :left].min() < 100


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [4, 28, 64])
def test_names_and_labels_of_both_axes_stand_outside_the_images(size, channels):
    images = np.full((4, 5, size, size, channels), 0.5)
    plain = np.asarray(drawing.image_grid(images))
    labelled = np.asarray(
        drawing.image_grid(
            images,
            row_labels=list("abcd"),
            column_labels=["-2.5", "-1", "0", "1", "2.5"],
            row_title="z0",
            column_title="z1",
        )
    )
    top, left = labelled.shape[0] - plain.shape[0], labelled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(labelled[top:, left:], plain)
    # The name stands above the labels, and left of them.
    assert labelled[: top // 2, left:].min() < 100 and labelled[top // 2 : top].min() < 100
    assert labelled[top:, : left // 2].min() < 100 and labelled[top:, left // 2 : left].min() < 100


def test_labels_of_narrow_columns_do_not_touch(monkeypatch):
    written = []
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, at, text, fill, font, anchor: written.append((at[0], font.getlength(text))),
    )
    drawing.image_grid(np.zeros((1, 40, 8, 8)), scale=1, column_labels=["-2.25"] * 40)
    assert len(written) >= 8
    ends = [(middle - length / 2, middle + length / 2) for middle, length in written]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_a_name_longer_than_the_grid_is_shown_whole():
    images = np.full((1, 1, 4, 4), 0.5)
    plain = drawing.image_grid(images)
    long = "a name that is longer than the grid is wide"
    named = np.asarray(drawing.image_grid(images, row_title=long, column_title=long))
    height, width = named.shape
    assert width > 5 * plain.width and height > 5 * plain.height
    # White at the ends: nothing is cut off.
    assert (named[:, -1] == 255).all() and (named[-1] == 255).all()


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 4, 4, 2)])
def test_image_grid_names_the_shape(shape):
    with pytest.raises(ValueError, match=r"Expected \[rows, columns.*Received: shape \("):
        drawing.image_grid(np.zeros(shape))


@pytest.mark.parametrize("argument", ["row_labels", "column_labels"])
def test_every_row_and_column_needs_its_label(argument):
    with pytest.raises(ValueError, match=f"`{argument}`. Expected 2 labels.*Received: 1"):
        drawing.image_grid(np.zeros((2, 2, 4, 4)), **{argument: ["one"]})
