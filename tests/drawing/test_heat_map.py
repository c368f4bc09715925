"""Tests of the heat map."""

import numpy as np
import pytest

from keras_vae import drawing


def test_heat_map_shows_one_colour_a_value():
    picture = drawing.heat_map([1, 2], [[0.0, 1.0, 4.0], [2.0, np.nan, 4.0]], "nats")
    rows, columns = (95, 210, 330), (180, 420)
    shown = [[picture.getpixel((x, y)) for y in rows] for x in columns]
    assert shown[0][2] == shown[1][2]
    brightness = np.array(shown).sum(axis=-1)
    assert brightness[0, 0] < brightness[0, 1] < brightness[1, 0] < brightness[0, 2]
    assert brightness[0, 0] < 15
    assert shown[1][1] == (128, 128, 128)


def test_heat_map_of_many_epochs_and_latents():
    values = np.random.default_rng(0).random((300, 128))
    assert drawing.heat_map(range(1, 301), values, "nats").size == (640, 440)


def test_an_epoch_that_is_left_out_leaves_its_place():
    picture = np.asarray(drawing.heat_map([1, 2, 3, 7], [[0.0], [1.0], [0.0], [1.0]], "nats"))
    row = picture[200, 60:530].sum(axis=-1)
    # Half of the seven epochs from the middle between 3 and 7.
    assert np.mean(row > 300) == pytest.approx((1 + 2.5) / 7, abs=0.02)


def test_nothing_but_zeros_is_black():
    picture = drawing.heat_map([1, 2], np.zeros((2, 3)), "nats")
    assert sum(picture.getpixel((300, 200))) < 15
