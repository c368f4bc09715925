"""Tests of the map: which latents, which limits, kept from epoch to epoch."""

import numpy as np
import pytest
from PIL import Image

from keras_vae.callbacks import latent_map
from keras_vae.callbacks.latent_map import LatentMap
from keras_vae.drawing import PALETTE

CODES = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, as the arguments that `drawing.latent_map` gets."""
    calls = []
    original = latent_map.drawing.latent_map

    def record(points, labels, limit, axis_labels, title):
        calls.append({"points": points, "limit": limit, "axes": axis_labels, "title": title})
        return original(points, labels, limit, axis_labels, title)

    monkeypatch.setattr(latent_map.drawing, "latent_map", record)
    return calls


def run(make_vae, images, folder, encode, epochs=1, **options):
    callback = LatentMap(images, folder, encode=encode, **options)
    make_vae(eager=True).fit(images, epochs=epochs, verbose=0, callbacks=[callback])


def test_given_latents(make_vae, images, tmp_path, drawn):
    labels = np.arange(20) % 4
    encode = lambda x: CODES[: len(x)]  # noqa: E731
    run(make_vae, images, tmp_path, encode, labels=labels, latents=(2, 0))
    np.testing.assert_array_equal(drawn[0]["points"], CODES[:, [2, 0]])
    assert drawn[0]["axes"] == ("z2", "z0")
    assert drawn[0]["limit"] == 3
    with Image.open(tmp_path / "latent_map/epoch_0001.png") as picture:
        assert picture.size == (540, 490)
        # Four labels bring four colours.
        colours = {f"#{bytes(colour).hex()}" for _, colour in picture.getcolors(540 * 490)}
        assert colours & set(PALETTE) == set(PALETTE[:4])


def test_latents_of_the_largest_kl_are_kept(make_vae, images, tmp_path, drawn):
    pictures = []

    def encode(x):
        if len(x) == len(images):
            pictures.append(len(x))
        # In the second picture another latent has the larger KL.
        scale = [0.5, 0.1, 0.01] if len(pictures) <= 1 else [0.001, 0.1, 1.0]
        return CODES[: len(x)], np.broadcast_to(2 * np.log(scale), (len(x), 3))

    run(make_vae, images, tmp_path, encode, epochs=2)
    assert len(pictures) == 2
    assert [call["axes"] for call in drawn] == [("z2", "z1")] * 2


def test_without_standard_deviations_the_latents_that_vary_most(make_vae, images, tmp_path, drawn):
    encode = lambda x: CODES[: len(x)] * [0.1, 1.0, 2.0]  # noqa: E731
    run(make_vae, images, tmp_path, encode)
    assert drawn[0]["axes"] == ("z2", "z1")


def test_limits_grow_at_once_and_shrink_after_two_pictures(make_vae, images, tmp_path, drawn):
    factors = iter([1, 9, 1, 5, 1, 1, 3.9, 3.9])

    def encode(x):
        return CODES[: len(x)] * (next(factors) if len(x) == len(images) else 1)

    run(make_vae, images, tmp_path, encode, epochs=8, latents=(0, 1))
    assert [call["limit"] for call in drawn] == [3, 12, 12, 6, 6, 3, 4, 4]
    assert drawn[0]["title"] == "posterior means, 0 of 20 beyond the axes"


@pytest.mark.parametrize("shape", [(7,), (4, 4, 8)], ids=["table", "8 channels"])
def test_whatever_the_encoder_takes_is_mapped(shape, make_vae, images, tmp_path, drawn):
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (20, *shape)).astype(np.float32)
    callback = LatentMap(data, tmp_path, encode=lambda x: x.reshape(len(x), -1)[:, :3])
    make_vae(eager=True).fit(images, verbose=0, callbacks=[callback])
    np.testing.assert_array_equal(
        np.sort(drawn[0]["points"]),
        np.sort(data.reshape(20, -1)[:, [int(a[1]) for a in drawn[0]["axes"]]]),
    )


def test_points_beyond_the_axes_are_counted(make_vae, tmp_path, drawn):
    images = np.zeros((200, 4, 4, 1), np.float32)
    codes = np.zeros((200, 2), np.float32)
    codes[7] = 5.0
    run(make_vae, images, tmp_path, lambda x: codes[: len(x)])
    assert drawn[0]["limit"] == 3
    assert drawn[0]["title"] == "posterior means, 1 of 200 beyond the axes"


def test_codes_that_are_no_numbers_are_drawn(make_vae, images, tmp_path, drawn):
    run(make_vae, images, tmp_path, lambda x: np.full((len(x), 2), np.nan))
    assert drawn[0]["title"] == "posterior means, 20 of 20 beyond the axes"
    assert (tmp_path / "latent_map/epoch_0001.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": np.zeros(3)}, r"one label an image: \(20,\). Received: shape \(3,\)"),
        ({"labels": np.arange(20) / 7 + 0.5, "repeat": 2}, "at most 20 different"),
        ({"latents": (1, 1)}, "two different latents"),
    ],
)
def test_invalid_arguments(options, message, images):
    if options.pop("repeat", 0):
        images = np.concatenate([images, images])
        options = {"labels": np.arange(40)}
    with pytest.raises(ValueError, match=message):
        LatentMap(images, "run", **options)


@pytest.mark.parametrize(
    ("latent_dim", "message"), [(1, "two latents or more. Received: 1"), (2, "no latent 4 in a")]
)
def test_latents_that_do_not_exist(latent_dim, message, make_vae, images, tmp_path):
    callback = LatentMap(images, tmp_path, latents=(0, 4))
    with pytest.raises(ValueError, match=message):
        make_vae(latent_dim=latent_dim, eager=True).fit(images, verbose=0, callbacks=[callback])
