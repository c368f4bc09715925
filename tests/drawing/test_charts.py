import numpy as np
import pytest
from matplotlib import pyplot

from keras_vae import drawing


def pixels(picture):
    return np.asarray(picture).astype(int)


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


def test_a_chart_that_is_drawn_again_is_as_a_new_one():
    steps = [1, 2, 4, 8]
    first = {"loss": [9.0, 7.0, 6.0, 5.0], "kl_loss": [0.1, 0.3, 2.0, 3.0]}
    then = {"loss": [8.0, np.nan, 1.0, 0.5], "kl_loss": [0.2, None, 1.0, 4.0]}
    points = ([4, 8], {"loss": [1.1, 0.6]})
    chart = drawing.Chart()
    drawing.loss_curves(steps, first, chart=chart)
    again = drawing.loss_curves(steps, then, points, chart=chart)
    np.testing.assert_array_equal(pixels(again), pixels(drawing.loss_curves(steps, then, points)))

    path = {"training": ([5.0, 6.0], [90.0, 80.0])}
    chart = drawing.Chart((520, 480))
    drawing.rate_distortion({"training": ([1.0, 2.0], [300.0, 200.0])}, [1, 2], chart=chart)
    again = drawing.rate_distortion(path, [1, 2], chart=chart)
    np.testing.assert_array_equal(pixels(again), pixels(drawing.rate_distortion(path, [1, 2])))


def test_diagonals_join_points_of_equal_elbo():
    chart = drawing.Chart((520, 480))
    drawing.rate_distortion({"training": ([10.0, 20.0], [90.0, 70.0])}, [1, 2], chart=chart)
    diagonals = [line for line in chart.axes.get_lines() if line.get_linestyle() == "--"]
    assert len(diagonals) >= 3
    for line in diagonals:
        rates, distortions = line.get_data()
        assert np.ptp(np.add(rates, distortions)) == pytest.approx(0, abs=1e-9)


def test_the_first_epoch_of_training_does_not_squeeze_the_rest():
    chart = drawing.Chart((520, 480))
    path = ([200.0, 20.0, 19.0, 18.0], [900.0, 100.0, 95.0, 90.0])
    drawing.rate_distortion({"training": path}, [1, 2, 3, 4], chart=chart)
    assert chart.axes.get_xlim()[1] < 30
    assert chart.axes.get_ylim()[1] < 110


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


def test_heat_map_shows_one_colour_a_value():
    picture = drawing.heat_map([1, 2], [[0.0, 1.0, 4.0], [2.0, np.nan, 4.0]], "nats")
    rows, columns = (95, 210, 330), (180, 420)
    shown = [[picture.getpixel((x, y)) for y in rows] for x in columns]
    assert shown[0][2] == shown[1][2]
    brightness = np.array(shown).sum(axis=-1)
    assert brightness[0, 0] < brightness[0, 1] < brightness[1, 0] < brightness[0, 2]
    assert brightness[0, 0] < 15
    assert shown[1][1] == (128, 128, 128)


def test_heat_map_of_many_epochs_and_latents():
    values = np.random.default_rng(0).random((300, 128))
    assert drawing.heat_map(range(1, 301), values, "nats").size == (640, 440)


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [None]])
def test_nothing_to_show_is_an_empty_chart(values):
    assert drawing.loss_curves([1], {"loss": values}).size == (640, 440)
    assert drawing.rate_distortion({"training": (values, values)}, [1]).size == (520, 480)
    assert drawing.rate_distortion_points({"beta 1": (values, values)}).size == (640, 520)


@pytest.mark.parametrize(("low", "high"), [(1, 2), (3.1, 3.2), (1, 1e4), (1e-9, 1e9), (7, 7.001)])
def test_every_logarithmic_range_has_ticks(low, high):
    chart = drawing.Chart()
    chart.scale("y", low, high, True, "loss")
    ticks = chart.axes.get_yticks()
    assert 3 <= len(ticks) <= 12
    bottom, top = chart.axes.get_ylim()
    assert bottom < low and high < top
    assert all(bottom <= tick <= top for tick in ticks)


def test_no_figure_stays_open():
    before = pyplot.get_fignums()
    for _ in range(3):
        drawing.loss_curves([1, 2], {"loss": [2.0, 1.0]})
    assert pyplot.get_fignums() == before
