"""Tests of the pages of all shipped models in a real browser, beside Keras."""

import numpy as np
import pytest

import keras_vae
from keras_vae import presets

pytestmark = pytest.mark.exhaustive


def strokes(shape, count, seed):
    """Images of one or two strokes each, as a pen makes them."""
    random = np.random.default_rng(seed)
    places = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1) / shape[:2]
    images = np.zeros((count, *shape), np.float32)
    for image in images:
        for begin, end in random.uniform(0.2, 0.8, (random.integers(1, 3), 2, 2)):
            way = end - begin
            along = np.clip((places - begin) @ way / (way @ way), 0, 1)
            distance = np.linalg.norm(places - begin - along[..., None] * way, axis=-1)
            image += np.clip(1.5 - 20 * distance, 0, 1)[..., None]
    return np.minimum(images, 1)


@pytest.fixture(scope="module", params=presets.names(keras_vae.VAE))
def shipped(request, browser, tmp_path_factory):
    """A shipped model and its page, open."""
    vae = presets.load(request.param)
    images = strokes(vae.event_shape, 40, seed=1)
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    vae.explore(path, images, np.arange(40) % 10, card=presets.card(request.param))
    # The better of two: other tests may hold the processor up.
    seconds = min(browser.open(path), browser.open(path))
    return vae, path, seconds


def test_it_opens_at_once_from_a_file_and_complains_of_nothing(browser, shipped):
    _, _, seconds = shipped
    assert seconds < 2
    assert browser.errors() == []
    assert browser.run("return document.querySelector('#notes').textContent") == ""


def test_it_asks_for_nothing_but_itself(browser, shipped):
    del shipped
    asked = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []


def test_the_page_of_the_standard_model_takes_less_than_a_megabyte_and_a_half():
    vae = presets.load("mnist_mlp")
    images = vae.sample(1000, seed=1).numpy()
    page = vae.explore(images=images, labels=np.arange(1000) % 10, card=presets.card("mnist_mlp"))
    assert 1e6 < len(page.html) < 1.5e6


def test_its_pictures_are_those_of_keras(browser, shipped):
    vae, _, _ = shipped
    drawn = vae.prior_distribution().sample(60, seed=7).numpy()
    codes = np.concatenate([drawn, vae.embed(strokes(vae.event_shape, 40, seed=3))])
    expected = vae.decode(codes).mean().numpy().reshape(100, -1)
    assert expected.max() - expected.min() > 0.5
    assert np.abs(browser.decoded(codes) - expected).max() < 1 / 255


def test_its_codes_are_those_of_keras(browser, shipped):
    vae, _, _ = shipped
    images = np.concatenate([vae.sample(50, seed=2), strokes(vae.event_shape, 50, seed=2)])
    posterior = vae.encode(images)
    loc, scale = browser.encoded(images)
    assert np.abs(loc - posterior.mean()).max() < 1e-3
    assert np.abs(scale - posterior.stddev()).max() < 1e-3 * max(1, np.max(posterior.stddev()))
