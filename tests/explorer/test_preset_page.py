"""Tests of pages of presets, and of the command that makes them."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import __main__ as command
from keras_vae import datasets
from keras_vae.explorer import preset_page


@pytest.fixture
def preset(make_vae, tmp_path):
    make_vae().save_to_preset(
        tmp_path / "mine", description="Tiny.", evaluation={"dataset": "digits", "split": "test"}
    )
    return tmp_path / "mine"


@pytest.fixture
def digits(monkeypatch, images):
    """A data set of that name; what it was asked for."""
    asked = {}

    def load(name, split, with_labels, **settings):
        asked.update(settings, name=name, split=split)
        labels = np.stack([np.arange(20) % 3, np.arange(20)], axis=1)
        return tf.data.Dataset.from_tensor_slices((images, labels)).batch(20)

    monkeypatch.setattr(datasets, "load", load)
    return asked


def test_the_images_are_those_that_the_card_names(preset, digits, tmp_path):
    path = preset_page.write(preset, tmp_path / "page.html")
    assert digits["name"] == "digits" and digits["split"] == "test"
    html = path.read_text(encoding="utf-8")
    assert '"title":"mine"' in html and '"description":"Tiny."' in html
    # Of several factors the first.
    assert '"classes":["0","1","2"]' in html


def test_where_they_are_not_to_be_had_the_page_goes_without(preset, monkeypatch, tmp_path, capsys):
    def load(*args, **kwargs):
        raise datasets.DatasetUnavailableError("There is no network.")

    monkeypatch.setattr(datasets, "load", load)
    path = preset_page.write(preset, tmp_path / "page.html")
    assert '"data":null' in path.read_text(encoding="utf-8")
    assert capsys.readouterr().out == "The page goes without images. There is no network.\n"


def test_a_file_of_a_model_has_no_card(make_vae, tmp_path):
    make_vae().save(tmp_path / "model.keras")
    path = preset_page.write(tmp_path / "model.keras", tmp_path / "page.html")
    assert '"title":"model"' in path.read_text(encoding="utf-8")


def test_a_file_of_another_model_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"is a Sequential\. Expected: a VAE"):
        preset_page.write(tmp_path / "other.keras", tmp_path / "page.html")


def test_the_command_writes_and_opens(preset, digits, tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(command.webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.chdir(tmp_path)
    command.main(["explore", str(preset)])
    assert (tmp_path / "mine.html").is_file()
    assert opened == [(tmp_path / "mine.html").as_uri()]
    assert capsys.readouterr().out.startswith("Wrote mine.html, 0.")
    command.main(["explore", str(preset), "--output", "other.html", "--no-open"])
    assert (tmp_path / "other.html").is_file() and len(opened) == 1


def test_the_command_says_where_there_is_no_browser(preset, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.webbrowser, "open", lambda url: False)
    command.main(["explore", str(preset), "--output", str(tmp_path / "page.html")])
    assert "There is no browser to open it here." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explore", "no_such_model"], "Unknown preset."),
        (["explore", "PRESET", "--output", "there.html"], "there.html is there. Pass --overwrite."),
        (["explore", "PRESET", "--output", "page.png"], "ends in .html"),
    ],
)
def test_the_command_says_in_a_line_what_is_wrong(
    preset, digits, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.html").touch()
    with pytest.raises(SystemExit) as end:
        command.main([str(preset) if word == "PRESET" else word for word in words])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("python -m keras_vae: error: ") and message in told
    assert told.count("\n") == 1


def test_without_a_word_the_command_lists_the_models(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["keras_vae"])
    command.main()
    told = capsys.readouterr().out
    assert told.startswith("binarized_mnist_mlp") and "python -m keras_vae explore NAME" in told
