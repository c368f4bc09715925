import numpy as np
import pytest

from keras_vae.disentanglement import unsupervised_disentanglement_ranking
from keras_vae.disentanglement.unsupervised_disentanglement_ranking import agreement

ranking = unsupervised_disentanglement_ranking


@pytest.mark.parametrize(("similarity", "expected"), [("lasso", 0.9), ("spearman", 1.0)])
def test_latents_that_are_found_again_in_any_order_sign_and_scale(codes, similarity, expected):
    models = [codes, -codes[:, ::-1], 5 * codes[:, [1, 0, 2]] + 1]
    found = ranking(models, [np.ones(3)] * 3, similarity=similarity)
    np.testing.assert_allclose(found["scores"], expected)
    assert np.isnan(np.diag(found["pairs"])).all()


def test_a_rotation_has_the_closed_form_of_the_lasso(gaussian, rotated):
    for degrees in (45.0, 20.0):
        found = ranking([gaussian, rotated(degrees)], [np.ones(2)] * 2, alpha=0.05)
        cosine, sine = np.cos(np.radians(degrees)) - 0.05, np.sin(np.radians(degrees)) - 0.05
        assert found["score"] == pytest.approx(cosine**2 / (cosine + sine), abs=1e-4)


def test_the_model_that_agrees_with_most_is_the_best(gaussian, rotated):
    models = [rotated(30), gaussian, gaussian[:, ::-1], rotated(45), -gaussian]
    found = ranking(models, [np.ones(2)] * 5)
    assert found["best"] in (1, 2, 4)
    assert found["scores"][[1, 2, 4]].min() > found["scores"][[0, 3]].max()


def test_latents_below_the_threshold_do_not_count(codes, noise):
    models = [np.concatenate([codes, noise[:, [k]]], axis=1) for k in range(2)]
    kl = [np.array([1, 1, 1, 0.001])] * 2
    found = ranking(models, kl)
    assert found["score"] == pytest.approx(0.9)
    assert list(found["num_informative"]) == [3, 3]
    assert ranking(models, kl, threshold=0.0)["score"] < 0.72


def test_a_collapsed_model_has_0(codes):
    found = ranking([codes, codes, np.zeros((len(codes), 3))], [np.ones(3), np.ones(3), np.ones(3)])
    assert found["scores"][2] == 0
    assert list(found["num_informative"]) == [3, 3, 0]


def test_models_of_other_sizes_are_weighed_by_their_latents():
    likeness = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    columns = 1 + 1 + 0.25 / 1
    rows = 1 / 1.5 + 1 / 1.5
    assert agreement(likeness) == pytest.approx((columns + rows) / 5)
    assert agreement(np.zeros((2, 3))) == 0


def test_spearman_sees_any_rising_function(codes):
    found = ranking([codes, np.exp(3 * codes)], [np.ones(3)] * 2, similarity="spearman")
    assert found["score"] == pytest.approx(1)
