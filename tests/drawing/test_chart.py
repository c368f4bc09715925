"""Tests of the chart: ticks that can be read on any axis, and a legend that hides nothing."""

import itertools

import numpy as np
import pytest
from matplotlib import pyplot

from keras_vae import drawing

# From a hair's breadth to many decades, from powers of ten and from between them.
RANGES = [
    (start, start * factor)
    for start, factors in {
        1e-9: (1.0001, 30.0, 1e17),
        2.2e-4: (1.02, 9.9, 780.0),
        1.0: (1.8, 4.0, 1e4),
        9.7: (1.0001, 30.0, 250.0, 1e7),
        1e4: (2.0, 7.9, 810.0),
        6.1e7: (1.02, 30.0, 1e10),
    }.items()
    for factor in factors
]


def visible_ticks(chart, name):
    """`(value, label's text, label's box)` of every tick of an axis, once drawn."""
    axis = chart.axes.xaxis if name == "x" else chart.axes.yaxis
    ticks = [(tick.get_loc(), tick.label1) for tick in axis.get_major_ticks()]
    return [(loc, label.get_text(), label.get_window_extent()) for loc, label in ticks]


def assert_readable(chart, name, low, high):
    start, end = chart.axes.get_xlim() if name == "x" else chart.axes.get_ylim()
    assert start < low and high < end
    ticks = visible_ticks(chart, name)
    texts = [text for _, text, _ in ticks]
    assert 2 <= len(ticks) <= 11
    assert all(start <= tick <= end for tick, _, _ in ticks)
    assert all(texts) and len(set(texts)) == len(texts)
    boxes = sorted((box.x0, box.x1) if name == "x" else (box.y0, box.y1) for *_, box in ticks)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(boxes))
    axis = chart.axes.xaxis if name == "x" else chart.axes.yaxis
    label = axis.label.get_window_extent()
    assert not any(label.overlaps(box) for *_, box in ticks)
    # The whole picture holds them.
    canvas = chart.axes.figure.bbox
    for box in (label, *(box for *_, box in ticks)):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1


@pytest.mark.parametrize("name", ["x", "y"])
def test_every_logarithmic_range_has_readable_ticks(name):
    chart = drawing.Chart()
    for low, high in RANGES:
        chart.scale(name, low, high, True, "loss  [nats]")
        chart.axes.figure.draw_without_rendering()
        assert_readable(chart, name, low, high)


@pytest.mark.parametrize("name", ["x", "y"])
def test_every_linear_range_has_readable_ticks(name):
    chart = drawing.Chart()
    for low, high in [*RANGES, *((-high, low) for low, high in RANGES), (0, 0), (-3, -3)]:
        chart.scale(name, low, high, False, "loss  [nats]")
        chart.axes.figure.draw_without_rendering()
        assert_readable(chart, name, low, high)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (100, 180, ["100", "125", "150", "175", "200"]),
        (2, 545, ["2", "5", "10", "20", "50", "100", "200", "500"]),
        (0.02, 40000, ["0.1", "1", "10", "100", "1000", "10000"]),
    ],
)
def test_labels_of_a_logarithmic_axis_are_round(low, high, expected):
    chart = drawing.Chart()
    chart.scale("y", low, high, True, "loss")
    chart.picture()
    assert [text for _, text, _ in visible_ticks(chart, "y")] == expected


def test_a_legend_that_is_too_wide_takes_more_lines():
    chart = drawing.Chart()
    for count in (1, 3, 9):
        for index in range(count):
            chart.line(f"{index}", [0, 1], [0, index], label=f"a loss with a long name {index}")
        chart.picture()
        legend = chart.axes.get_legend()
        assert len(legend.get_texts()) == count
        box, canvas = legend.get_window_extent(), chart.axes.figure.bbox
        # Above the axes, where no point lies, and within the picture.
        assert box.x0 >= 0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1
        assert all(text.get_window_extent().y0 > chart.axes.bbox.y1 for text in legend.get_texts())


def test_what_is_not_set_again_is_hidden():
    chart = drawing.Chart()
    chart.scale("x", 0, 1, False, "x")
    chart.scale("y", 0, 1, False, "y")
    empty = np.asarray(chart.picture(legend=False))
    chart.line("line", [0, 1], [0, 1])
    chart.text("text", 0.5, 0.2, "text")
    assert (np.asarray(chart.picture(legend=False)) != empty).any()
    np.testing.assert_array_equal(chart.picture(legend=False), empty)


def test_no_figure_stays_open():
    before = pyplot.get_fignums()
    for _ in range(3):
        drawing.Chart().picture()
    assert pyplot.get_fignums() == before
