"""Tests of the checks of what is drawn."""

import numpy as np
import pytest

from keras_vae.drawn_inputs import check_exist, checked_events, checked_inputs, checked_latents


def test_events_become_float32_and_keep_their_holes():
    series = np.random.default_rng(0).normal(size=(3, 20, 2))
    series[1, 5:] = np.nan
    found = checked_events(series)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, series, rtol=1e-6)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (np.zeros((2, 8, 8, 1), np.uint8), r"floating point.*Received: uint8 \(2, 8, 8, 1\)"),
        (np.zeros(8), r"Received: float64 \(8,\)"),
        (np.zeros((2, 8, 8, 2)), r"`pictures`.*shape \(8, 8, 2\)"),
        (np.full((2, 8, 8), 1.5), r"values in \[0, 1\].*from 1.5 to 1.5"),
        (np.full((2, 8), np.inf), "infinite ones"),
        (np.full((2, 8), np.nan), "NaN alone"),
    ],
)
def test_what_cannot_be_drawn_is_refused(events, message):
    with pytest.raises(ValueError, match=message):
        checked_events(events, "pictures")


@pytest.mark.parametrize("images", [np.zeros(3), np.zeros((2, 3), int), np.array([[np.nan]])])
def test_what_cannot_be_encoded_is_refused(images):
    with pytest.raises(ValueError, match="Invalid value for argument `around`"):
        checked_inputs(images, "around")


def test_latents_are_two_that_the_model_has():
    assert checked_latents([2, 0]) == (2, 0)
    for latents in ((1, 1), (1,), (0, -1), "ab", 3):
        with pytest.raises(ValueError, match="two different latents"):
            checked_latents(latents)
    with pytest.raises(ValueError, match="There is no latent 4 in a model with 4 latents"):
        check_exist((0, 4), 4)
