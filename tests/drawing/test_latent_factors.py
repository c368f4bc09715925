"""Tests of the picture of latents against factors."""

import numpy as np
import pytest

from keras_vae import drawing
from keras_vae.drawing.latent_factors import sorted_latents


def test_latents_stand_by_their_factor_the_strongest_first_and_weak_ones_last():
    values = [[0.0, 0.05], [0.0, 0.5], [0.9, 0.1], [0.1, 0.8], [np.nan, 0.0], [0.06, 0.0]]
    assert list(sorted_latents(np.array(values))) == [2, 3, 1, 5, 0, 4]


def test_one_colour_a_value_in_the_order_of_the_factors():
    values = [[0.0, 1.0], [0.5, 0.0], [np.nan, 0.0]]
    picture = drawing.latent_factors(values, ["shape", "size"], "importance")
    # Beside the middle of each cell, where its number stands.
    shown = [[picture.getpixel((x, y)) for x in (90, 330)] for y in (40, 160, 280)]
    brightness = np.array(shown).sum(axis=-1)
    assert brightness[1, 1] > brightness[0, 0] > brightness[0, 1]
    assert brightness[0, 1] < 15
    assert shown[2][0] == (128, 128, 128)


def test_numbers_are_written_where_there_is_room():
    def strokes(rows):
        values = np.zeros((rows, 2))
        picture = np.asarray(drawing.latent_factors(values, ["a", "b"], "nats"))
        return np.count_nonzero(picture[25:385, 60:530].sum(axis=-1) > 300)

    assert strokes(3) > 50
    assert strokes(60) == 0


def test_names_that_do_not_fit_are_refused():
    for values, names in (([[1.0, 2.0]], ["a"]), ([1.0], ["a"]), (np.zeros((0, 1)), ["a"])):
        with pytest.raises(ValueError, match="Values and names do not fit"):
            drawing.latent_factors(values, names, "nats")
    with pytest.raises(ValueError, match="3 latents"):
        drawing.latent_factors([[1.0]], ["a"], "nats", latents=["x", "y", "z"])
