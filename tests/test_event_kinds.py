"""Tests of what an event is by its shape."""

import pytest

from keras_vae.event_kinds import event_kind


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((28, 28, 1), "images"),
        ((64, 48, 3), "images"),
        ((28, 28), "images"),
        ((4, 4), "images"),
        ((100, 8), "images"),
        ((100, 7), "series"),
        ((14, 7), "series"),
        ((13, 7), "images"),
        ((2, 1), "series"),
        ((1,), "rows"),
        ((64,), "rows"),
    ],
)
def test_kinds(shape, kind):
    assert event_kind(shape) == kind


@pytest.mark.parametrize("shape", [(), (65,), (784,), (8, 8, 2), (8, 8, 4), (2, 8, 8, 3)])
def test_what_nobody_draws_is_refused(shape):
    with pytest.raises(ValueError, match=r"A picture shows images.*Received: events of shape"):
        event_kind(shape)
