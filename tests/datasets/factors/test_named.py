"""Tests of finding a factor data set by its name."""

import pytest

from keras_vae.datasets.factors import Digits, Sprites, load


def test_drawn_sets_need_no_files():
    assert isinstance(load("sprites"), Sprites)
    assert isinstance(load("typeset_digits"), Digits)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match=r"`name`.*'sprites'.*'smallnorb'.*Received: name='mnist'"):
        load("mnist")
