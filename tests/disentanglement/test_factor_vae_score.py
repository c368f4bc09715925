import numpy as np
import pytest

from keras_vae.disentanglement import factor_vae_score

SMALL = {"num_train": 300, "num_test": 300, "batch_size": 16, "num_variance": 500}


def test_the_factors_themselves_have_1(grid, codes, factors):
    for found in (
        factor_vae_score((codes, factors), **SMALL),
        factor_vae_score(grid, lambda images: images[:, [0, 2, 3]], **SMALL),
    ):
        assert found["score"] == found["train_accuracy"] == 1
        votes = found["votes"]
        assert np.count_nonzero(votes) == 3 and votes.sum() == 300 == np.trace(votes)


def test_constants_have_0_and_noise_chance(noise, factors):
    found = factor_vae_score((np.ones(noise.shape), factors), **SMALL, threshold=0.0)
    assert found["score"] == 0 and found["num_active"] == 0
    assert factor_vae_score((noise, factors), **SMALL)["score"] == pytest.approx(1 / 3, abs=0.1)


def test_dead_latents_are_pruned_and_would_do_harm(codes, factors):
    # Those of a collapsed posterior: tiny, and tinier still while the first factor is held.
    still = np.where(factors[:, :1] == 0, 1e-4, 1.0)
    dead = 0.01 * np.random.default_rng(0).normal(size=(len(codes), 1)) * still
    with_dead = np.hstack([codes + 0.2 * np.random.default_rng(1).normal(size=codes.shape), dead])
    pruned = factor_vae_score((with_dead, factors), **SMALL)
    assert list(pruned["active"]) == [True, True, True, False]
    assert pruned["score"] == 1 and pruned["votes"][3].sum() == 0
    assert factor_vae_score((with_dead, factors), threshold=0.0, **SMALL)["votes"][3].sum() > 20


def test_copies_and_extra_noise_do_no_harm(codes, noise, factors):
    assert factor_vae_score((np.hstack([codes, codes]), factors), **SMALL)["score"] == 1
    found = factor_vae_score((np.hstack([codes, noise]), factors), **SMALL)
    assert found["score"] == 1 and found["num_active"] == 6


def test_one_code_for_two_factors_cannot_tell_them_apart():
    factors = np.stack(np.unravel_index(np.arange(800) % 16, (4, 2, 2)), axis=1)
    codes = np.stack([factors[:, 0], factors[:, 1] + factors[:, 2]], axis=1)
    score = factor_vae_score((codes, factors), **SMALL)["score"]
    assert score == pytest.approx(2 / 3, abs=0.08)


def test_a_rotation_by_45_degrees_has_chance():
    factors = np.stack(np.divmod(np.arange(900) % 9, 3), axis=1)
    codes = (factors - 1) @ np.array([[1, -1], [1, 1]])
    found = factor_vae_score((codes, factors), **SMALL)
    assert found["score"] == pytest.approx(1 / 2, abs=0.1)


def test_the_scale_of_a_latent_is_of_no_matter(codes, noise, factors):
    mixed = codes + noise
    found = [factor_vae_score((z, factors), **SMALL) for z in (mixed, mixed * [1, 100, 1])]
    assert found[0]["score"] == found[1]["score"] > 0.7
