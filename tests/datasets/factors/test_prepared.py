"""Tests of sets of TensorFlow Datasets by their factors, on one that the tests prepare."""

import itertools

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_vae.datasets import DatasetUnavailableError
from keras_vae.datasets.factors import load, prepared

GRID = list(itertools.product(range(3), range(2), range(2)))


class TinyShapes(tfds.core.GeneratorBasedBuilder):
    """Twelve images in two splits, each of one grey level: 10 times its place in the grid."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(2, 2, 1), encoding_format="png"),
            "label_hue": tfds.features.ClassLabel(num_classes=3),
            "label_size": tfds.features.ClassLabel(num_classes=2),
            "instance": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(of) for of, name in enumerate(("train", "test"))}

    def _generate_examples(self, split):
        for index, (hue, size, instance) in enumerate(GRID):
            if instance == split:
                image = np.full((2, 2, 1), 10 * index, np.uint8)
                labels = {"label_hue": hue, "label_size": size, "instance": instance}
                yield index, {"image": image, **labels}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    TinyShapes(data_dir=folder).download_and_prepare()
    return folder


@pytest.fixture
def tiny(monkeypatch):
    features = {"hue": "label_hue", "size": "label_size", "instance": "instance"}
    monkeypatch.setitem(prepared.SETS, "tiny_shapes", ("train+test", features))


@pytest.mark.parametrize("memory_limit", [2**20, 0])
def test_images_are_those_of_their_factors(data_dir, tiny, memory_limit):
    data = prepared.prepared("tiny_shapes", data_dir, memory_limit=memory_limit)
    assert data.factor_names == ("hue", "size", "instance")
    assert data.factor_sizes == (3, 2, 2)
    images = data.sample(GRID)
    np.testing.assert_array_equal(np.rint(255 * images[:, 0, 0, 0]), 10 * np.arange(12))


def test_a_set_that_is_larger_than_memory_is_copied_once(data_dir, tiny, monkeypatch):
    prepared.prepared("tiny_shapes", data_dir, memory_limit=0)
    # A second time nothing is read.
    monkeypatch.setattr(prepared, "_read", None)
    data = prepared.prepared("tiny_shapes", data_dir, memory_limit=0)
    assert isinstance(data._images, np.memmap)
    assert not any(data_dir.rglob("*.tmp"))


def test_a_copy_that_fails_leaves_nothing(tmp_path, tiny, monkeypatch):
    TinyShapes(data_dir=tmp_path).download_and_prepare()

    def fail(*arguments):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(prepared, "_read", fail)
        with pytest.raises(OSError, match="no space left"):
            prepared.prepared("tiny_shapes", tmp_path, memory_limit=0)
    assert not list(tmp_path.rglob("*keras_vae*"))
    assert prepared.prepared("tiny_shapes", tmp_path, memory_limit=0).factor_sizes == (3, 2, 2)


def test_damaged_files_are_told_of(tmp_path, tiny):
    TinyShapes(data_dir=tmp_path).download_and_prepare()
    for record in tmp_path.rglob("*.tfrecord*"):
        record.write_bytes(record.read_bytes()[:-5])
    with pytest.raises(DatasetUnavailableError, match=r"'tiny_shapes'.*is damaged"):
        prepared.prepared("tiny_shapes", tmp_path)


def test_white_may_be_1_in_the_files(data_dir, tiny, monkeypatch):
    monkeypatch.setattr(prepared, "BLACK_AND_WHITE", {"tiny_shapes"})
    images = prepared.prepared("tiny_shapes", data_dir).sample(GRID)
    assert list(images[:, 0, 0, 0]) == [0] + 11 * [1]


@pytest.mark.parametrize("name", list(prepared.SETS))
def test_each_set_has_its_features_and_says_so_where_it_is_not_prepared(name, tmp_path):
    builder = tfds.builder(name, data_dir=tmp_path)
    _, features = prepared.SETS[name]
    assert {"image", *features.values()} <= set(builder.info.features)
    with pytest.raises(DatasetUnavailableError, match=f"'{name}' is not prepared"):
        load(name, tmp_path, download=False)
