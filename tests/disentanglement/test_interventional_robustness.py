import numpy as np
import pytest

from keras_vae.disentanglement import interventional_robustness


def test_the_factors_themselves_have_1_and_so_have_copies(codes, factors):
    for z in (codes, np.concatenate([codes, -2 * codes], axis=1), codes**2):
        assert interventional_robustness(z, factors)["score"] == pytest.approx(1, abs=1e-9)
    assert list(interventional_robustness(codes, factors)["best_factors"]) == [0, 1, 2]


def test_constants_have_0_and_no_weight(codes, factors):
    found = interventional_robustness(np.ones((len(factors), 2)), factors)
    assert found["score"] == 0 and found["num_active"] == 0
    with_constant = np.concatenate([codes, np.full((len(codes), 1), 0.1)], axis=1)
    found = interventional_robustness(with_constant, factors)
    assert found["score"] == pytest.approx(1) and found["num_active"] == 3


@pytest.mark.parametrize("degrees", [0.0, 10.0, 30.0, 45.0])
def test_a_rotation_of_two_signs_has_its_closed_form(degrees):
    factors = np.stack(np.divmod(np.arange(40) % 4, 2), axis=1)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    codes = (2 * factors - 1) @ np.array([[cosine, -sine], [sine, cosine]])
    found = interventional_robustness(codes, factors, quantile=1.0)
    expected = [[cosine, sine], [sine, cosine]] / (cosine + sine)
    np.testing.assert_allclose(found["robustness"], expected, atol=1e-9)
    assert found["score"] == pytest.approx(cosine / (cosine + sine))


def test_noise_has_what_its_tail_gives_or_0(noise, factors):
    found = interventional_robustness(noise, factors)["score"]
    farthest = np.abs(noise - noise.mean(axis=0)).max(axis=0)
    # The quantile 0.99 of a Gaussian's magnitude.
    assert found == pytest.approx(np.mean(1 - 2.576 / farthest), abs=0.06)
    found = interventional_robustness(noise, factors, normalizer_quantile=0.99)
    assert found["robustness"].mean() == pytest.approx(0, abs=0.04)
    # The best of three factors, by chance.
    assert found["score"] < 0.06


def test_forty_values_are_not_put_into_bins():
    factors = np.stack(np.divmod(np.arange(1600), 40), axis=1)
    assert interventional_robustness(factors, factors)["score"] == pytest.approx(1)
    as_measured = interventional_robustness(factors, factors * 1.0)["score"]
    assert as_measured < 0.98
