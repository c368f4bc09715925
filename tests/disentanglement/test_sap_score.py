import numpy as np
import pytest
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from keras_vae.disentanglement import sap_score


def test_continuous_factors_themselves_have_1(gaussian):
    found = sap_score(gaussian, gaussian)
    assert found["score"] == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(np.diag(found["predictability"]), 1)


@pytest.mark.parametrize("degrees", [10.0, 30.0, 45.0])
def test_a_rotation_has_the_cosine_of_twice_the_angle(rotated, gaussian, degrees):
    # cos^2 - sin^2, on two thirds of points that as a whole have no correlation at all.
    found = sap_score(rotated(degrees), gaussian)
    assert found["score"] == pytest.approx(np.cos(np.radians(2 * degrees)), abs=0.03)


def test_discrete_factors_themselves_have_1_minus_chance_with_a_tree(codes, factors):
    found = sap_score(codes, factors, classifier=DecisionTreeClassifier)
    np.testing.assert_array_equal(np.diag(found["predictability"]), 1)
    # The others know no better than chance of so many test points.
    assert found["score"] == pytest.approx(1 - np.mean([1 / 3, 1 / 4, 1 / 5]), abs=0.06)


def test_the_published_classifier_misses_values_in_between(codes, factors):
    found = sap_score(codes, factors)
    assert found["predictability"][2, 2] < 0.6
    assert list(found["best_latents"]) == [0, 1, 2]
    model = LinearSVC(C=0.01, class_weight="balanced").fit(codes[:, :1], factors[:, 0])
    expected = model.score(codes[:, :1], factors[:, 0])
    assert found["predictability"][0, 0] == pytest.approx(expected, abs=0.05)


def test_constants_have_0_and_the_share_of_the_most_frequent_value(factors):
    found = sap_score(np.ones((len(factors), 2)), factors)
    assert found["score"] == 0
    chance = np.array([1 / 3, 1 / 4, 1 / 5])
    np.testing.assert_allclose(found["predictability"], [chance, chance], atol=0.05)
    assert sap_score(np.ones((len(factors), 2)), factors * 0.5)["predictability"].max() == 0


def test_noise_and_duplicated_codes_have_0(codes, noise, factors):
    assert sap_score(np.concatenate([codes, codes], axis=1), factors)["score"] == 0
    assert sap_score(noise, factors)["score"] < 0.04
    assert sap_score(noise, factors * 0.5)["score"] < 0.01


def test_an_extra_noise_latent_changes_little(codes, noise, factors):
    with_noise = np.concatenate([codes, noise[:, :1]], axis=1)
    found = [sap_score(z, factors)["score"] for z in (codes, with_noise)]
    assert found[1] == pytest.approx(found[0], abs=0.03)


def test_the_same_seed_is_the_same_number(noise, factors):
    mixed = noise + factors
    first, again, other = (sap_score(mixed, factors, seed=seed)["score"] for seed in (4, 4, 5))
    assert first == again != other
