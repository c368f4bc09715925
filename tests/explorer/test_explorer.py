"""Tests of `VAE.explore`: its arguments, its file, what it describes."""

import inspect
import json
import re

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import explorer
from keras_vae.explorer import description
from keras_vae.objectives import ConditionalVAE


def data_of(html):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


def test_a_file_is_written_and_its_path_returned(make_vae, images, tmp_path):
    path = make_vae().explore(tmp_path / "new/page.html", images, np.arange(20) % 4, title="Mine")
    assert path == tmp_path / "new/page.html"
    html = path.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
    assert data_of(html)["title"] == "Mine"
    assert data_of(html)["data"]["classes"] == ["0", "1", "2", "3"]
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]


def test_without_a_path_nothing_is_written(make_vae, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = make_vae().explore(images=images)
    assert isinstance(page, explorer.Page) and list(tmp_path.iterdir()) == []
    assert data_of(page.html)["data"]["total"] == 20


def test_the_same_model_gives_the_same_file(make_vae, images):
    first, second = (make_vae().explore(images=images).html for _ in range(2))
    assert first == second


def test_a_file_that_is_there_stays_unless_it_may_go(make_vae, images, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make_vae().explore(path)
    assert path.read_text() == "mine"
    make_vae().explore(path, overwrite=True)
    assert len(path.read_text()) > 10_000


def test_what_is_refused_leaves_no_file_and_no_folder(make_vae, images, tmp_path):
    vae = make_vae()
    vae.decoder.layers[1].kernel.assign(np.full(vae.decoder.layers[1].kernel.shape, np.nan))
    with pytest.raises(ValueError, match="not finite"):
        vae.explore(tmp_path / "new/page.html", images)
    assert list(tmp_path.iterdir()) == []


def test_a_model_trains_on_as_if_nothing_had_been(make_vae, images):
    def weights(look):
        vae = make_vae(eager=True)
        vae.fit(images, batch_size=8, epochs=1, verbose=0)
        if look:
            vae.explore(images=images)
        vae.fit(images, batch_size=8, epochs=1, verbose=0)
        return vae.get_weights()

    for one, other in zip(weights(True), weights(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_at_most_a_thousand_images_are_encoded_evenly_spaced(make_vae, monkeypatch, images):
    monkeypatch.setattr(description, "MOST_CODES", 5)
    found = data_of(make_vae().explore(images=images, labels=np.arange(20)).html)["data"]
    assert found["total"] == 20 and found["loc"]["shape"] == [5, 2]
    assert found["classes"] == ["0", "4", "9", "14", "19"]


def test_labels_are_classes_or_numbers(make_vae, images):
    def labelled(labels):
        return data_of(make_vae().explore(images=images, labels=labels).html)["data"]

    assert labelled(["b", "a"] * 10)["classes"] == ["a", "b"]
    assert labelled(["b", "a"] * 10)["labels"][:3] == [1, 0, 1]
    assert labelled(np.arange(20) < 3)["classes"] == ["False", "True"]
    assert labelled(None)["classes"] is None
    many = np.linspace(0, 1, 20)
    assert labelled(many)["classes"] is not None
    assert data_of(
        make_vae().explore(images=np.tile(images, (2, 1, 1, 1)), labels=np.linspace(0, 1, 40)).html
    )["data"]["numbers"] == pytest.approx(np.linspace(0, 1, 40))


def test_examples_are_of_every_class(make_vae, images):
    labels = np.array([0] * 18 + [1, 2])
    found = data_of(make_vae().explore(images=images, labels=labels).html)["data"]
    assert found["examples"]["index"][:4] == [0, 18, 19, 1]
    assert sorted(found["examples"]["index"]) == list(range(20))


def test_conditions_are_the_labels(make_vae, images):
    keras.utils.set_random_seed(0)
    vae = ConditionalVAE(
        keras_vae.mlp_encoder((4, 4, 1), 2, [5]),
        keras_vae.mlp_decoder((4, 4, 1), 2 + 3, [5]),
        condition_dim=3,
    )
    vae.condition_image.set_weights([np.random.default_rng(0).normal(size=(3, 16)) * 9])
    labels = np.arange(20) % 3
    tree = description.describe(vae, images, labels)
    assert tree["condition"]["size"] == 3
    np.testing.assert_allclose(
        tree["data"]["loc"].array, vae.embed(images, condition=labels), atol=1e-5
    )
    np.testing.assert_allclose(
        description.describe(vae, images)["data"]["loc"].array, vae.embed(images), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (4, 6, 1)])
def test_images_of_any_shape_that_can_be_drawn(make_vae, shape):
    tree = description.describe(make_vae(image_shape=shape))
    assert tree["event_shape"] == list(shape)
    assert tree["shape"] == [*shape, 1][:3]


def test_the_range_of_values_is_the_likelihoods_or_that_of_the_images(make_vae, images):
    def values(**arguments):
        tree = description.describe(make_vae(likelihood="gaussian"), **arguments)
        return tree["low"], tree["high"]

    assert values(images=images) == (0.0, 1.0)
    assert values(images=6 * images - 3) == pytest.approx((-3, 3), abs=0.1)
    bounded = description.describe(make_vae(), 0.5 * images)
    assert (bounded["low"], bounded["high"]) == (0.0, 1.0)


def test_a_decoder_with_a_scale_of_its_own_shows_its_mean(make_vae):
    inputs = keras.Input((2,))
    loc = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16, name="loc")(inputs))
    scale = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16, "softplus")(inputs))
    vae = keras_vae.VAE(
        keras_vae.mlp_encoder((4, 4, 1), 2, [5]),
        keras.Model(inputs, {"loc": loc, "scale": scale}),
        likelihood="gaussian",
    )
    decoder = description.describe(vae)["decoder"]
    ops = [decoder["steps"][decoder["outputs"] - 1]["op"]]
    assert ops == ["reshape"]


def test_the_method_and_the_function_take_the_same():
    method = inspect.signature(keras_vae.VAE.explore).parameters
    function = inspect.signature(explorer.explore).parameters
    assert list(method)[1:] == list(function)[1:]
    for name in list(method)[1:]:
        assert method[name].default == function[name].default
