"""Tests of how faces are split: what is held out was not trained on."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def faces(load_program):
    return load_program("benchmarks/faces.py")


def saved(path, count, height, width):
    """Images of which each has one value of its own, as far as bytes reach."""
    values = (np.arange(count) % 256).astype(np.uint8)
    np.savez(path, images=np.broadcast_to(values[:, None, None], (count, height, width)))
    return path


def values(images):
    """The bytes that images are of."""
    return np.rint(255 * images[:, 0, 0, 0]).astype(int).tolist()


def test_of_known_people_pictures_are_held_out_and_of_others_all(faces, tmp_path):
    found = faces.load(saved(tmp_path / "olivetti.npz", 250, 6, 4), shrink=2)
    assert found.train.shape == (160, 3, 2, 1) and found.people == 20
    assert values(found.train) == [n for n in range(200) if n % 10 < 8]
    assert values(found.choose) == list(range(8, 200, 10))
    assert values(found.held_out["other pictures"]) == list(range(9, 200, 10))
    assert values(found.held_out["other people"]) == list(range(200, 250))


def test_of_a_film_the_last_frames_are_held_out(faces, tmp_path):
    found = faces.load(saved(tmp_path / "frey.npz", 1965, 28, 20))
    assert [len(found.train), len(found.choose)] == [1565, 200]
    assert values(found.held_out["held out"]) == [n % 256 for n in range(1765, 1965)]


def test_walks_are_between_people_and_between_pictures_of_one(faces, tmp_path):
    random = np.random.default_rng(0)
    images = np.repeat(random.integers(0, 256, (40, 8, 8), np.uint8), 10, axis=0)
    # The third person's first picture and fourth are unlike the others.
    images[20], images[23] = 0, 255
    np.savez(tmp_path / "olivetti.npz", images=images)
    found = faces.load(tmp_path / "olivetti.npz")
    first, last = faces.ends_of_walks(found)
    assert (first[:2] != last[:2]).any(axis=(1, 2, 3)).all()
    assert {float(first[3].mean()), float(last[3].mean())} == {0.0, 1.0}


def test_means_of_pixels_are_bytes(faces, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (400, 8, 8), np.uint8)
    np.savez(tmp_path / "olivetti.npz", images=images)
    train = faces.load(tmp_path / "olivetti.npz", shrink=4).train
    np.testing.assert_allclose(255 * train, np.rint(255 * train), atol=1e-4)
    expected = images[0].reshape(2, 4, 2, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(255 * train[0, ..., 0], expected, atol=0.5 + 1e-4)
