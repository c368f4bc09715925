"""Tests of the layers that networks of VAEs need."""

import numpy as np
import pytest

from keras_vae import networks


@pytest.mark.parametrize("parameterization", networks.SCALES)
def test_scales_are_positive_and_bounded_away_from_zero(parameterization):
    layer = networks.PositiveScale(parameterization)
    raw = np.array([-1e4, -100, -10, -1e-3, 0, 1e-3, 10, 100, 1e4], "float32")
    scale = np.asarray(layer(raw))
    assert np.all(np.isfinite(scale))
    assert scale.min() >= networks.MINIMUM_SCALE
    assert np.all(np.isfinite(np.log(scale))) and np.all(np.isfinite(np.square(scale)))
    formula = {
        "softplus": lambda a: np.logaddexp(0, a),
        "square": np.square,
        "exp": np.exp,
        "log_variance": lambda a: np.sqrt(np.exp(a)),
    }
    middle = np.abs(raw) <= 10
    expected = formula[parameterization](np.float64(raw[middle])) + networks.MINIMUM_SCALE
    np.testing.assert_allclose(scale[middle], expected, rtol=1e-5)
