"""Tests of the grid of reconstructions, with a function whose pixels are known."""

import numpy as np
import pytest
from PIL import Image

from keras_vae.callbacks import LatentTraversal, PriorSamples, ReconstructionGrid

VALUES = np.array([0.0, 0.2, 0.6], np.float32)


def cells(path, rows, columns):
    """The colour in the middle of every image of a picture."""
    picture = np.asarray(Image.open(path), int)
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    return picture[height // 2 :: height, width // 2 :: width][:rows, :columns]


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4)])
def test_originals_reconstructions_errors(shape, make_vae, images, tmp_path):
    flat = np.stack([np.full(shape, value, np.float32) for value in VALUES])
    grid = ReconstructionGrid(flat, tmp_path, error_row=True, reconstruct=lambda x: 1 - x)
    make_vae(eager=True).fit(images, epochs=1, verbose=0, callbacks=[grid])
    expected = [VALUES, 1 - VALUES, np.abs(1 - 2 * VALUES)]
    actual = cells(tmp_path / "reconstructions/epoch_0001.png", rows=3, columns=3)
    np.testing.assert_array_equal(actual, np.rint(255 * np.array(expected)))


def test_colour(make_vae, images, tmp_path):
    coloured = np.zeros((2, 4, 4, 3), np.float32)
    coloured[0, ..., 0] = 1.0
    coloured[1, ..., 2] = 0.4
    grid = ReconstructionGrid(coloured, tmp_path, reconstruct=lambda x: x[..., ::-1])
    make_vae(eager=True).fit(images, epochs=1, verbose=0, callbacks=[grid])
    actual = cells(tmp_path / "reconstructions/epoch_0001.png", rows=2, columns=2)
    expected = [[[255, 0, 0], [0, 0, 102]], [[0, 0, 255], [102, 0, 0]]]
    np.testing.assert_array_equal(actual, expected)


def test_reconstructions_are_the_models_own(make_vae, images, tmp_path):
    vae = make_vae(eager=True)
    vae.fit(images, epochs=1, verbose=0, callbacks=[ReconstructionGrid(images[:3], tmp_path)])
    picture = np.asarray(Image.open(tmp_path / "reconstructions/epoch_0001.png"))
    # Eight pixels a pixel of images of 4x4, and a gap of two.
    second_row = picture[2 + 34 : 2 + 34 + 32 : 8, 2 : 2 + 32 : 8]
    expected = np.rint(255 * vae.reconstruct(images[:1]).numpy()[0, ..., 0])
    np.testing.assert_array_equal(second_row, expected)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 4, 2), np.float32), r"1 or 3 channels.*shape \(4, 4, 2\)"),
        (np.zeros(4, np.float32), r"Received: float32 \(4,\)"),
        (np.zeros((4, 784), np.float32), r"up to 64. Received: events of shape \(784,\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), "floating point.*Received: uint8"),
        (np.zeros((0, 4, 4, 1), np.float32), r"Received: float32 \(0, 4, 4, 1\)"),
        (np.full((2, 4, 4, 1), 2.0), r"values in \[0, 1\].*from 2.0 to 2.0"),
        (np.full((2, 4, 4, 1), np.nan), "or NaN alone"),
        (np.array([[1.0, np.inf]]), "infinite ones"),
    ],
)
def test_images_that_are_none(images, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ReconstructionGrid(images, tmp_path)


def test_images_of_another_shape_than_the_models(make_vae, images, tmp_path):
    grid = ReconstructionGrid(np.zeros((2, 5, 5, 1), np.float32), tmp_path)
    with pytest.raises(ValueError, match=r"Images of shape \(5, 5, 1\) do not fit the model. Pass"):
        make_vae(eager=True).fit(images, epochs=1, verbose=0, callbacks=[grid])


def test_reconstructions_of_holes_that_are_holes_are_refused(make_vae, images, tmp_path):
    holes = images[:2].copy()
    holes[1, 2, 2] = np.nan
    grid = ReconstructionGrid(holes, tmp_path, reconstruct=lambda x: x)
    with pytest.raises(ValueError, match=r"reconstructions of them are NaN\. Fill the holes"):
        make_vae(eager=True).fit(images, epochs=1, verbose=0, callbacks=[grid])


def test_holes_are_for_models_that_take_them(make_vae, images, tmp_path):
    holes = images[:2].copy()
    holes[1, 2, 2] = np.nan
    with pytest.raises(ValueError, match="do not fit the model"):
        make_vae(eager=True).fit(
            images, epochs=1, verbose=0, callbacks=[ReconstructionGrid(holes, tmp_path)]
        )


@pytest.mark.parametrize("shape", [(12, 2), (6,)], ids=["series", "rows"])
def test_series_are_lines_and_rows_are_bars(shape, make_vae, tmp_path):
    events = np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")
    vae = make_vae(image_shape=shape, likelihood="gaussian", eager=True)
    drawn = [
        ReconstructionGrid(events[:3], tmp_path, error_row=True),
        LatentTraversal(tmp_path, images=events),
        PriorSamples(tmp_path, num_images=5),
    ]
    vae.fit(events, epochs=1, verbose=0, callbacks=drawn)
    for name in ("reconstructions", "traversals/latents", "traversals/grid", "prior_samples"):
        picture = Image.open(tmp_path / name / "epoch_0001.png")
        assert picture.mode == "RGB" and len(picture.getcolors(1 << 24)) > 10
