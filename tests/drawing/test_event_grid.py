"""Tests of series as lines and rows as bars."""

import numpy as np
import pytest

from keras_vae import drawing

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def where(picture, colour):
    """Rows and columns of the pixels of nearly that colour."""
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    return np.argwhere(np.abs(pixels - colour).max(axis=-1) < 60)


def test_images_are_drawn_as_image_grid_draws_them():
    images = np.random.default_rng(0).random((2, 3, 8, 8, 1))
    expected = drawing.image_grid(images, ["a", "b"], "title")
    found = drawing.event_grid(images, ["a", "b"], "title", limits=(0, 5))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_a_line_for_each_feature_rises_and_falls_with_it():
    time = np.linspace(0, 1, 50)
    picture = drawing.event_grid(np.stack([time, 1 - time], axis=-1)[None, None], limits=(0, 1))
    for colour, rises in ((BLUE, True), (ORANGE, False)):
        rows, columns = where(picture, colour).T
        left, right = rows[columns < columns.mean()].mean(), rows[columns > columns.mean()].mean()
        assert (left > right + 20) == rises


def test_bars_stand_on_zero():
    picture = drawing.event_grid(np.array([[[1.0, -1.0, np.nan, 0.5]]]), limits=(-1, 1))
    rows, columns = where(picture, BLUE).T
    middle = (rows.min() + rows.max()) / 2
    # A quarter of the width each: up, down, nothing, up by half as much.
    place = (columns - columns.min()) / (columns.max() - columns.min()) * 3.7
    up, down, half = (rows[(place > low) & (place < low + 0.6)] for low in (0, 1, 3.05))
    assert up.max() <= middle + 2 and down.min() >= middle - 2
    assert len(half) == pytest.approx(len(up) / 2, rel=0.2)
    assert not ((place > 1.9) & (place < 2.8)).any()


def test_lines_break_where_nothing_was_observed():
    series = np.zeros((1, 1, 90, 1))
    series[0, 0, 30:60] = np.nan
    columns = where(drawing.event_grid(series, limits=(-1, 1)), BLUE)[:, 1]
    gaps = np.diff(np.unique(columns))
    assert gaps.max() == pytest.approx(len(np.unique(columns)) / 2, rel=0.2)
    assert (gaps > 1).sum() == 1


def test_the_title_tells_the_scale_and_limits_are_those_of_all_events():
    events = np.array([[[0.0, 10.0]], [[-10.0, np.nan]]])
    low, high = drawing.span(events)
    assert (low, high) == pytest.approx((-11.2, 11.2))
    assert drawing.span(np.ones(3), with_zero=True) == pytest.approx((-0.06, 1.06))
    assert drawing.span(np.full(3, np.nan))[0] < 0 < drawing.span(np.full(3, np.nan))[1]
    told = np.asarray(drawing.event_grid(events, title="a title"))
    expected = np.asarray(drawing.event_grid(events, title="a title", limits=(low, high)))
    np.testing.assert_array_equal(told, expected)
    assert not np.array_equal(told, np.asarray(drawing.event_grid(events, title="another")))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"events of shape \(8, 8, 2\)"):
        drawing.event_grid(np.zeros((2, 2, 8, 8, 2)))
