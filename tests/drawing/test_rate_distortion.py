"""Tests of the plane of rate and distortion."""

import numpy as np
import pytest

from keras_vae import drawing


def test_diagonals_join_points_of_equal_elbo():
    chart = drawing.Chart((520, 480))
    drawing.rate_distortion({"training": ([1, 2], [10.0, 20.0], [90.0, 70.0])}, chart=chart)
    diagonals = [line for line in chart.axes.get_lines() if line.get_linestyle() == "--"]
    assert len(diagonals) >= 3
    for line in diagonals:
        rates, distortions = line.get_data()
        assert np.ptp(np.add(rates, distortions)) == pytest.approx(0, abs=1e-9)


def test_diagonals_are_labelled_away_from_the_path():
    chart = drawing.Chart((520, 480))
    path = np.linspace(10.0, 25.0, 30), np.linspace(140.0, 80.0, 30)
    drawing.rate_distortion({"training": (range(101, 131), *path)}, chart=chart)
    labels = [text for text in chart.axes.texts if "ELBO" in text.get_text()]
    assert len(labels) >= 3
    points = chart.axes.transData.transform(np.stack(path, axis=1))
    for label in labels:
        box = label.get_window_extent()
        assert not any(box.contains(x, y) for x, y in points)
        assert chart.axes.bbox.padded(1).containsx(box.x0)
        assert chart.axes.bbox.padded(1).containsx(box.x1)


@pytest.mark.parametrize("steps", [[1, 60, 70, 80], [2, 4, 6, 8]])
def test_the_start_of_training_does_not_squeeze_the_rest(steps):
    chart = drawing.Chart((520, 480))
    path = (steps, [200.0, 20.0, 19.0, 18.0], [900.0, 100.0, 95.0, 90.0])
    drawing.rate_distortion({"training": path}, chart=chart)
    labels = [text.get_text().strip() for text in chart.axes.texts if "step" in text.get_text()]
    assert labels == [f"step {steps[1]}", f"step {steps[-1]}"]
    assert chart.axes.get_xlim()[1] < 30
    assert chart.axes.get_ylim()[1] < 110


@pytest.mark.parametrize("draw", [drawing.rate_distortion, drawing.rate_distortion_points])
def test_axes_say_what_they_are_told(draw):
    chart = drawing.Chart()
    pair = [5.0, 6.0], [90.0, 80.0]
    path = {"training": ([1, 2], *pair) if draw is drawing.rate_distortion else pair}
    draw(path, chart=chart)
    assert "[nats]" in chart.axes.get_xlabel() and "[nats]" in chart.axes.get_ylabel()
    draw(path, chart=chart, xlabel="rate  [bits]", ylabel="distortion  [bits]")
    assert chart.axes.get_xlabel() == "rate  [bits]"
    assert chart.axes.get_ylabel() == "distortion  [bits]"


def test_a_chart_that_is_drawn_again_is_as_a_new_one():
    path = {"training": ([1, 2], [5.0, 6.0], [90.0, 80.0])}
    chart = drawing.Chart((520, 480))
    drawing.rate_distortion({"training": ([1, 2], [1.0, 2.0], [300.0, 200.0])}, chart=chart)
    again = drawing.rate_distortion(path, chart=chart)
    np.testing.assert_array_equal(again, drawing.rate_distortion(path))


def test_trained_models_are_joined_by_their_means():
    chart = drawing.Chart((640, 520))
    points = {
        "beta 0": ([200.0, 210.0], [80.0, 82.0]),
        "beta 1": ([20.0, 22.0], [100.0, np.nan]),
        "beta 4": ([0.0, 0.1], [206.0, 206.2]),
        "beta 10": ([0.0], [206.0]),
    }
    drawing.rate_distortion_points(points, chart)
    lines = {line.get_label(): line for line in chart.axes.get_lines()}
    np.testing.assert_allclose(
        lines["mean"].get_xydata(), [[205, 81], [20, 100], [0.05, 206.1], [0, 206]]
    )
    assert len(lines["single models"].get_xydata()) == 6
    # Two that coincide share a label, and every diagonal is one of equal ELBO.
    assert {text.get_text().strip() for text in chart.axes.texts if "beta" in text.get_text()} == {
        "beta 0",
        "beta 1",
        "beta 4, beta 10",
    }
    diagonals = [line for line in chart.axes.get_lines() if line.get_linestyle() == "--"]
    assert len(diagonals) >= 3
    assert all(np.ptp(np.add(*line.get_data())) < 1e-9 for line in diagonals)


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [None]])
def test_nothing_to_show_is_an_empty_chart(values):
    assert drawing.rate_distortion({"training": ([1] * len(values), values, values)}).size == (
        520,
        480,
    )
    assert drawing.rate_distortion_points({"beta 1": (values, values)}).size == (640, 520)
