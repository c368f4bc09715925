"""Tests of arrays as text."""

import base64
import gzip
import html

import numpy as np
import pytest

from keras_vae.explorer.packing import FINEST, Packer, Rounded, Shares, pack, restored, rounded


def unpacked(text, found):
    """What the page's `arrays.js` does, in NumPy."""
    data = gzip.decompress(base64.b85decode(text.translate(str.maketrans(",.", "<&"))))
    size = int(np.prod(found["shape"]))
    numbers = np.zeros(size, np.int64)
    for plane in range(found["planes"]):
        begin = found["at"] + plane * size
        numbers += np.frombuffer(data[begin : begin + size], np.uint8).astype(np.int64) << 8 * plane
    return (found["low"] + found["step"] * numbers).reshape(found["shape"]).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 8, 9, 16, 17, 24])
def test_an_array_comes_back_within_half_a_step(bits):
    array = np.random.default_rng(0).normal(size=(7, 5))
    numbers, _, step = rounded(array, bits)
    assert numbers.min() >= 0 and numbers.max() < 2**bits
    assert step == np.abs(array).max() / (2 ** (bits - 1) - 1)
    packer = Packer()
    found = packer.add(array, bits)
    back = unpacked(packer.text(), found)
    assert back.shape == array.shape
    assert np.abs(back - array).max() <= step / 2 + 1e-7
    np.testing.assert_array_equal(back, restored(array, bits))


def test_zero_stays_zero_at_any_number_of_bits():
    array = np.array([0.0, 0.3, -0.7])
    assert [restored(array, bits)[0] for bits in (2, 5, 13, 24)] == [0, 0, 0, 0]
    np.testing.assert_array_equal(restored(np.zeros(3), 8), np.zeros(3))


def test_the_finest_is_single_precision_beside_the_largest():
    array = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert np.abs(restored(array, FINEST) - array).max() <= np.abs(array).max() * 2.0**-23


def test_pixels_that_were_bytes_come_back_as_those_bytes():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    packer = Packer()
    packer.add(np.ones(3))
    found = packer.add_shares(pixels / 255)
    assert found["at"] == 3 * 3 and found["planes"] == 1
    back = unpacked(packer.text(), found)
    np.testing.assert_array_equal(np.rint(back * 255).astype(np.uint8), pixels)


def test_many_arrays_are_found_each_in_its_place():
    random = np.random.default_rng(0)
    tree = {
        "name": "x",
        "none": None,
        "parts": [random.normal(size=3), {"deep": Rounded(random.normal(size=(4, 2)), 10)}],
        "picture": Shares(np.array([0.0, 1.0])),
    }
    packer = Packer()
    data = pack(tree, packer)
    text = packer.text()
    assert data["name"] == "x" and data["none"] is None
    assert unpacked(text, data["parts"][0]) == pytest.approx(tree["parts"][0], abs=1e-6)
    deep = data["parts"][1]["deep"]
    assert deep["planes"] == 2
    assert unpacked(text, deep) == pytest.approx(tree["parts"][1]["deep"].array, abs=5e-3)
    assert unpacked(text, data["picture"]).tolist() == [0, 1]


def test_the_text_means_nothing_in_html_and_is_the_same_every_time():
    array = np.random.default_rng(0).normal(size=50_000)
    texts = []
    for _ in range(2):
        packer = Packer()
        packer.add(array)
        texts.append(packer.text())
    assert texts[0] == texts[1]
    assert texts[0].isascii() and not set(texts[0]) & set("<&\"'\\\n")
    # A `>` alone ends nothing.
    assert html.unescape(texts[0]) == texts[0]
