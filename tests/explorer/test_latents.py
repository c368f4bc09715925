"""Tests of what a page says of each latent."""

import numpy as np
import pytest

from keras_vae.explorer import latents
from keras_vae.explorer.latents import Codes
from keras_vae.objectives import VampPriorVAE


def test_codes_are_those_of_the_model_whatever_the_batches(make_vae, monkeypatch, images):
    monkeypatch.setattr(latents, "_BATCH", 8)
    vae = make_vae()
    codes = Codes.of(vae, images, None)
    posterior = vae.encode(images)
    np.testing.assert_allclose(codes.loc, posterior.mean(), atol=1e-6)
    np.testing.assert_allclose(codes.scale, posterior.stddev(), atol=1e-6)
    np.testing.assert_allclose(codes.kl, vae.kl_per_dimension(posterior).numpy().mean(0), atol=1e-5)


def test_where_no_latent_has_a_kl_of_its_own_there_is_none(make_vae, images):
    vae = make_vae(VampPriorVAE, num_pseudo_inputs=3)
    codes = Codes.of(vae, images, None)
    assert codes.kl is None
    found = latents.from_codes(codes)
    assert found["measure"] == "variance of its means"
    np.testing.assert_allclose(found["use"], codes.loc.astype(float).var(axis=0))


def made_up():
    random = np.random.default_rng(0)
    loc = np.stack([random.normal(0, 1, 5000), np.zeros(5000), random.normal(3, 0.2, 5000)], 1)
    scale = np.tile([0.1, 1.0, 0.2], (5000, 1))
    return Codes(loc, scale, np.array([0.5, 0.0, 2.0]))


def test_latents_are_sorted_by_their_kl_and_dead_ones_known():
    found = latents.from_codes(made_up())
    assert found["active"].tolist() == [True, False, True]
    described = latents.described(found, ["a", None, "c"])
    assert [(one["index"], one["name"]) for one in described] == [(2, "c"), (0, "a"), (1, None)]
    assert [one["use"] for one in described] == [2.0, 0.5, 0.0]


def test_ranges_hold_most_of_what_images_may_be_encoded_to():
    found = latents.from_codes(made_up())
    # A hundredth of a normal distribution lies beyond 2.33 deviations.
    assert found["low"] == pytest.approx([-2.33 - 0.2, -2.0, 3 - 0.466 - 0.4], abs=0.12)
    assert found["high"] == pytest.approx([2.33 + 0.2, 2.0, 3 + 0.466 + 0.4], abs=0.12)


def test_of_a_single_image_no_latent_is_called_dead():
    codes = Codes(np.array([[0.1, 0.2]]), np.array([[0.5, 0.5]]), None)
    found = latents.from_codes(codes)
    assert found["active"].all() and (found["low"] < found["high"]).all()


def test_without_images_the_use_is_what_the_picture_makes_of_a_latent(make_vae):
    vae = make_vae(latent_dim=3)
    kernel = vae.decoder.layers[1].kernel
    # The second latent reaches no pixel.
    kernel.assign(kernel * np.array([[1.0], [0.0], [5.0]]))
    found = latents.from_prior(vae)
    assert found["use"][1] == 0 and found["use"][2] > found["use"][0] > 0
    assert found["active"].tolist() == [True, False, True]
    low, high = (vae.decode(np.float32([[0, 0, side]])).mean().numpy() for side in (-2, 2))
    assert found["use"][2] == pytest.approx(np.abs(high - low).mean(), rel=1e-4)
    assert found["low"].tolist() == [-3, -3, -3] and found["high"].tolist() == [3, 3, 3]


def test_names_are_one_a_latent_or_none():
    assert latents.names_of(None, 2) == [None, None]
    assert latents.names_of(["tilt", None], 2) == ["tilt", None]
    assert latents.names_of(("", "width"), 2) == [None, "width"]
    with pytest.raises(ValueError, match=r"each of the 3 latents.*Received: 2 names"):
        latents.names_of(["a", "b"], 3)
    for names in ("ab", ["a", 1], 2, {"a": 1}):
        with pytest.raises(ValueError, match=r"argument `names`\. Expected a list of strings"):
            latents.names_of(names, 2)
