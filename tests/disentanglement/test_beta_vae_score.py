import numpy as np
import pytest

from keras_vae.disentanglement import beta_vae_score

SMALL = {"num_train": 300, "num_test": 300, "batch_size": 16}


def test_the_factors_themselves_have_1(grid, codes, factors):
    for found in (
        beta_vae_score((codes, factors), **SMALL),
        beta_vae_score(grid, lambda images: images, **SMALL),
    ):
        assert found["score"] == found["train_accuracy"] == 1
        assert found["chance"] == pytest.approx(1 / 3)


def test_constants_and_noise_have_chance(noise, factors):
    for z in (np.zeros(noise.shape), noise):
        assert beta_vae_score((z, factors), **SMALL)["score"] == pytest.approx(1 / 3, abs=0.1)


def test_extra_noise_copies_and_a_rotation_do_no_harm(codes, noise, factors):
    assert beta_vae_score((np.hstack([codes, noise]), factors), **SMALL)["score"] > 0.97
    assert beta_vae_score((np.hstack([codes, codes]), factors), **SMALL)["score"] == 1
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert beta_vae_score((codes @ turn, factors), **SMALL)["score"] > 0.8


def test_one_code_for_two_factors_cannot_tell_them_apart():
    factors = np.stack(np.unravel_index(np.arange(800) % 16, (4, 2, 2)), axis=1)
    codes = np.stack([factors[:, 0], factors[:, 1] + factors[:, 2]], axis=1)
    score = beta_vae_score((codes, factors), **SMALL)["score"]
    assert score == pytest.approx(2 / 3, abs=0.08)


def test_points_and_images_drawn_anew_agree(grid, codes, factors):
    def encode(images):
        z = images[:, [0, 2, 3]] - [1, 1.5, 2]
        return z @ [[1, 0.6, 0], [0, 1, 0.9], [0.7, 0, 1]]

    anew = beta_vae_score(grid, encode, **SMALL)["score"]
    mixed = codes @ [[1, 0.6, 0], [0, 1, 0.9], [0.7, 0, 1]]
    assert beta_vae_score((mixed, factors), **SMALL)["score"] == pytest.approx(anew, abs=0.06)


def test_the_same_seed_is_the_same_number(noise, factors):
    mixed = noise + factors
    first, again, other = (
        beta_vae_score((mixed, factors), seed=seed, **SMALL)["score"] for seed in (1, 1, 2)
    )
    assert first == again != other
