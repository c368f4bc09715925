"""The detector keeps scikit-learn's conventions, and finds what is strange."""

import random

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import check_estimator

from keras_vae.anomaly import VAEDetector, scores

QUICK = {"hidden_sizes": (8,), "epochs": 3, "random_state": 0}


def rows(n, seed=0):
    """Five columns of which two follow from the others, on scales of their own."""
    z = np.random.default_rng(seed).normal(size=(n, 3))
    x = np.column_stack([z, z[:, 0] + z[:, 1], z[:, 1] - z[:, 2]])
    return x * [1, 10, 0.1, 5, 100] + [0, 50, 0, -3, 1000]


@pytest.fixture(scope="module")
def fitted():
    return VAEDetector(learning_rate=5e-3, latent_dim=3, random_state=0).fit(rows(500))


@pytest.mark.exhaustive
def test_rows_that_break_a_dependence_are_found(fitted):
    usual, strange = rows(200, seed=1), rows(200, seed=2)
    # Each column by itself is as before.
    strange[:, 3] = np.random.default_rng(3).permutation(strange[:, 3])
    scores = fitted.decision_function(np.concatenate([usual, strange]))
    assert roc_auc_score([0] * 200 + [1] * 200, -scores) > 0.75


def test_its_attributes_are_those_of_both_libraries(fitted):
    x = rows(500)
    assert fitted.labels_.sum() == 50
    np.testing.assert_allclose(fitted.score_samples(x), -fitted.decision_scores_)
    np.testing.assert_allclose(
        fitted.decision_function(x), fitted.threshold_ - fitted.decision_scores_
    )
    np.testing.assert_array_equal(fitted.predict(x), 1 - 2 * fitted.labels_)
    assert fitted.offset_ == -fitted.threshold_
    np.testing.assert_allclose(fitted.mean_, x.mean(axis=0))


def test_values_far_out_grow_by_the_logarithm(steps_one_by_one):
    x = rows(60)
    squashed, plain = (VAEDetector(**QUICK, linear_within=within).fit(x) for within in (2.0, None))
    standardised = plain.standardised(x)
    np.testing.assert_allclose(standardised, (x - x.mean(axis=0)) / x.std(axis=0), rtol=1e-5)
    is_near = abs(standardised) <= 2
    assert not is_near.all()
    np.testing.assert_array_equal(squashed.standardised(x)[is_near], standardised[is_near])
    far = x.mean(axis=0) + x.std(axis=0) * np.array([[2.0, -2.0, 2 * np.e, -2 * np.e**3, 4.0]])
    np.testing.assert_allclose(
        squashed.standardised(far)[0], [2, -2, 4, -8, 2 * (1 + np.log(2))], rtol=1e-5
    )
    expected = -squashed.score_samples(x)
    found = scores.negative_elbo(
        squashed.model_, squashed.standardised(x), 8, squashed._seed, progress=False
    )
    np.testing.assert_array_equal(found, expected)


def test_a_seed_decides_all_and_nobody_elses_numbers_are_touched(steps_one_by_one):
    x = rows(60)
    keras.utils.set_random_seed(5)
    expected = random.random(), np.random.random()
    keras.utils.set_random_seed(5)
    first = VAEDetector(**QUICK).fit(x).decision_scores_
    assert (random.random(), np.random.random()) == expected
    second = VAEDetector(**QUICK).fit(x).decision_scores_
    np.testing.assert_array_equal(first, second)
    other = VAEDetector(**{**QUICK, "random_state": 1}).fit(x).decision_scores_
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "criterion", ["negative_elbo", "negative_log_likelihood", "reconstruction"]
)
def test_every_score_is_finite_however_far_out_a_row_is(criterion, steps_one_by_one):
    x = rows(60)
    x[:, 2] = 7.0  # A column of one value.
    detector = VAEDetector(**QUICK, criterion=criterion).fit(x)
    far = x[:4].copy()
    far[0, 2], far[1, 0], far[2, 4] = 8.0, 1e30, -1e300
    values = detector.score_samples(far)
    assert np.isfinite(values).all()
    assert values[1] < values[3] and values[2] < values[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"criterion": "elbo"}, "`criterion`. Expected one of"),
        ({"contamination": 0}, "`contamination`. Expected a number above 0 and up to 0.5"),
        ({"contamination": 0.6}, "`contamination`. Expected a number above 0 and up to 0.5"),
        ({"epochs": 0}, "`epochs`"),
        ({"batch_size": 1.5}, "`batch_size`"),
        ({"hidden_sizes": (0,)}, "`hidden_sizes`"),
        ({"latent_dim": 0}, "`latent_dim`"),
        ({"linear_within": 0.0}, "`linear_within`"),
        ({"linear_within": "2"}, "`linear_within`"),
    ],
)
def test_arguments_are_checked_by_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAEDetector(**{**QUICK, **arguments}).fit(rows(20))


def test_what_is_set_after_a_fit_is_for_the_next_one(steps_one_by_one):
    x = rows(40)
    detector = VAEDetector(**QUICK).fit(x)
    scores, labels = detector.score_samples(x), detector.predict(x)
    detector.set_params(criterion="reconstruction", linear_within=0.5)
    np.testing.assert_array_equal(detector.score_samples(x), scores)
    np.testing.assert_array_equal(detector.predict(x), labels)
    assert not np.allclose(detector.fit(x).score_samples(x), scores)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, np.nan], [1.0, 2.0]], "contains NaN"),
        ([[1.0, np.inf], [1.0, 2.0]], "contains infinity"),
        ([[1.0, 2.0]], "minimum of 2 is required"),
        ([1.0, 2.0], "Expected 2D array"),
        ([["a", "b"], ["c", "d"]], "could not convert string to float"),
    ],
)
def test_rows_are_checked_as_scikit_learn_does(x, message):
    with pytest.raises(ValueError, match=message):
        VAEDetector(**QUICK).fit(x)


@pytest.mark.exhaustive
def test_scikit_learns_own_checks(steps_one_by_one):
    rounded = "single precision rounds sums of a batch of another size otherwise"
    results = check_estimator(
        VAEDetector(hidden_sizes=(4,), epochs=1, random_state=0),
        on_fail=None,
        on_skip=None,
        expected_failed_checks={"check_methods_subset_invariance": rounded},
    )
    failed = [
        f"{row['check_name']}: {row['exception']}" for row in results if row["status"] == "failed"
    ]
    assert not failed, "\n".join(failed)
