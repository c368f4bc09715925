"""The making of the network of features, in two steps on noise."""

import sys

import numpy as np
import pytest

from keras_vae import datasets, presets

IMAGES = np.random.default_rng(0).random((256, 28, 28, 1), dtype=np.float32)


def test_it_trains_tests_and_writes_a_network_with_its_card(
    load_program, tmp_path, monkeypatch, capsys
):
    program = load_program("tools/train_features.py")

    def load(name, with_labels, seed):
        assert (name, with_labels, seed) == ("noise", True, 5)
        return (datasets.from_arrays(IMAGES, np.arange(256) % 10),) * 2

    monkeypatch.setattr(datasets, "load", load)
    folder = tmp_path / "mnist_features"
    options = ["--dataset", "noise", "--epochs", "1", "--steps", "2", "--seed", "5"]
    monkeypatch.setattr(sys, "argv", ["train_features.py", *options, "--folder", str(folder)])
    program.main()
    card = presets.card(folder)
    assert card["training"]["seed"] == 5 and card["data"]["name"] == "noise"
    network = presets.load(folder)
    assert network.get_layer("features").units == 64
    accuracy = np.mean(network.predict(IMAGES, verbose=0).argmax(axis=1) == np.arange(256) % 10)
    assert card["figures"]["test_accuracy"] == pytest.approx(accuracy)
    assert f"test accuracy {accuracy:.4f}" in capsys.readouterr().out
