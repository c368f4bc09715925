"""Tests of the network that ships for comparing images of digits."""

import numpy as np
import pytest

from keras_vae import presets
from keras_vae.datasets import typeset_digits
from keras_vae.sample_quality import mnist_features
from keras_vae.sample_quality.features import FOLDER


@pytest.fixture(scope="module")
def digits():
    factors = typeset_digits.draw_factors("test", 0, 200)
    return typeset_digits.render(factors).astype(np.float32) / 255, factors["label"]


def test_features_are_the_layer_before_the_last(digits):
    images, _ = digits
    features = mnist_features(images[:50], batch_size=20)
    assert features.shape == (50, 64) and features.dtype == np.float32
    assert features.min() >= 0 and features.std(axis=0).max() > 0.5
    classifier = presets.load(FOLDER)
    logits = features @ classifier.layers[-1].kernel.numpy() + classifier.layers[-1].bias.numpy()
    np.testing.assert_allclose(logits, classifier(images[:50]), rtol=1e-3, atol=1e-3)


def test_it_knows_digits_also_where_they_are_typeset(digits):
    images, labels = digits
    logits = presets.load(FOLDER).predict(images, verbose=0)
    # Chance is 0.1; it has only seen handwriting.
    assert np.mean(logits.argmax(axis=1) == labels) > 0.6


def test_its_card_says_what_it_gets_right_and_its_file_is_small():
    card = presets.card(FOLDER)
    assert card["name"] == "mnist_features" and card["data"]["split"] == "train"
    assert 0.98 < card["figures"]["test_accuracy"] < 1
    assert (FOLDER / "mnist_features.keras").stat().st_size < 1_000_000
