"""Tests of the losses' chart."""

import numpy as np
import pytest

from keras_vae import drawing


def test_both_axes_of_the_losses_are_logarithmic():
    chart = drawing.Chart()
    drawing.loss_curves([1, 10, 100], {"loss": [1000.0, 100.0, 10.0]}, chart=chart)
    assert chart.axes.get_xscale() == chart.axes.get_yscale() == "log"
    (line,) = chart.axes.get_lines()
    # A power law is a straight line.
    x, y = chart.axes.transData.transform(line.get_xydata()).T
    assert np.diff(y)[0] / np.diff(x)[0] == pytest.approx(np.diff(y)[1] / np.diff(x)[1])


def test_losses_that_are_not_positive_get_a_linear_axis():
    chart = drawing.Chart()
    drawing.loss_curves([1, 2, 4], {"loss": [3.0, 0.5, -2.0]}, chart=chart)
    assert (chart.axes.get_xscale(), chart.axes.get_yscale()) == ("log", "linear")
    low, high = chart.axes.get_ylim()
    assert low < -2 and high > 3


def test_powers_of_ten_among_the_losses_are_ticks():
    chart = drawing.Chart()
    losses = {"loss": [545, 400, 300, 250], "kl_loss": [2, 3, 6, 8]}
    drawing.loss_curves([1, 2, 4, 8], losses, chart=chart)
    assert {2, 5, 10, 100, 200, 500} <= set(chart.axes.get_yticks())
    assert {1, 2, 5} <= set(chart.axes.get_xticks())


def test_axes_say_what_they_are_told():
    chart = drawing.Chart()
    drawing.loss_curves([1, 2], {"loss": [2.0, 1.0]}, chart=chart)
    assert (chart.axes.get_xlabel(), chart.axes.get_ylabel()) == ("training step", "loss")
    labels = {"xlabel": "step", "ylabel": "loss  [nats an image]"}
    drawing.loss_curves([1, 2], {"loss": [2.0, 1.0]}, chart=chart, **labels)
    assert (chart.axes.get_xlabel(), chart.axes.get_ylabel()) == tuple(labels.values())


def test_curves_and_their_rings_share_the_colours_of_the_palette():
    chart = drawing.Chart()
    curves = {"loss": [2.0, 1.0], "kl_loss": [0.1, 0.2]}
    drawing.loss_curves([1, 2], curves, ([2], {"kl_loss": [0.3]}), chart=chart)
    lines = {line.get_label(): line.get_color() for line in chart.axes.get_lines()}
    expected = {"loss": 0, "KL": 1, "validation": 1}
    assert lines == {label: drawing.PALETTE[index] for label, index in expected.items()}


def test_a_chart_that_is_drawn_again_is_as_a_new_one():
    steps = [1, 2, 4, 8]
    first = {"loss": [9.0, 7.0, 6.0, 5.0], "kl_loss": [0.1, 0.3, 2.0, 3.0]}
    then = {"loss": [8.0, np.nan, 1.0, 0.5], "kl_loss": [0.2, None, 1.0, 4.0]}
    points = ([4, 8], {"loss": [1.1, 0.6]})
    chart = drawing.Chart()
    drawing.loss_curves(steps, first, chart=chart)
    again = drawing.loss_curves(steps, then, points, chart=chart)
    np.testing.assert_array_equal(again, drawing.loss_curves(steps, then, points))


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [None]])
def test_nothing_to_show_is_an_empty_chart(values):
    assert drawing.loss_curves([1], {"loss": values}).size == (640, 440)
