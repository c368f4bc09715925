"""Tests of the typeset digits: the factors, the pictures they give, and the TFDS builder."""

import io
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from keras_vae.datasets import typeset_digits
from keras_vae.datasets.typeset_digits import (
    FONTS,
    RANGES,
    SPLITS,
    TypesetDigits,
    draw_factors,
    render,
)

NEUTRAL = {"label": 1, "font": 0, "size": 18.0} | dict.fromkeys(list(RANGES)[1:], 0.0)


def picture(**changes):
    """Renders one image: float array of shape `(28, 28)`, in `[0, 1]`, an upright 1 by default."""
    factors = {name: np.array([value]) for name, value in (NEUTRAL | changes).items()}
    return render(factors)[0, :, :, 0] / 255


def moments(image):
    """Measures the centre of mass (x, y) and the second moments (xx, xy, yy) of an image."""
    y, x = np.indices(image.shape)
    weights = image / image.sum()
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    x, y = x - mean_x, y - mean_y
    second = [(weights * product).sum() for product in (x * x, x * y, y * y)]
    return np.array([mean_x, mean_y]), second


def test_factors_depend_only_on_split_and_index():
    whole = draw_factors("train", 0, 50)
    part = draw_factors("train", 20, 30)
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][20:30])


def test_rendering_does_not_depend_on_the_batch():
    images = render(draw_factors("test", 0, 40))
    assert images.shape == (40, 28, 28, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[17:19], render(draw_factors("test", 17, 19)))


def test_rendering_again_is_bit_identical():
    first = render(draw_factors("train", 0, 40))
    typeset_digits._distance_fields.cache_clear()
    np.testing.assert_array_equal(first, render(draw_factors("train", 0, 40)))


def test_examples_are_pinned():
    factors = draw_factors("train", 0, 5)
    assert factors["label"].tolist() == [0, 3, 7, 1, 8]
    assert factors["font"].tolist() == [6, 11, 3, 6, 7]
    np.testing.assert_allclose(
        factors["size"], [16.1826, 16.8519, 16.2887, 18.0966, 15.9896], atol=1e-4
    )
    np.testing.assert_allclose(
        factors["stroke"], [0.4531, -0.0677, 0.9555, 0.5192, 0.2876], atol=1e-4
    )
    # Rasterisers differ a little between releases of FreeType, so the pictures get some room.
    means = render(factors).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [26.86, 14.46, 32.7, 19.31, 22.91], atol=0.5)


def test_splits_are_distinct():
    train, test = (render(draw_factors(split, 0, 1_000)) for split in SPLITS)
    pictures = {image.tobytes() for image in np.concatenate([train, test])}
    assert len(pictures) == 2_000


def test_factors_are_uniform_and_independent():
    factors = draw_factors("train", 0, 20_000)
    assert np.bincount(factors["label"]).min() > 1_800
    assert np.bincount(factors["font"]).min() > 0.85 * 20_000 / len(FONTS)
    for name, (low, high) in RANGES.items():
        values = factors[name]
        assert values.dtype == np.float32
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high >= values.max() > high - 0.01 * (high - low)
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    correlation = np.corrcoef(list(factors.values()))
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.03


def test_every_glyph_is_visible_and_stays_in_the_frame():
    corners = np.array(list(itertools.product(*RANGES.values())), np.float32).T
    extremes = dict(zip(RANGES, corners, strict=True))
    for font, label in itertools.product(range(len(FONTS)), range(10)):
        chosen = {"label": label, "font": font}
        full = {name: np.full(corners.shape[1], value) for name, value in chosen.items()}
        images = render(full | extremes)[..., 0]
        border = np.concatenate(
            [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1
        )
        assert border.max() < 48, f"{chosen} leaves the frame"
        assert images.max(axis=(1, 2)).min() > 128, f"{chosen} is too faint"


def test_every_digit_of_every_font_is_different():
    glyphs = {picture(label=d, font=f).tobytes() for d in range(10) for f in range(len(FONTS))}
    assert len(glyphs) == 10 * len(FONTS)


@pytest.mark.parametrize("size", [14.0, 16.5, 19.0])
def test_size_is_the_height_in_pixels(size):
    # The 1 has a flat top and a flat foot, so its coverage of the rows adds up to its height.
    assert picture(size=size).max(axis=1).sum() == pytest.approx(size, abs=0.3)


@pytest.mark.parametrize("stroke", [-0.2, 0.5, 1.0])
def test_stroke_widens_the_stem_in_pixels(stroke):
    def stem(image):  # The middle row of a 1 crosses its stem alone.
        return image[14].sum()

    widening = stem(picture(stroke=stroke)) - stem(picture())
    assert widening == pytest.approx(stroke, abs=0.05)


@pytest.mark.parametrize("shift", [(1.5, 0.0), (0.0, -1.5), (-0.4, 0.7)])
def test_shift_moves_the_centre_of_mass(shift):
    moved, _ = moments(picture(label=3, shift_x=shift[0], shift_y=shift[1]))
    still, _ = moments(picture(label=3))
    np.testing.assert_allclose(moved - still, shift, atol=0.03)


@pytest.mark.parametrize("rotation", [-12.0, 5.0, 12.0])
def test_rotation_is_anticlockwise_in_degrees(rotation):
    def angle(image):
        _, (xx, xy, yy) = moments(image)
        return np.rad2deg(np.arctan2(2 * xy, yy - xx)) / 2

    assert angle(picture(rotation=rotation)) - angle(picture()) == pytest.approx(rotation, abs=0.5)


@pytest.mark.parametrize("shear", [-0.15, 0.15])
def test_shear_leans_to_the_right(shear):
    def lean(image):  # The slope of the line through the ink, with y downwards.
        _, (_, xy, yy) = moments(image)
        return -xy / yy

    assert lean(picture(shear=shear)) - lean(picture()) == pytest.approx(shear, abs=0.01)


def test_builder_round_trip(tmp_path, monkeypatch):
    monkeypatch.setitem(SPLITS, "train", 30)
    monkeypatch.setitem(SPLITS, "test", 20)
    monkeypatch.setattr(typeset_digits, "_BLOCK", 12)
    TypesetDigits(data_dir=tmp_path).download_and_prepare()

    builder = tfds.builder("typeset_digits", data_dir=tmp_path)
    assert isinstance(builder, TypesetDigits)
    assert builder.is_prepared()
    assert builder.info.features["font"].names == list(FONTS)
    for split, count in SPLITS.items():
        assert builder.info.splits[split].num_examples == count
        stored = builder.as_dataset(split=split, batch_size=-1)
        factors = draw_factors(split, 0, count)
        np.testing.assert_array_equal(stored.pop("image"), render(factors))
        assert stored.keys() == factors.keys()
        for name, values in stored.items():
            np.testing.assert_array_equal(values, factors[name])

    images, labels = builder.as_dataset(split="train", as_supervised=True, batch_size=-1)
    assert images.shape == (30, 28, 28, 1)
    np.testing.assert_array_equal(labels, draw_factors("train", 0, 30)["label"])


@pytest.mark.parametrize("shape", [(28, 28), (1, 3), (5, 300)])
def test_images_are_encoded_without_loss_as_any_reader_decodes_them(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    encoded = typeset_digits._png(image)
    with Image.open(io.BytesIO(encoded)) as opened:
        opened.verify()  # The checks of the chunks.
    with Image.open(io.BytesIO(encoded)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), image)
    np.testing.assert_array_equal(tf.io.decode_png(encoded)[..., 0], image)
