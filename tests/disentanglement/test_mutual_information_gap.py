import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from keras_vae.disentanglement import mutual_information_gap


def test_the_factors_themselves_have_1(codes, factors):
    found = mutual_information_gap(codes, factors)
    assert found["score"] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found["entropies"], np.log([3, 4, 5]))
    expected = np.diag(np.log([3, 4, 5]))
    np.testing.assert_allclose(found["mutual_information"], expected, atol=1e-12)
    assert list(found["best_latents"]) == [0, 1, 2]


def test_constants_have_0(factors):
    found = mutual_information_gap(np.full((len(factors), 4), 7.0), factors)
    assert found["score"] == 0
    assert not found["mutual_information"].any()


def test_duplicated_codes_have_0(codes, factors):
    found = mutual_information_gap(np.concatenate([codes, -codes], axis=1), factors)
    assert found["score"] == pytest.approx(0, abs=1e-12)


def test_one_code_for_two_factors_is_no_fault_here(codes, factors):
    joint = np.stack([4 * factors[:, 0] + factors[:, 1], factors[:, 2]], axis=1)
    found = mutual_information_gap(joint, factors)
    assert found["score"] == pytest.approx(1, abs=1e-12)
    assert list(found["best_latents"]) == [0, 0, 1]


def test_noise_has_the_bias_of_so_few_points_and_about_no_gap(noise, factors):
    found = mutual_information_gap(noise, factors, bins="quantile")
    expected = 19 * np.array([2, 3, 4]) / (2 * len(noise))
    np.testing.assert_allclose(found["mutual_information"].mean(axis=0), expected, rtol=0.25)
    assert abs(found["score"]) < 0.01


def test_an_extra_noise_latent_lowers_it_by_its_bias(codes, noise, factors):
    found = mutual_information_gap(np.concatenate([codes, noise[:, :1]], axis=1), factors)
    expected = 1 - np.mean(found["mutual_information"][3] / np.log([3, 4, 5]))
    assert found["score"] == pytest.approx(expected, abs=1e-12)
    assert 0.95 < found["score"] < 1


@pytest.mark.parametrize("degrees", [0.0, 20.0, 30.0, 45.0])
def test_a_rotation_of_gaussians_has_the_information_of_its_correlations(degrees):
    values = np.random.default_rng(0).normal(size=(100_000, 2))
    angle = np.radians(degrees)
    turned = values @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = mutual_information_gap(turned, values, num_bins=30, bins="quantile")
    if not degrees:
        assert found["score"] == pytest.approx(1, abs=0.01)
        return
    # -log sqrt(1 - correlation^2), of which bins lose a little and few points add a little.
    first, second = -np.log(np.sin(angle)), -np.log(np.cos(angle))
    information = np.sort(found["mutual_information"], axis=0)
    np.testing.assert_allclose(information[1], max(first, second), atol=0.04)
    np.testing.assert_allclose(information[0], min(first, second), atol=0.01)
    assert found["score"] == pytest.approx((first - second) / np.log(30), abs=0.015)


def test_an_outlier_widens_bins_of_equal_width_and_no_others(codes, factors):
    spoiled = codes.copy()
    spoiled[0, 2] = 1000.0
    assert mutual_information_gap(spoiled, factors)["score"] < 0.7
    assert mutual_information_gap(spoiled, factors, bins="quantile")["score"] > 0.98


def test_a_rising_function_changes_nothing_with_quantiles(noise, factors):
    mixed = noise + factors
    found = [mutual_information_gap(z, factors, bins="quantile") for z in (mixed, np.exp(mixed))]
    np.testing.assert_array_equal(*(one["mutual_information"] for one in found))


def test_floats_are_continuous_unless_it_is_said_that_they_are_not(factors):
    measured = factors + 0.5
    # Five values in 20 bins of equal width are apart, in 2 they are not.
    by_type = mutual_information_gap(factors, measured, num_bins=2)
    told = mutual_information_gap(factors, measured, num_bins=2, continuous=False)
    assert by_type["entropies"].max() < np.log(2) + 1e-9
    np.testing.assert_allclose(told["entropies"], np.log([3, 4, 5]))


def test_it_is_the_number_that_the_published_code_makes(noise, factors):
    mixed = noise + factors
    found = mutual_information_gap(mixed, factors)
    for latent, column in enumerate(mixed.T):
        binned = np.digitize(column, np.histogram(column, 20)[1][:-1])
        expected = [mutual_info_score(values, binned) for values in factors.T]
        np.testing.assert_allclose(found["mutual_information"][latent], expected, atol=1e-12)
    second, first = np.sort(found["mutual_information"], axis=0)[-2:]
    assert found["score"] == pytest.approx(np.mean((first - second) / np.log([3, 4, 5])))
