"""The classifier on an encoder, where it is known what encoder and pixels tell."""

import re
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_vae

# Ten classes; the bright pixel among the first ten of sixteen tells which.
LABELS = np.arange(100) % 10
IMAGES = np.eye(16, dtype=np.float32)[LABELS].reshape(100, 4, 4, 1)


@pytest.fixture
def example(load_program):
    return load_program("examples/classify.py")


@pytest.fixture
def loaded(monkeypatch):
    """The bright pixels for every data set; records what was asked for."""
    calls = []

    def load(name, splits, batch_size, with_labels):
        calls.append((name, splits, with_labels))
        batches = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(batch_size)
        return batches, batches

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    return calls


@pytest.fixture
def blind_vae(make_vae):
    """Its features are zeros, whatever the image."""
    vae = make_vae()
    loc = vae.encoder.get_layer("loc")
    loc.set_weights([np.zeros_like(weight) for weight in loc.get_weights()])
    return vae


def test_it_compares_pixels_with_the_features_of_the_preset(
    example, loaded, blind_vae, tmp_path, monkeypatch, capsys
):
    blind_vae.save_to_preset(tmp_path / "blind")
    options = ["--preset", str(tmp_path / "blind"), "--dataset", "dots", "--labels", "70"]
    monkeypatch.setattr(sys, "argv", ["classify.py", *options, "--epochs", "60"])

    example.main()

    assert loaded == [("dots", ("train[:70]", "test"), True)]
    printed = re.findall(r"^(\d+) labels, .* on (.+): (.+)%$", capsys.readouterr().out, re.M)
    # Pixels tell all ten classes, an encoder that sees nothing one of them.
    assert printed == [("70", "pixels", "100.0"), ("70", "VAE's features", "10.0")]


def test_training_leaves_the_encoder_as_it_is(example, make_vae):
    encoder = make_vae().encoder
    before = [weight.copy() for weight in encoder.get_weights()]
    model = example.classifier(encoder, (4, 4, 1))
    head = [weight.copy() for weight in model.layers[-1].get_weights()]
    model.fit(IMAGES, LABELS, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, encoder.get_weights(), strict=True))
    assert not np.array_equal(head[0], model.layers[-1].get_weights()[0])
    assert len(model.trainable_weights) == 2


def test_the_features_are_the_posterior_means(example, make_vae):
    vae = make_vae()
    model = example.classifier(vae.encoder, (4, 4, 1))
    kernel, bias = model.layers[-1].get_weights()
    logits = vae.embed(IMAGES).numpy() @ kernel + bias
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected = odds / odds.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, atol=1e-5)
