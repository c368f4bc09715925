"""Tests of the loss with a maximum mean discrepancy: its parts and its draws of the prior."""

import numpy as np
import pytest

from keras_vae.distributions import KERNELS, GaussianMixture, maximum_mean_discrepancy
from keras_vae.objectives import InfoVAE


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_loss_is_the_sum_of_its_parts(make_vae, images, kernel):
    vae = make_vae(InfoVAE, beta=0.25, mmd_weight=40.0, kernel=kernel, eager=True)
    noise, prior = (
        vae.noise(20, (vae.latent_dim,), training=True),
        vae.noise(20, (vae.latent_dim,), training=True, stream=1),
    )
    posterior = vae.encode(images)
    expected = float(
        maximum_mean_discrepancy(posterior.mean() + posterior.stddev() * noise, prior, kernel)
    )
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["mmd_loss"] == pytest.approx(expected, abs=1e-6)
    parts = logs["reconstruction_loss"] + 0.25 * logs["kl_loss"] + 40 * logs["mmd_loss"]
    assert logs["loss"] == pytest.approx(parts, rel=1e-5)


def test_draws_of_the_prior_are_not_the_noise_of_the_codes(make_vae):
    vae = make_vae(InfoVAE, eager=True)
    noise, prior = (
        vae.noise(2000, (vae.latent_dim,), training=True),
        vae.prior_sample(2000, training=True),
    )
    # Correlations of 2000 independent pairs: five standard errors.
    cross = np.corrcoef(np.concatenate([noise, prior], axis=1).T)[:2, 2:]
    assert np.abs(cross).max() < 5 / np.sqrt(2000)


@pytest.mark.exhaustive
def test_training_brings_the_codes_to_the_prior(make_vae, images):
    vae = make_vae(InfoVAE, mmd_weight=500.0)
    far = make_vae(InfoVAE, mmd_weight=0.0)
    for model in (vae, far):
        model.fit(np.tile(images, (150, 1, 1, 1)), batch_size=20, shuffle=False, verbose=0)
    prior = vae.noise(2000, (vae.latent_dim,), training=False)

    def discrepancy(model):
        posterior = model.encode(np.repeat(images, 20, axis=0))
        z = model.reparameterize(
            posterior, model.noise(400, (model.latent_dim,), training=False, stream=5)
        )
        return float(maximum_mean_discrepancy(z, prior))

    assert discrepancy(vae) < 0.03 < discrepancy(far)


def test_a_learned_prior_is_drawn_from_too(make_vae, images):
    vae = make_vae(InfoVAE, prior=GaussianMixture(3), eager=True)
    assert vae.prior_sample(6, training=True).shape == (6, 2)
    assert np.isfinite(vae.train_on_batch(images, return_dict=True)["mmd_loss"])


def test_an_unknown_kernel_is_refused(make_vae):
    with pytest.raises(ValueError, match=r"`kernel`. Expected one of \['rbf', 'imq'\]. Received"):
        make_vae(InfoVAE, kernel="linear")
