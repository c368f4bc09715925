"""Tests of both covariance penalties against NumPy."""

import numpy as np
import pytest

from keras_vae.objectives import DIPVAE


def covariance_of_codes(parameters, kind):
    """Kumar et al. (2018): Cov[mu], plus E[Sigma] for DIP-VAE-II; float64."""
    loc, scale = np.float64(parameters["loc"]), np.float64(parameters["scale"])
    covariance = np.cov(loc.T, bias=True)
    return covariance + (np.diag(np.mean(scale**2, axis=0)) if kind == "ii" else 0)


@pytest.mark.parametrize("kind", ["i", "ii"])
def test_the_penalties_are_the_papers(make_vae, images, kind):
    vae = make_vae(
        DIPVAE,
        kind=kind,
        lambda_off_diagonal=3.0,
        lambda_diagonal=7.0,
        beta=0.5,
        latent_dim=3,
        eager=True,
    )
    logs = vae.evaluate(images, batch_size=20, verbose=0, return_dict=True)
    covariance = covariance_of_codes(vae.encoder(images), kind)
    diagonal = np.diag(covariance)
    off_diagonal = np.sum((covariance - np.diag(diagonal)) ** 2)
    assert off_diagonal > 1e-6
    assert logs["off_diagonal_loss"] == pytest.approx(off_diagonal, rel=1e-3)
    assert logs["diagonal_loss"] == pytest.approx(np.sum((diagonal - 1) ** 2), rel=1e-4)
    expected = logs["reconstruction_loss"] + 0.5 * logs["kl_loss"]
    expected += 3 * logs["off_diagonal_loss"] + 7 * logs["diagonal_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_second_weight_follows_the_first_as_in_the_paper(make_vae):
    first, second = (make_vae(DIPVAE, kind=kind, lambda_off_diagonal=2.0) for kind in ("i", "ii"))
    assert float(first.lambda_diagonal) == 20.0
    assert float(second.lambda_diagonal) == 2.0
    assert float(make_vae(DIPVAE, lambda_diagonal=0.0).lambda_diagonal) == 0.0


@pytest.mark.parametrize("kind", ["i", "ii"])
def test_training_brings_the_covariance_to_the_identity(make_vae, images, kind):
    vae = make_vae(DIPVAE, kind=kind, lambda_off_diagonal=100.0, lambda_diagonal=100.0)
    before = covariance_of_codes(vae.encoder(images), kind)
    vae.fit(np.tile(images, (200, 1, 1, 1)), batch_size=20, shuffle=False, verbose=0)
    after = covariance_of_codes(vae.encoder(images), kind)
    assert np.abs(before - np.eye(2)).max() > 0.3
    assert np.abs(after - np.eye(2)).max() < 0.1


def test_an_unknown_kind_is_refused(make_vae):
    with pytest.raises(
        ValueError, match=r"`kind`. Expected one of \['i', 'ii'\]. Received: kind='3'"
    ):
        make_vae(DIPVAE, kind="3")
