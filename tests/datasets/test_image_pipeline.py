"""Tests of `load` on small image sets that the tests themselves prepare."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_vae.datasets import load

NUM_TRAIN, NUM_TEST = 50, 12
IN_MEMORY, STREAMED = {}, {"memory_limit": 0}
PATHS = pytest.mark.parametrize("path", [IN_MEMORY, STREAMED], ids=["memory", "streamed"])


def pictures(split):
    """Random 6x5 images: grey levels of the training split differ from those of the test split."""
    count, seed = (NUM_TRAIN, 0) if split == "train" else (NUM_TEST, 1)
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 1), dtype=np.uint8)


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """Fifty and twelve tiny pictures; the label of each is its place in its split."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (6, 5, 1)
    WITH_LABELS = True

    def _info(self):
        features = {"image": tfds.features.Image(shape=self.SHAPE, encoding_format="png")}
        if self.WITH_LABELS:
            features["label"] = tfds.features.ClassLabel(num_classes=NUM_TRAIN)
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split):
        for index, image in enumerate(pictures(split)):
            label = {"label": index} if self.WITH_LABELS else {}
            yield index, {"image": self.picture(image, index), **label}

    def picture(self, image, index):
        return image


class TinyPicturesOfManySizes(TinyPictures):
    """The same, each cropped to a height of its own."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (None, None, 1)

    def picture(self, image, index):
        return image[: 3 + index % 3]


class TinyUnlabelledPictures(TinyPictures):
    """The same without labels."""

    VERSION = tfds.core.Version("1.0.0")
    WITH_LABELS = False


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (TinyPictures, TinyPicturesOfManySizes, TinyUnlabelledPictures):
        builder(data_dir=folder).download_and_prepare()
    return folder


@pytest.fixture
def tiny(data_dir):
    def load_tiny(split="train", name="tiny_pictures", **kwargs):
        return load(name, split, **{"data_dir": data_dir, "batch_size": 8, **kwargs})

    return load_tiny


def images_of(dataset):
    """One epoch of the images."""
    return np.concatenate([tf.nest.flatten(batch)[0] for batch in dataset])


def order_of(dataset):
    """One epoch of the labels, which are the places in the split."""
    return np.concatenate([labels for _, labels in dataset]).tolist()


@PATHS
def test_images_are_scaled_and_complete(tiny, path):
    train, test = tiny(("train", "test"), shuffle=False, **path)
    for dataset, split in ((train, "train"), (test, "test")):
        assert dataset.element_spec == tf.TensorSpec((None, 6, 5, 1), tf.float32)
        np.testing.assert_allclose(images_of(dataset), pictures(split) / 255, atol=1e-6)


@PATHS
def test_split_strings_are_those_of_tfds(tiny, path):
    both = tiny("train+test", shuffle=False, **path)
    expected = np.concatenate([pictures("train"), pictures("test")]) / 255
    np.testing.assert_allclose(images_of(both), expected, atol=1e-6)
    part = tiny("train[10:14]", shuffle=False, **path)
    np.testing.assert_allclose(images_of(part), pictures("train")[10:14] / 255, atol=1e-6)


@PATHS
def test_order_is_a_function_of_seed_and_epoch(tiny, path):
    first, again, other = (
        tiny(shuffle=True, with_labels=True, seed=seed, **path) for seed in (4, 4, 5)
    )
    epochs = [order_of(first) for _ in range(3)]
    assert [order_of(again) for _ in range(3)] == epochs
    assert len({tuple(order) for order in epochs}) == 3
    assert all(sorted(order) == list(range(NUM_TRAIN)) for order in epochs)
    assert order_of(other) not in epochs


@PATHS
@pytest.mark.parametrize("start", [3, 7, 9])
def test_an_interrupted_run_goes_on_with_its_next_batch(tiny, path, start):
    settings = {"shuffle": True, "with_labels": True, "seed": 4, **path}
    batches = [labels.numpy().tolist() for _, labels in tiny(**settings).repeat(3)]
    rest = [labels.numpy().tolist() for _, labels in tiny(**settings, start=start).repeat(2)]
    assert rest == batches[start : start + len(rest)]
    assert len(rest) >= 7


@PATHS
def test_order_does_not_depend_on_the_global_seed(tiny, path):
    orders = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        orders.append(order_of(tiny(shuffle=True, with_labels=True, **path)))
    assert orders[0] == orders[1]


@PATHS
def test_training_splits_alone_are_shuffled_by_default(tiny, path):
    train, test = tiny(("train", "test"), with_labels=True, **path)
    assert order_of(train) != list(range(NUM_TRAIN))
    assert order_of(test) == list(range(NUM_TEST))
    assert order_of(tiny("train", shuffle=False, with_labels=True, **path)) == list(
        range(NUM_TRAIN)
    )


@PATHS
def test_labels_stay_with_their_images(tiny, path):
    seen = 0
    for images, labels in tiny(shuffle=True, with_labels=True, **path):
        np.testing.assert_allclose(images, pictures("train")[labels.numpy()] / 255, atol=1e-6)
        seen += len(labels)
    assert seen == NUM_TRAIN


@PATHS
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_the_number_of_batches_is_known(tiny, path, drop_remainder):
    dataset = tiny(drop_remainder=drop_remainder, **path)
    sizes = [len(batch) for batch in dataset]
    assert sizes == [8] * 6 + ([] if drop_remainder else [2])
    assert len(dataset) == len(sizes)


@PATHS
def test_dynamic_binarization_draws_anew_every_epoch(tiny, path):
    first, again, other = (
        tiny(shuffle=False, binarize="dynamic", seed=seed, **path) for seed in (4, 4, 5)
    )
    epochs = [images_of(first) for _ in range(10)]
    assert set(np.unique(epochs[0])) == {0.0, 1.0}
    assert np.mean(epochs[0] != epochs[1]) > 0.2
    np.testing.assert_array_equal(images_of(again), epochs[0])
    np.testing.assert_array_equal(images_of(again), epochs[1])
    assert np.mean(images_of(other) != epochs[0]) > 0.2
    # The mean of each pixel is its grey level: five standard errors, over 1500 pixels.
    grey = pictures("train") / 255
    error = np.mean(epochs, axis=0) - grey
    assert np.all(np.abs(error) <= 5 * np.sqrt(grey * (1 - grey) / 10) + 0.05)
    assert abs(error.mean()) < 5 * 0.5 / np.sqrt(10 * grey.size)


@PATHS
def test_fixed_binarization_draws_once(tiny, path):
    fixed = tiny(shuffle=False, binarize="fixed", seed=4, **path)
    images = images_of(fixed)
    assert set(np.unique(images)) == {0.0, 1.0}
    np.testing.assert_array_equal(images_of(fixed), images)
    np.testing.assert_array_equal(
        images_of(tiny(shuffle=False, binarize="fixed", seed=4, **path)), images
    )
    assert np.mean(images_of(tiny(shuffle=False, binarize="fixed", seed=5, **path)) != images) > 0.2
    # The overall mean: five standard errors, over 1500 pixels.
    grey = pictures("train") / 255
    assert abs(images.mean() - grey.mean()) < 5 * 0.5 / math.sqrt(grey.size)
    # Shuffling moves the images and leaves them as they are.
    for shuffled, labels in tiny(binarize="fixed", seed=4, with_labels=True, **path):
        np.testing.assert_array_equal(shuffled, images[labels.numpy()])


@PATHS
def test_images_are_resized_on_request(tiny, path):
    resized = images_of(tiny("test", image_size=(3, 10), **path))
    assert resized.shape == (NUM_TEST, 3, 10, 1)
    expected = tf.image.resize(pictures("test"), (3, 10), antialias=True) / 255
    # Rounded to whole grey levels.
    np.testing.assert_allclose(resized, expected, atol=0.51 / 255)


@PATHS
def test_images_of_many_sizes_need_a_size(tiny, path):
    name = "tiny_pictures_of_many_sizes"
    with pytest.raises(ValueError, match=rf"'{name}' vary in size.*Pass `image_size="):
        tiny(name=name, **path)
    resized = images_of(tiny(name=name, image_size=(4, 4), **path))
    assert resized.shape == (NUM_TRAIN, 4, 4, 1)
    assert 0 <= resized.min() < resized.max() <= 1


def test_a_set_without_labels_gives_images_alone(tiny):
    name = "tiny_unlabelled_pictures"
    assert images_of(tiny(name=name)).shape == (NUM_TRAIN, 6, 5, 1)
    with pytest.raises(ValueError, match=r"has no labels.*Received: features \['image'\]"):
        tiny(name=name, with_labels=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "valid"}, r"Unknown split 'valid'.*\['test', 'train'\]. Received: split='va"),
        ({"split": ["train", "train[:"]}, r"Unknown split 'train\[:'"),
        ({"batch_size": 0}, r"`batch_size`. Expected a positive integer. Received: batch_size=0"),
        ({"batch_size": 2.5}, r"`batch_size`.*Received: batch_size=2.5"),
        (
            {"binarize": "static"},
            r"`binarize`. Expected one of \[None, 'dynamic', 'fixed'\]. Received: binarize='static",
        ),
        ({"name": "tiny_picture"}, r"Received: name='tiny_picture'. Did you mean .*tiny_pictures"),
    ],
)
def test_bad_arguments_are_refused(tiny, arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(**arguments)


@PATHS
@pytest.mark.parametrize("flag", ["shuffle", "drop_remainder"])
def test_what_is_no_flag_is_not_taken_for_yes(tiny, path, flag):
    with pytest.raises(ValueError, match=rf"`{flag}`. Expected `True` or `False`.*'no'"):
        tiny("train", **{flag: "no"}, **path)


@PATHS
def test_a_vae_trains_on_it(tiny, make_vae, path):
    train, test = tiny(("train", "test"), **path)
    vae = make_vae(image_shape=(6, 5, 1), eager=True)
    logs = vae.fit(train, validation_data=test, epochs=2, verbose=0).history
    assert vae.optimizer.iterations == 14
    assert np.all(np.isfinite(logs["loss"] + logs["val_loss"]))


@pytest.mark.parametrize("split", ["train", "train[10:14]"])
def test_fixed_binarization_is_the_same_from_memory_and_from_disk(tiny, split):
    settings = {"shuffle": False, "binarize": "fixed", "seed": 4}
    memory, disk = (images_of(tiny(split, **settings, **path)) for path in (IN_MEMORY, STREAMED))
    np.testing.assert_array_equal(memory, disk)
