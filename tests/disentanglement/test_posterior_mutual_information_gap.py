import numpy as np
import pytest

from keras_vae.disentanglement import posterior_mutual_information_gap


def test_posteriors_that_do_not_overlap_have_1(codes, factors):
    found = posterior_mutual_information_gap(codes, np.full(codes.shape, 0.05), factors, 500)
    assert found["score"] == pytest.approx(1, abs=1e-4)
    expected = np.diag(np.log([3, 4, 5]))
    np.testing.assert_allclose(found["mutual_information"], expected, atol=1e-4)


def test_a_dead_latent_has_none_though_its_mean_varies(codes, factors):
    loc = np.concatenate([codes, 1e-4 * codes], axis=1)
    scale = np.concatenate([np.full(codes.shape, 0.05), np.ones(codes.shape)], axis=1)
    found = posterior_mutual_information_gap(loc, scale, factors, 500)
    assert found["score"] == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found["mutual_information"][3:], 0, atol=1e-3)


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0])
def test_two_posteriors_that_overlap_have_the_integral(distance):
    rows = np.arange(400)
    factors = np.stack([rows % 2, rows // 2 % 2], axis=1)
    loc = np.stack([distance * (2 * factors[:, 0] - 1), np.zeros(400)], axis=1)
    found = posterior_mutual_information_gap(loc, np.ones(loc.shape), factors, 20_000)
    z = np.linspace(-10, 10, 20_001)
    given = np.exp(-0.5 * (z - distance) ** 2) / np.sqrt(2 * np.pi)
    mixture = 0.5 * (given + given[::-1])
    expected = np.sum(given * np.log(given / mixture)) * (z[1] - z[0])
    information = found["mutual_information"]
    assert information[0, 0] == pytest.approx(expected, abs=0.015)
    np.testing.assert_allclose(information[[0, 1, 1], [1, 0, 1]], 0, atol=1e-5)
    assert found["gaps"][0] == pytest.approx(information[0, 0] / np.log(2), abs=1e-5)


def test_duplicated_latents_have_0(codes, factors):
    loc = np.concatenate([codes, codes], axis=1)
    found = posterior_mutual_information_gap(loc, np.full(loc.shape, 0.05), factors, 300)
    assert found["score"] == pytest.approx(0, abs=1e-4)


def test_scales_of_many_orders_stay_finite(codes, factors):
    scale = np.geomspace(1e-12, 1e6, codes.size).reshape(codes.shape)
    found = posterior_mutual_information_gap(codes, scale, factors, 300)
    assert np.isfinite(found["mutual_information"]).all()


def test_the_seed_is_of_the_samples(codes, factors):
    scale = np.ones(codes.shape)
    first, again, other = (
        posterior_mutual_information_gap(codes, scale, factors, 200, seed=seed)["score"]
        for seed in (1, 1, 2)
    )
    assert first == again != other
