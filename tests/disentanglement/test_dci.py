import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression

from keras_vae.disentanglement import dci
from keras_vae.disentanglement.dci import concentration


def few_trees():
    return GradientBoostingClassifier(n_estimators=4)


def linear(codes, factors):
    """With weights of a regression as importances, which are known."""
    return dci(codes, factors * 1.0, regressor=LinearRegression)


def test_the_factors_themselves_have_1(codes, factors):
    found = dci(codes, factors, classifier=few_trees)
    for name in ("score", "disentanglement", "completeness"):
        assert found[name] == pytest.approx(1, abs=0.02), name
    assert found["informativeness"] == found["informativeness_train"] == 1
    np.testing.assert_allclose(found["importance"], np.eye(3), atol=0.01)
    np.testing.assert_allclose(found["importance"].sum(axis=0), 1)


@pytest.mark.parametrize("degrees", [0.0, 15.0, 45.0])
def test_a_rotation_has_the_entropy_of_its_weights(rotated, gaussian, degrees):
    found = linear(rotated(degrees), gaussian)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    share = np.array([cosine, sine]) / (cosine + sine)
    entropy = -np.sum(share * np.log2(share, out=np.zeros(2), where=share > 0))
    for name in ("disentanglement", "completeness"):
        assert found[name] == pytest.approx(1 - entropy, abs=1e-9), name
    assert found["informativeness"] == pytest.approx(1)


def test_duplicated_codes_are_disentangled_and_not_complete(gaussian):
    found = linear(np.concatenate([gaussian, gaussian], axis=1), gaussian)
    assert found["disentanglement"] == pytest.approx(1)
    assert found["completeness"] == pytest.approx(1 - np.log(2) / np.log(4))


def test_one_code_for_two_factors_is_complete_and_not_disentangled(gaussian):
    codes = np.stack([gaussian.sum(axis=1), np.zeros(len(gaussian))], axis=1)
    found = linear(codes, gaussian)
    assert found["completeness"] == pytest.approx(1)
    assert found["disentanglement"] == pytest.approx(0)
    # Half of each factor's variance is in the sum.
    assert found["informativeness"] == pytest.approx(0.5, abs=0.06)


def test_constants_have_0_and_chance(factors):
    found = dci(np.ones((len(factors), 3)), factors, classifier=few_trees)
    assert found["disentanglement"] == found["completeness"] == 0
    assert not found["importance"].any()
    assert found["informativeness"] == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 5]), abs=0.04)


def test_noise_is_spread_over_the_latents(noise, factors):
    found = dci(noise, factors, classifier=few_trees)
    assert found["disentanglement"] < 0.05 and found["completeness"] < 0.05
    assert found["informativeness"] == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 5]), abs=0.04)


def test_an_extra_noise_latent_has_no_importance(codes, noise, factors):
    codes = np.concatenate([codes, noise[:, :1]], axis=1)
    found = dci(codes, factors, classifier=few_trees)
    assert found["importance"][3].max() < 0.01
    assert found["disentanglement"] == pytest.approx(1, abs=0.02)


def test_continuous_factors_have_r_squared_by_default(gaussian):
    found = dci(gaussian[:400], gaussian[:400])
    assert found["informativeness"] > 0.95
    assert found["disentanglement"] > 0.95


def test_neither_threads_nor_a_repetition_change_a_number(noise, factors):
    mixed = noise + factors
    found = [dci(mixed, factors, classifier=few_trees, num_jobs=jobs) for jobs in (1, 2, 3)]
    for other in found[1:]:
        np.testing.assert_array_equal(other["importance"], found[0]["importance"])
        assert other["informativeness"] == found[0]["informativeness"]


def test_the_weight_of_a_latent_is_its_share_of_the_importance():
    np.testing.assert_allclose(concentration(np.array([[1, 1], [3, 0], [0, 0]])), [0, 1, 0])
    expected = 1 - (0.75 * np.log2(4 / 3) + 0.25 * np.log2(4))
    np.testing.assert_allclose(concentration(np.array([[3, 1]])), [expected])
