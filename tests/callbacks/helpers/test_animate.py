"""Tests of the animation of a folder."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_vae.callbacks.helpers.animate import animate


def fill(folder, levels, size=(6, 4)):
    folder.mkdir(parents=True, exist_ok=True)
    for name, level in levels.items():
        Image.new("L", size, level).save(folder / name)


def last_rows(path, rows):
    """The mean grey of the last rows of every frame, below the captions."""
    with Image.open(path) as animation:
        levels = []
        for index in range(animation.n_frames):
            animation.seek(index)
            levels.append(np.asarray(animation.convert("L"), float)[-rows:].mean())
    return np.array(levels)


def test_frames_are_in_the_order_of_the_numbers(tmp_path):
    folder = tmp_path / "run" / "pictures"
    fill(folder, {"epoch_10.png": 200, "epoch_2.png": 100, "epoch_0001.png": 0})
    path = animate(folder, duration=0.2)
    assert path == tmp_path / "run" / "pictures.gif"
    np.testing.assert_allclose(last_rows(path, 4), [0, 100, 200], atol=2)
    with Image.open(path) as animation:
        assert animation.info["duration"] == 200
        assert animation.height == 4 + 20


def test_output_and_pattern(tmp_path):
    fill(tmp_path, {"epoch_0001.png": 0, "step_00000001.png": 100, "step_00000002.png": 200})
    path = animate(tmp_path, tmp_path / "new" / "steps.gif", pattern="step_*.png")
    np.testing.assert_allclose(last_rows(path, 4), [100, 200], atol=2)
    assert os.listdir(tmp_path / "new") == ["steps.gif"]


def test_smaller_pictures_are_padded(tmp_path):
    fill(tmp_path / "in", {"a.png": 0}, size=(6, 4))
    fill(tmp_path / "in", {"b.png": 0}, size=(3, 4))
    levels = last_rows(animate(tmp_path / "in"), 4)
    np.testing.assert_allclose(levels, [0, 255 / 2], atol=1)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        animate(tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"no pictures '\*.png' in .*Pass the folder"):
        animate(tmp_path)


def test_file_that_is_no_picture_leaves_no_gif(tmp_path):
    fill(tmp_path / "in", {"a.png": 0})
    (tmp_path / "in" / "b.png").write_bytes(b"half a pict")
    with pytest.raises(OSError, match="cannot identify image file"):
        animate(tmp_path / "in")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("duration", [0, -1, 0.001, float("nan"), True])
def test_duration(tmp_path, duration):
    fill(tmp_path / "in", {"a.png": 0})
    with pytest.raises(ValueError, match=f"at least 0.02. Received: duration={duration}"):
        animate(tmp_path / "in", duration=duration)
