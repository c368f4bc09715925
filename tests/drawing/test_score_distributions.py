"""The picture has every kind of scores in it, and refuses what it cannot draw."""

import numpy as np
import pytest

from keras_vae.drawing import PALETTE, score_distributions


def has_colour(picture, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (abs(np.asarray(picture).astype(int) - wanted).max(axis=-1) < 12).any()


def test_every_kind_and_the_threshold_are_drawn():
    generator = np.random.default_rng(0)
    kinds = {"usual": generator.normal(size=500), "strange": generator.normal(4, size=50)}
    picture = score_distributions(kinds, threshold=2.0)
    assert picture.size == (640, 440)
    assert all(has_colour(picture, colour) for colour in PALETTE[:2])
    assert picture.tobytes() != score_distributions(kinds).tobytes()


def test_strangers_however_far_out_leave_the_first_kind_its_place():
    usual = np.random.default_rng(0).normal(size=500)
    near, far, further = (
        score_distributions({"usual": usual, "strange": np.full(50, at)}).tobytes()
        for at in (5.0, 1e3, 1e6)
    )
    assert near != far == further


def test_one_value_only_is_drawn_too():
    assert score_distributions({"all": [3.0, 3.0]}, size=(300, 200)).size == (300, 200)


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.0, np.nan]}])
def test_what_is_no_score_is_refused(scores):
    with pytest.raises(ValueError, match="Expected finite scores of one or more kinds"):
        score_distributions(scores)
