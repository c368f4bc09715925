"""Tests of images read from a folder: proportions, order, labels, what cannot be read."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_vae import datasets

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Ten images in two folders, each of one colour of its own; and a text."""
    for index in range(10):
        path = tmp_path / ("cats" if index % 2 else "dogs") / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (30 + index, 20), (20 * index, 0, 255)).save(path)
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    return tmp_path


def numbers(dataset):
    """Which images there are, in their order."""
    images = np.concatenate([np.asarray(batch) for batch in dataset])
    return [round(image.mean(axis=(0, 1))[0] * 255 / 20) for image in images]


@pytest.mark.parametrize("memory_limit", [2**30, 0])
def test_every_image_comes_once_an_epoch_in_an_order_of_seed_and_epoch(folder, memory_limit):
    def load(**arguments):
        return datasets.from_folder(folder, (8, 8), memory_limit=memory_limit, **arguments)

    batches = load(batch_size=4)
    assert batches.element_spec == tf.TensorSpec((None, 8, 8, 3), tf.float32)
    assert int(batches.cardinality()) == 3
    first, second = numbers(batches), numbers(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    again = load(batch_size=4)
    assert [numbers(again), numbers(again)] == [first, second]
    assert numbers(load(batch_size=4, seed=1)) != first
    # By their paths: those of cats are odd.
    assert numbers(load(shuffle=False)) == [1, 3, 5, 7, 9, 0, 2, 4, 6, 8]


def test_from_memory_and_from_disk_are_the_same(folder):
    kinds = [
        datasets.from_folder(folder, (6, 9), batch_size=3, memory_limit=limit, with_labels=True)
        for limit in (2**30, 0)
    ]
    for (a, b), (c, d) in zip(*kinds, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_labels_are_the_folders_in_the_order_of_their_names(folder):
    (batch,) = datasets.from_folder(folder, (8, 8), with_labels=True)
    images, labels = (np.asarray(part) for part in batch)
    found = np.rint(images.mean(axis=(1, 2))[:, 0] * 255 / 20).astype(int)
    np.testing.assert_array_equal(labels, found % 2 == 0)


@pytest.mark.parametrize(
    ("fit", "border", "top"), [("crop", 0, 0), ("pad", 1, 0), ("stretch", 1, 1)]
)
def test_other_proportions_are_cropped_padded_or_stretched(tmp_path, fit, border, top):
    # White borders of a fifth on either side of a wide image.
    image = np.zeros((20, 50), np.uint8)
    image[:, :10] = image[:, 40:] = 255
    Image.fromarray(image).save(tmp_path / "wide.png")
    (batch,) = datasets.from_folder(tmp_path, (10, 10), color="grey", fit=fit)
    found = np.rint(np.asarray(batch)[0, :, :, 0])
    assert found.shape == (10, 10)
    assert found[5, 0] == found[5, -1] == border
    assert found[0].max() == top


def test_kinds_of_files_and_colours(tmp_path):
    pixels = RANDOM.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    for suffix in ("png", "bmp", "gif", "jpg", "JPEG"):
        Image.fromarray(pixels).save(tmp_path / f"image.{suffix}")
    for color, channels in (("grey", 1), ("rgb", 3)):
        (batch,) = datasets.from_folder(tmp_path, (12, 12), color=color)
        assert batch.shape == (5, 12, 12, channels)
        assert float(tf.reduce_min(batch)) >= 0 and float(tf.reduce_max(batch)) <= 1
    exact = datasets.from_folder(tmp_path, (12, 12), shuffle=False).unbatch()
    images = np.stack(list(exact.as_numpy_iterator()))
    assert (np.rint(255 * images) == pixels).all(axis=(1, 2, 3)).sum() >= 2


def test_a_share_is_held_out_and_never_shuffled_or_augmented(folder):
    train, test = datasets.from_folder(
        folder, (8, 8), validation_split=0.3, augment=lambda images: 0 * images
    )
    assert numbers(train) == [0] * 7
    assert numbers(test) == numbers(test) and len(set(numbers(test))) == 3
    plain, _ = datasets.from_folder(folder, (8, 8), validation_split=0.3)
    assert sorted(numbers(plain) + numbers(test)) == list(range(10))


def test_keras_layers_augment_in_training_alone(folder):
    flip = keras.Sequential([keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=0)])
    batches = datasets.from_folder(folder, (8, 8), augment=flip, shuffle=False, batch_size=10)
    first, second = (np.asarray(next(iter(batches))) for _ in range(2))
    assert not np.allclose(first, second)
    assert first.min() >= 0 and first.max() <= 1


def test_a_model_trains_on_a_folder(folder, make_vae):
    train = datasets.from_folder(folder, (4, 4), color="grey", batch_size=5)
    history = make_vae().fit(train, epochs=2, verbose=0).history
    assert np.isfinite(history["elbo"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (8,)}, r"\(height, width\).*image_size=\(8,\)"),
        ({"image_size": (8, 0)}, r"image_size=\[8, 0\]"),
        ({"image_size": 8}, "image_size=8"),
        ({"color": "gray"}, r"\['grey', 'rgb', 'rgba'\].*color='gray'"),
        ({"fit": "squash"}, "fit='squash'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"augment": "flip"}, "augment='flip'"),
        ({"augment": lambda images: images[:, :4]}, r"Received: \(4, 8, 3\)"),
        ({"validation_split": 1.5}, "validation_split=1.5"),
        ({"validation_split": 0.01}, "leaves none on one side"),
        ({"memory_limit": -1}, "memory_limit=-1"),
        ({"folder": "nowhere"}, "There is no folder 'nowhere'"),
        ({"folder": 3}, "folder=3"),
    ],
)
def test_bad_arguments_are_refused(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.from_folder(**{"folder": folder, "image_size": (8, 8), **arguments})


def test_folders_without_images_and_files_that_are_none_are_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no images in .*empty"):
        datasets.from_folder(tmp_path / "empty", (8, 8))
    (folder / "cats" / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken.png' cannot be read"):
        datasets.from_folder(folder, (8, 8))
    (folder / "cats" / "broken.png").unlink()
    Image.new("L", (8, 8)).save(folder / "loose.png")
    with pytest.raises(ValueError, match=r"'loose.png', which is in none"):
        datasets.from_folder(folder, (8, 8), with_labels=True)
