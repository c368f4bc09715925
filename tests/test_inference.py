"""Tests that what uses a trained model takes what `predict` does, and refuses what `fit` does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import networks
from keras_vae.objectives import ConditionalVAE

LABELS = np.arange(20) % 3
METHODS = ["embed", "reconstruct", "predict", "predict_on_batch"]


@pytest.fixture
def vae(make_vae):
    return make_vae(eager=True)


def spoiled(images, value):
    images = images.copy()
    images[11, 1, 1, 0] = value
    return images


BAD = {
    "0 to 255": (lambda x: 255 * x, r"within \[0, 1\].*Received: values from"),
    "NaN": (lambda x: spoiled(x, np.nan), r"must be finite"),
    "bytes": (lambda x: np.uint8(255 * x), r"must be floating point.*dtype uint8"),
    "shape": (lambda x: x[:, :3], r"Expected: \[batch, 4, 4, 1\]. Received: \[20, 3, 4, 1\]"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", BAD)
def test_images_that_fit_refuses_are_refused(vae, images, fault, method):
    spoil, message = BAD[fault]
    for given in (spoil(images), tf.constant(spoil(images))):
        with pytest.raises(ValueError, match=message):
            getattr(vae, method)(given)


class Batches(keras.utils.PyDataset):
    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return tuple(array[8 * index : 8 * index + 8] for array in self.arrays)


KINDS = {
    "data set": lambda *arrays: tf.data.Dataset.from_tensor_slices(
        arrays if len(arrays) > 1 else arrays[0]
    ).batch(8),
    "PyDataset": lambda *arrays: Batches(arrays),
    "generator": lambda *arrays: (Batches(arrays)[index] for index in range(3)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [(), (LABELS,), (LABELS, np.ones(20))])
def test_batches_are_taken_one_by_one(vae, images, kind, extra):
    for ask in (vae.embed, vae.reconstruct):
        found = ask(KINDS[kind](images, *extra))
        np.testing.assert_allclose(found, ask(images), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_batches_are_conditions(images, kind):
    cvae = ConditionalVAE(
        networks.mlp_encoder((4, 4, 1), 2, [5]),
        networks.mlp_decoder((4, 4, 1), 5, [5]),
        condition_dim=3,
    )
    for ask in (cvae.embed, cvae.reconstruct):
        expected = ask(images, condition=LABELS)
        assert np.abs(expected - ask(images)).max() > 1e-3
        np.testing.assert_allclose(ask(KINDS[kind](images, LABELS)), expected, atol=1e-6)
        np.testing.assert_allclose(ask(KINDS[kind](images)), ask(images), atol=1e-6)
    with pytest.raises(ValueError, match=r"bring their conditions.*condition=1"):
        cvae.embed(KINDS[kind](images), condition=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_batch_is_looked_at(vae, images, kind):
    for ask in (vae.embed, vae.reconstruct):
        with pytest.raises(ValueError, match=r"^Images must be"):
            ask(KINDS[kind](spoiled(images, np.nan)))


def test_data_without_an_end_or_without_images_are_refused(vae, images):
    batches = KINDS["data set"](images)
    with pytest.raises(ValueError, match=r"`embed` needs data that have an end. Received: a"):
        vae.embed(batches.repeat())
    with pytest.raises(ValueError, match=r"There are no images. Received: an empty"):
        vae.reconstruct(batches.filter(lambda x: False))


def test_symbolic_images_are_taken_for_what_they_are(vae, images):
    codes = tf.function(vae.embed)(tf.constant(images))
    np.testing.assert_allclose(codes, vae.embed(images), atol=1e-6)
