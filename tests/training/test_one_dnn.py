"""Who trains convolutions without oneDNN is told once, and only where it could be there."""

import warnings

import keras
import pytest

from keras_vae.keras_internals import ChangedInternalsError
from keras_vae.training import one_dnn

CONVOLUTIONAL = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3)])
DENSE = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])


@pytest.fixture(autouse=True)
def off(monkeypatch):
    """An x86 processor where TensorFlow has left it off."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(one_dnn, "runs_one_dnn", lambda: False)
    monkeypatch.setattr(one_dnn.platform, "machine", lambda: "x86_64")
    one_dnn._say.cache_clear()


def test_it_is_said_once():
    with pytest.warns(UserWarning, match="TF_ENABLE_ONEDNN_OPTS to 1 before TensorFlow"):
        one_dnn.say_if_off(CONVOLUTIONAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_dnn.say_if_off(CONVOLUTIONAL)


def changed():
    raise ChangedInternalsError


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (DENSE, lambda patch: None),
        (CONVOLUTIONAL, lambda patch: patch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")),
        (CONVOLUTIONAL, lambda patch: patch.setattr(one_dnn, "runs_one_dnn", lambda: True)),
        (
            CONVOLUTIONAL,
            lambda patch: patch.setattr(one_dnn.platform, "machine", lambda: "aarch64"),
        ),
        (CONVOLUTIONAL, lambda patch: patch.setattr(one_dnn, "runs_one_dnn", changed)),
    ],
    ids=["no convolutions", "the user has chosen", "it is on", "another architecture", "unknown"],
)
def test_nothing_is_said(model, change, monkeypatch):
    change(monkeypatch)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        one_dnn.say_if_off(model)
    assert said == []


def test_it_is_said_by_fit(images, make_vae, monkeypatch):
    said = []
    monkeypatch.setattr("keras_vae.training.one_dnn._say", lambda: said.append(True))
    vae = make_vae(eager=True)
    monkeypatch.setattr(one_dnn, "convolves_on_cpu", lambda model: model is vae)
    vae.fit(images, verbose=0)
    assert said == [True]
