"""Tests of what becomes of a callback's failures."""

import pytest

from keras_vae.callbacks.helpers.guard import Guard


def test_guard_warns_once():
    guard = Guard("Painter")
    with pytest.warns(UserWarning, match="Painter could not draw.*ZeroDivisionError") as warned:
        for _ in range(3):
            with guard("draw"):
                1 / 0  # noqa: B018
    assert len(warned) == 1


def test_guard_lets_interrupts_through():
    with pytest.raises(KeyboardInterrupt), Guard("Painter")("draw"):
        raise KeyboardInterrupt
