"""Tests of the latent map: points where they belong, and nothing left behind."""

import gc
import threading

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from keras_vae import drawing


def test_latent_map_shows_points_where_they_are():
    points = np.array([[-2.0, 0.0], [1.0, 3.0]])
    figure = drawing.latent_map(points, ["b", "a"], limit=4.0, axis_labels=("z7", "z2"))
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == (-4, 4)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z7", "z2")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    picture = drawing.rendered(figure)
    first, second = drawing.PALETTE[:2]
    for point, colour in zip(points, (second, first), strict=True):
        x, y = np.rint(axes.transData.transform(point)).astype(int)
        pixel = np.array(picture.getpixel((int(x), picture.height - int(y))))
        np.testing.assert_allclose(pixel, 255 * np.array(to_rgb(colour)), atol=60)


def test_twenty_labels_have_twenty_colours():
    figure = drawing.latent_map(np.zeros((20, 2)), np.arange(20))
    (axes,) = figure.axes
    colours = {
        line.get_color() if isinstance(line.get_color(), str) else tuple(line.get_color())
        for line in axes.get_lines()
    }
    assert len(colours) == 20


def test_latent_map_without_labels_has_no_legend():
    (axes,) = drawing.latent_map(np.zeros((5, 2))).axes
    assert axes.get_legend() is None


def test_drawing_in_a_thread_leaves_no_figure_behind():
    before = pyplot.get_fignums()
    pictures = []

    def draw():
        points = np.zeros((3, 2))
        for _ in range(3):
            pictures.append(drawing.rendered(drawing.latent_map(points, [0, 1, 2])))

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert len(pictures) == 3
    assert pyplot.get_fignums() == before


@pytest.mark.exhaustive
def test_two_hundred_figures_leave_nothing_behind(monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    before = pyplot.get_fignums()
    for index in range(200):
        figure = drawing.latent_map(np.zeros((3, 2)))
        if index % 20 == 0:
            drawing.rendered(figure)
    del figure
    gc.collect()
    assert pyplot.get_fignums() == before
    assert not [kept for kept in gc.get_objects() if type(kept) is Figure]
