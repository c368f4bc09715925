"""Tests of images read from a folder: proportions, order, labels, what cannot be read."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

import keras_vae
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


def test_what_is_hidden_and_folders_of_an_images_name_are_passed_over(tmp_path):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"what another system left")
    for name in (".thumbnails", "b.png"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (100, 0, 0)).save(tmp_path / name / "c.png")
    assert numbers(datasets.from_folder(tmp_path, (8, 8), shuffle=False)) == [10, 5]
    # What is asked for by name is not hidden.
    assert numbers(datasets.from_folder(tmp_path / ".thumbnails", (8, 8))) == [5]


@pytest.mark.parametrize("memory_limit", [2**30, 0])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, orientation, memory_limit):
    # In greys, which JPEG keeps: no two quarters are alike.
    seen = np.kron([[0, 80], [160, 240]], np.ones((8, 16))).astype(np.uint8)
    turn_back = [None, None, 0, 3, 1, 5, 2, 6, 4]  # Names of Pillow's transpositions.
    stored = Image.fromarray(seen)
    if turn_back[orientation] is not None:
        stored = stored.transpose(turn_back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", quality=100, exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        np.testing.assert_allclose(ImageOps.exif_transpose(image), seen, atol=3)
    (batch,) = datasets.from_folder(
        tmp_path, (16, 32), color="grey", fit="stretch", memory_limit=memory_limit
    )
    np.testing.assert_allclose(255 * np.asarray(batch)[0, :, :, 0], seen, atol=3)


def test_an_orientation_that_is_none_is_passed_over(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.jpg", exif=exif)
    assert numbers(datasets.from_folder(tmp_path, (8, 8))) == [10]


@pytest.mark.parametrize(
    ("mode", "color"), [("RGBA", "rgb"), ("LA", "grey"), ("P", "rgb"), ("RGBA", "grey")]
)
def test_transparency_that_is_left_out_is_told_of(tmp_path, mode, color, recwarn):
    settings = {"transparency": 0} if mode == "P" else {}
    Image.new(mode, (8, 8)).save(tmp_path / "a.png", **settings)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    datasets.from_folder(tmp_path, (8, 8), color="rgba")
    assert not recwarn.list
    with pytest.warns(UserWarning, match=f"1 of 2 images have an alpha.*'{color}' leaves out"):
        datasets.from_folder(tmp_path, (8, 8), color=color)


def test_images_of_kinds_that_are_not_read_are_told_of(tmp_path):
    (tmp_path / "a.webp").touch()
    (tmp_path / "b.TIF").touch()
    with pytest.raises(ValueError, match=r"There are 1 of .tif, 1 of .webp"):
        datasets.from_folder(tmp_path, (8, 8))
    Image.new("RGB", (8, 8)).save(tmp_path / "c.png")
    with pytest.warns(UserWarning, match="not read: 1 of .tif, 1 of .webp"):
        datasets.from_folder(tmp_path, (8, 8))


@pytest.mark.parametrize("memory_limit", [2**30, 0])
def test_files_that_would_be_read_wrongly_are_refused_by_name(tmp_path, memory_limit):
    def load():
        return datasets.from_folder(tmp_path, (8, 8), memory_limit=memory_limit)

    path = tmp_path / "a.bmp"
    colours = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(path)
    with pytest.raises(ValueError, match=r"a.bmp' is a BMP with a palette.*PNG"):
        load()
    path.unlink()
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match=r"b.png' cannot be read"):
        load()
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.jpg").touch()
    with pytest.raises(ValueError, match=r"c.jpg' cannot be read"):
        load()


def damage(path):
    """Leaves the head of a file and half of what follows."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["first.png", "m'iddle \u65e5.jpg", "zuletzt.png"])
def test_what_is_damaged_behind_its_head_is_named_while_a_model_trains(tmp_path, make_vae, name):
    for other in ("first.png", "m'iddle \u65e5.jpg", "n.png", "zuletzt.png"):
        noise = RANDOM.integers(0, 256, (64, 64), np.uint8)
        Image.fromarray(noise).save(tmp_path / other)

    def load(**arguments):
        arguments = {"shuffle": False, "batch_size": 3, "memory_limit": 0, **arguments}
        return datasets.from_folder(tmp_path, (4, 4), color="grey", **arguments)

    make_vae().fit(load(), epochs=2, verbose=0)
    damage(tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read") as held:
        load(memory_limit=2**30)
    batches = load()
    for use in (
        lambda: make_vae().fit(batches, verbose=0),
        lambda: make_vae().fit(load(augment=lambda images: 1 - images), verbose=0),
        lambda: keras_vae.VAE.for_data(batches),
    ):
        with pytest.raises(ValueError, match="cannot be read") as streamed:
            use()
        assert str(streamed.value).replace('"', "'") == str(held.value).replace('"', "'")
    # Whoever iterates by hand is told by TensorFlow's error, which is all that there is.
    with pytest.raises(tf.errors.InvalidArgumentError, match="cannot be read"):
        list(batches)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=r"cannot be read.*damaged, gone, or of another kind"):
        make_vae().fit(batches, verbose=0)


def test_names_need_not_be_text(tmp_path):
    for name in (b"\xc3\xbc \xe6\x97\xa5.png", b"\xff.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            Image.new("RGB", (8, 8), (200, 0, 0)).save(file, "PNG")
    assert numbers(datasets.from_folder(tmp_path, (8, 8))) == [10, 10]


def test_modes_of_files_come_as_colours(tmp_path):
    colours = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "b.png")
    later = [Image.fromarray(255 - colours)] * 2
    Image.fromarray(colours).save(tmp_path / "c.gif", save_all=True, append_images=later)
    Image.fromarray(np.full((8, 8), 100 * 257, np.uint16)).save(tmp_path / "d.png")
    (batch,) = datasets.from_folder(tmp_path, (8, 8), shuffle=False)
    expected = [[200, 100, 50]] * 3 + [[100, 100, 100]]
    np.testing.assert_allclose(255 * np.asarray(batch).mean(axis=(1, 2)), expected, atol=1)
