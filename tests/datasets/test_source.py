"""Tests of finding a data set, and of failing soon and clearly where there is none."""

import functools
import random
import shutil
import time

import keras
import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

import keras_vae
from keras_vae.datasets import DatasetUnavailableError, available, source, typeset_digits
from keras_vae.datasets.source import prepared_builder


class TwelveNumbers(tfds.core.GeneratorBasedBuilder):
    """A data set without images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"number": np.int64})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": ((i, {"number": i}) for i in range(12))}

    def _generate_examples(self):
        """Unused: the split carries its examples."""


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def get(url, timeout, **kwargs):
        asked.append((url, timeout))
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", get)
    return asked


def test_an_unprepared_set_without_network_fails_within_seconds(no_network, tmp_path):
    start = time.monotonic()
    with pytest.raises(DatasetUnavailableError) as raised:
        prepared_builder("mnist", data_dir=tmp_path)
    assert time.monotonic() - start < 10
    message = str(raised.value)
    for words in ("'mnist' is not prepared", str(tmp_path), "TFDS_DATA_DIR", "tfds build mnist"):
        assert words in message
    assert "cannot be downloaded (ConnectionError)" in message
    ((url, timeout),) = no_network
    assert url.startswith("http") and timeout <= 5
    assert not any(tmp_path.rglob("*.tfrecord*"))


def test_a_host_that_refuses_counts_as_unavailable(monkeypatch, tmp_path):
    response = requests.Response()
    response.status_code = 404
    response.raw = None
    monkeypatch.setattr(response, "close", lambda: None)
    monkeypatch.setattr(requests, "get", lambda *args, **kwargs: response)
    with pytest.raises(DatasetUnavailableError, match=r"cannot be downloaded \(HTTPError\)"):
        prepared_builder("mnist", data_dir=tmp_path)


def test_without_download_the_network_is_left_alone(no_network, tmp_path):
    with pytest.raises(DatasetUnavailableError, match=r"`download` is False"):
        prepared_builder("mnist", data_dir=tmp_path, download=False)
    with pytest.raises(DatasetUnavailableError, match=r"`download` is False"):
        prepared_builder("typeset_digits", data_dir=tmp_path, download=False)
    assert no_network == []


def test_the_embedded_set_prepares_itself_without_network(no_network, tmp_path, monkeypatch):
    monkeypatch.setitem(typeset_digits.SPLITS, "train", 6)
    monkeypatch.setitem(typeset_digits.SPLITS, "test", 4)
    builder = prepared_builder("typeset_digits", data_dir=tmp_path)
    assert builder.is_prepared() and builder.info.splits["train"].num_examples == 6
    assert prepared_builder(source.EMBEDDED, data_dir=tmp_path, download=False).is_prepared()
    assert no_network == []


@pytest.mark.parametrize(
    ("name", "suggestion"), [("mnst", "mnist"), ("cifar_10", "cifar10"), ("fashion-mnist", "fashi")]
)
def test_unknown_names_get_a_suggestion(no_network, tmp_path, name, suggestion):
    with pytest.raises(ValueError, match=rf"Received: name='{name}'. Did you mean .*{suggestion}"):
        prepared_builder(name, data_dir=tmp_path)
    assert no_network == []


def test_a_set_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no feature `image`.*Received: features \['number'\]"):
        prepared_builder("twelve_numbers", data_dir=tmp_path)
    assert not any(tmp_path.iterdir())


def test_what_is_at_hand_is_taken(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(source, "prepared_builder", lambda name: tmp_path)
    assert available() == "mnist" and available("cifar10") == "cifar10"
    assert capsys.readouterr().out == ""


def test_what_is_not_at_hand_is_replaced_and_a_line_says_so(
    no_network, monkeypatch, tmp_path, capsys
):
    builder = functools.partial(prepared_builder, data_dir=tmp_path)
    monkeypatch.setattr(source, "prepared_builder", builder)
    assert available() == "typeset_digits"
    assert available("cifar10", "fashion_mnist") == "fashion_mnist"
    assert capsys.readouterr().out.splitlines() == [
        "MNIST is neither prepared here nor downloadable: training on typeset_digits instead.",
        "CIFAR10 is neither prepared here nor downloadable: training on fashion_mnist instead.",
    ]
    with pytest.raises(ValueError, match="Did you mean"):
        available("mnits")


@pytest.fixture
def few_digits(monkeypatch):
    monkeypatch.setitem(typeset_digits.SPLITS, "train", 6)
    monkeypatch.setitem(typeset_digits.SPLITS, "test", 4)


def load(data_dir):
    return keras_vae.datasets.load("typeset_digits", "train", 3, data_dir=data_dir)


def test_a_model_is_the_same_whether_its_images_were_prepared_before_or_not(few_digits, tmp_path):
    def draws():
        keras.utils.set_random_seed(4)
        load(tmp_path)
        return [
            random.random(),
            np.random.random(),
            float(tf.random.uniform(())),
            keras.random.normal((2,)).numpy().tolist(),
            keras_vae.networks.mlp_encoder((2, 2, 1), 2, [3]).get_weights()[0].tolist(),
        ]

    assert not any(tmp_path.iterdir())
    first = draws()
    assert any(tmp_path.iterdir())
    assert draws() == first


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_do(few_digits, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetUnavailableError) as raised:
        load(tmp_path / "file")
    for words in ("cannot be prepared in", str(tmp_path / "file"), "TFDS_DATA_DIR", "`data_dir`"):
        assert words in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied"), tf.errors.PermissionDeniedError(None, None, "no")],
)
def test_a_folder_that_may_not_be_written_is_one_too(few_digits, tmp_path, monkeypatch, error):
    def refuse(_):
        raise error

    monkeypatch.setattr(typeset_digits.TypesetDigits, "download_and_prepare", refuse)
    with pytest.raises(DatasetUnavailableError, match=r"cannot be prepared in .*you may write to"):
        load(tmp_path)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("*train.tfrecord*", flip),
        ("*train.tfrecord*", lambda path: path.write_bytes(path.read_bytes()[:300])),
        ("*train.tfrecord*", lambda path: path.write_bytes(b"")),
        ("*train.tfrecord*", lambda path: path.unlink()),
        ("dataset_info.json", lambda path: path.write_text("{")),
        ("dataset_info.json", lambda path: path.write_bytes(b"\xff")),
    ],
)
def test_damaged_files_are_an_error_that_says_which_to_remove(few_digits, tmp_path, name, damage):
    before = list(load(tmp_path).as_numpy_iterator())
    (path,) = tmp_path.rglob(name)
    damage(path)
    with pytest.raises(DatasetUnavailableError) as raised:
        load(tmp_path)
    message = str(raised.value)
    assert "is damaged or cannot be read" in message and "{{" not in message
    folder = message.partition(" in ")[2].partition(" is damaged")[0]
    assert path.is_relative_to(folder) and folder != str(tmp_path)
    # And it helps.
    shutil.rmtree(folder)
    np.testing.assert_array_equal(list(load(tmp_path).as_numpy_iterator()), before)
