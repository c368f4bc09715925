"""Tests of the files' bytes."""

import io

import numpy as np
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
