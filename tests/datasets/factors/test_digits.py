"""Tests of typeset digits by their factors."""

import numpy as np
import pytest

from keras_vae.datasets.factors import Digits
from keras_vae.datasets.typeset_digits import RANGES, render


def test_images_are_those_that_the_set_renders():
    data = Digits(num_values=3)
    assert data.factor_names == ("digit", "font", *RANGES)
    assert data.factor_sizes == (10, 15, 3, 3, 3, 3, 3, 3)
    factors = np.array([[7, 2, 0, 1, 2, 0, 1, 2]])
    ends = [(low, (low + high) / 2, high) for low, high in RANGES.values()]
    values = [end[index] for end, index in zip(ends, factors[0, 2:], strict=True)]
    given = {"label": 7, "font": 2, **dict(zip(RANGES, values, strict=True))}
    expected = render({name: np.array([value]) for name, value in given.items()})
    image = data.sample(factors)
    assert image.dtype == np.float32 and image.shape == (1, *data.image_shape)
    np.testing.assert_array_equal(np.rint(255 * image), expected)


def test_refusals():
    with pytest.raises(ValueError, match="num_values"):
        Digits(num_values=1)
