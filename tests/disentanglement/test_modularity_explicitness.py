import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_vae.disentanglement import modularity_explicitness
from keras_vae.disentanglement.modularity_explicitness import area_under_curve, modularity


def test_the_factors_themselves_have_1(codes, factors):
    found = modularity_explicitness(codes, factors)
    # Two thirds of all points are not quite independent.
    assert found["score"] == found["modularity"] == pytest.approx(1, abs=1e-3)
    assert found["explicitness"] == pytest.approx(1, abs=1e-3)


def test_constants_have_0_and_chance(factors):
    found = modularity_explicitness(np.zeros((len(factors), 2)), factors)
    assert found["modularity"] == 0
    assert found["explicitness"] == found["explicitness_train"] == 0.5


def test_noise_is_not_explicit(noise, factors):
    found = modularity_explicitness(noise, factors)
    assert found["explicitness"] == pytest.approx(0.5, abs=0.06)


def test_duplicated_codes_are_modular(codes, factors):
    found = modularity_explicitness(np.concatenate([codes, codes], axis=1), factors)
    assert found["modularity"] == pytest.approx(1, abs=1e-3)


def test_one_code_for_two_factors_is_half_modular(factors):
    joint = np.stack([4 * factors[:, 0] + factors[:, 1], factors[:, 2]], axis=1)
    found = modularity_explicitness(joint, factors)
    of_joint = 1 - np.log(3) ** 2 / (2 * np.log(4) ** 2)
    np.testing.assert_allclose(found["modularity_of_latents"], [of_joint, 1], atol=2e-3)


def test_an_extra_constant_lowers_it_by_its_share(codes, factors):
    with_constant = np.concatenate([codes, np.ones((len(codes), 1))], axis=1)
    found = modularity_explicitness(with_constant, factors)
    assert found["modularity"] == pytest.approx(3 / 4, abs=1e-3)


def test_modularity_is_its_equation():
    information = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    np.testing.assert_allclose(modularity(information), [1 - 0.25 / 2, 0, 0])


def test_the_area_is_that_of_scikit_learn_with_ties():
    generator = np.random.default_rng(2)
    scores, positive = generator.integers(0, 9, 300), generator.random(300) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_two_values_and_continuous_factors(gaussian):
    halves = (gaussian > 0).astype(int)
    assert modularity_explicitness(gaussian, halves)["explicitness"] == pytest.approx(1, abs=1e-3)
    found = modularity_explicitness(gaussian, gaussian, num_bins=5, bins="quantile")
    assert found["explicitness"] > 0.97


def test_a_factor_that_no_bin_or_no_test_point_tells_is_an_error(noise):
    rare = np.zeros((1200, 2))
    rare[:5] = 1.0
    with pytest.raises(ValueError, match="one value only at the 800 points to train on"):
        modularity_explicitness(noise, rare, bins="quantile")
    factors = np.tile([[0, 0], [0, 1], [0, 0], [1, 1], [0, 1], [0, 0]], (4, 1))
    with pytest.raises(ValueError, match="one value only at the 2 points to test on"):
        modularity_explicitness(noise[:24], factors, num_bins=2, test_share=0.1, seed=3)
