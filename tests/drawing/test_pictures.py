"""Tests of the pictures: every pixel where it belongs, and nothing left behind."""

import gc
import io
import threading

import numpy as np
import pytest
from matplotlib import colormaps, pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from keras_vae import drawing


def frames_of(content):
    """Every frame of a GIF, as RGB arrays."""
    with Image.open(io.BytesIO(content)) as animation:
        frames = []
        for index in range(animation.n_frames):
            animation.seek(index)
            frames.append(np.asarray(animation.convert("RGB")))
        return frames, animation.info


def test_image_grid_places_every_pixel():
    levels = np.linspace(0, 1, 2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2, 1)
    picture = drawing.image_grid(levels, scale=2, padding=1)
    pixels = np.asarray(picture)
    assert picture.mode == "L"
    assert pixels.shape == (1 + 2 * 5, 1 + 3 * 5)
    for row, column, y, x in np.ndindex(2, 3, 2, 2):
        top, left = 1 + 5 * row + 2 * y, 1 + 5 * column + 2 * x
        expected = round(255 * levels[row, column, y, x, 0])
        assert (pixels[top : top + 2, left : left + 2] == expected).all()
    assert (pixels[5::5] == 255).all() and (pixels[:, ::5] == 255).all()


def test_image_grid_in_colour():
    colours = np.eye(3, dtype=np.float32).reshape(1, 3, 1, 1, 3)
    picture = drawing.image_grid(colours, scale=1, padding=0)
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(picture)[0], 255 * np.eye(3))


def test_image_grid_clips_and_never_rescales():
    values = np.array([-3, 0.2, 0.4, 7, np.nan], np.float32).reshape(1, 5, 1, 1)
    pixels = np.asarray(drawing.image_grid(values, scale=1, padding=0))
    assert pixels.tolist() == [[0, 51, 102, 255, 0]]


def test_image_grid_scales_small_images_up():
    assert drawing.image_grid(np.zeros((1, 1, 28, 28, 1))).size == (60, 60)
    assert drawing.image_grid(np.zeros((1, 1, 64, 64, 3))).size == (68, 68)


def test_labels_and_title_stand_outside_the_images():
    images = np.full((2, 2, 8, 8, 1), 0.5)
    plain = np.asarray(drawing.image_grid(images))
    labelled = np.asarray(drawing.image_grid(images, ["z3  KL 1.25", "z0"], title="a title"))
    top, left = labelled.shape[0] - plain.shape[0], labelled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(labelled[top:, left:], plain)
    assert labelled[:top].min() < 100
    assert labelled[top:, :left].min() < 100


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 4, 4, 2)])
def test_image_grid_names_the_shape(shape):
    with pytest.raises(ValueError, match=r"Expected \[rows, columns.*Received: shape \("):
        drawing.image_grid(np.zeros(shape))


def test_latent_map_shows_points_where_they_are():
    points = np.array([[-2.0, 0.0], [1.0, 3.0]])
    figure = drawing.latent_map(points, ["b", "a"], limit=4.0, axis_labels=("z7", "z2"))
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == (-4, 4)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z7", "z2")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    picture = drawing.rendered(figure)
    first, second = colormaps["tab10"].colors[:2]
    for point, colour in zip(points, (second, first), strict=True):
        x, y = np.rint(axes.transData.transform(point)).astype(int)
        pixel = np.array(picture.getpixel((int(x), picture.height - int(y))))
        np.testing.assert_allclose(pixel, 255 * np.array(to_rgb(colour)), atol=60)


def test_latent_map_without_labels_has_no_legend():
    (axes,) = drawing.latent_map(np.zeros((5, 2))).axes
    assert axes.get_legend() is None


def test_png_of_picture_and_figure_is_read_back():
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    np.testing.assert_array_equal(Image.open(io.BytesIO(drawing.png(picture))), picture)
    figure = Figure(figsize=(3.2, 2.4), dpi=100)
    assert Image.open(io.BytesIO(drawing.png(figure))).size == (320, 240)


def test_gif_of_grey_pictures_pads_and_keeps_levels():
    frames, info = frames_of(
        drawing.gif([Image.new("L", (4, 3), 0), Image.new("RGB", (2, 5), (130,) * 3)], 0.25)
    )
    assert info["duration"] == 250 and info["loop"] == 0
    assert [frame.shape for frame in frames] == [(5, 4, 3)] * 2
    assert (frames[0][:3] == 0).all() and (frames[0][3:] == 255).all()
    assert (np.abs(frames[1][:, :2].astype(int) - 130) <= 2).all()
    assert (frames[1][:, 2:] == 255).all()


def test_gif_of_coloured_pictures_shares_one_palette():
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames, _ = frames_of(drawing.gif(pictures, 0.1, captions=["epoch 1", "epoch 2", "epoch 3"]))
    for frame, channel in zip(frames, range(3), strict=True):
        expected = np.zeros(3)
        expected[channel] = 255
        np.testing.assert_allclose(frame[-8:, :8].mean(axis=(0, 1)), expected, atol=3)
        assert frame.shape[0] > 8


def test_gif_keeps_a_white_background_white():
    shades = np.full((32, 32, 3), 255, np.uint8)
    shades[:16] = np.random.default_rng(0).integers(0, 256, (16, 32, 3))
    shades[16:24] = np.linspace(249, 254, 32).astype(np.uint8)[:, None]
    frames, _ = frames_of(drawing.gif([Image.fromarray(shades)], 0.1))
    assert (frames[0][24:] == 255).all()


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
