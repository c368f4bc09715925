"""Tests of summaries, as TensorBoard's own reader sees them."""

import importlib.util
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae.callbacks.helpers.tensorboard import SummaryWriter, require_tensorboard


def read(folder):
    accumulator = EventAccumulator(str(folder / "tensorboard"), {"images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def test_nothing_is_written_before_the_first_summary(tmp_path):
    SummaryWriter(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_image(tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    writer = SummaryWriter(tmp_path)
    writer.image("picture", picture, 7)
    writer.close()
    (event,) = read(tmp_path).Tensors("picture")
    assert event.step == 7
    width, height, encoded = event.tensor_proto.string_val
    assert (int(width), int(height)) == (5, 3)
    np.testing.assert_array_equal(Image.open(io.BytesIO(encoded)).convert(mode), picture)


def test_scalars_leave_out_what_is_not_there(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer.scalars({"loss": 1.5, "beta": None}, 3)
    writer.close()
    accumulator = read(tmp_path)
    assert accumulator.Tags()["tensors"] == ["loss"]
    (event,) = accumulator.Tensors("loss")
    assert (event.step, tf.make_ndarray(event.tensor_proto)) == (3, 1.5)


def test_missing_tensorboard_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        require_tensorboard()
