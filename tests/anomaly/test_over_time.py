"""Tests of scores of windows as scores of steps."""

import keras
import numpy as np
import pytest

from keras_vae import anomaly


def test_a_step_has_the_mean_of_the_windows_that_it_is_in():
    np.testing.assert_allclose(anomaly.over_time([1.0, 2.0, 6.0], window=2), [1, 1.5, 4, 6])
    np.testing.assert_allclose(
        anomaly.over_time([1.0, 2.0], window=3, stride=3), [1, 1, 1, 2, 2, 2]
    )
    by_step = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    np.testing.assert_allclose(anomaly.over_time(by_step, 3, 2), [1, 2, 3.5, 5, 6])


def test_features_are_summed():
    by_feature = np.random.default_rng(0).normal(size=(5, 4, 3))
    np.testing.assert_allclose(
        anomaly.over_time(by_feature, 4), anomaly.over_time(by_feature.sum(axis=-1), 4)
    )


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_windows_are_those_that_keras_cuts(stride):
    series = np.random.default_rng(0).normal(size=(50, 2))
    cut = keras.utils.timeseries_dataset_from_array(
        series, None, sequence_length=7, sequence_stride=stride, shuffle=False, batch_size=8
    )
    windows = np.concatenate(list(cut.as_numpy_iterator()))
    # What every step adds is the same in every window.
    found = anomaly.over_time(windows, 7, stride)
    np.testing.assert_allclose(found, series.sum(axis=-1)[: len(found)])
    assert len(found) > 50 - stride


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 2), r"Received: shape \[0\]"),
        (([[1.0, 2.0]], 3), r"window=3. Received: shape \[1, 2\]"),
        (([1.0, np.nan], 2), "1 not finite"),
        (([1.0, 2.0], 2, 3), "stride=3, window=2"),
        (([1.0], 0), "window=0"),
        (([1.0], 2, 0), "stride=0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        anomaly.over_time(*arguments)
