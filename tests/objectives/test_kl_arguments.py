"""Tests of the arguments that every member has: `free_bits`, `kl_balance`, `coefficients`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.distributions import GaussianMixture

# Free bits ---------------------------------------------------------------------------------


def kl_of_latents(vae, images):
    """The mean over the images of the KL of each latent, float64."""
    loc, scale = (np.float64(vae.encoder(images)[name]) for name in ("loc", "scale"))
    return np.mean(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=0)


def test_a_latent_enters_with_at_least_its_free_bits(make_vae, images):
    # Between the two latents' own KL, so that one of them is raised.
    kl = kl_of_latents(make_vae(), images)
    free_bits = float(kl.mean())
    vae = make_vae(free_bits=free_bits, beta=2.0, eager=True)
    logs = vae.train_on_batch(images, return_dict=True)
    raised = np.maximum(kl, free_bits).sum()
    assert raised > kl.sum() + 1e-3
    assert logs["kl_loss"] == pytest.approx(raised, rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + 2 * raised, rel=1e-5)
    assert logs["elbo"] == pytest.approx(-logs["reconstruction_loss"] - kl.sum(), rel=1e-5)


def test_below_the_free_bits_the_kl_has_no_gradient(make_vae, images):
    def trained(**arguments):
        vae = make_vae(optimizer=keras.optimizers.SGD(0.1), eager=True, **arguments)
        vae.train_on_batch(images)
        return np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])

    free, without, plain = trained(free_bits=50.0), trained(beta=0.0), trained()
    np.testing.assert_allclose(free, without, atol=1e-6)
    assert np.abs(plain - without).max() > 1e-3


@pytest.mark.parametrize(
    "arguments", [{"posterior": "coupling_flow"}, {"prior": "gaussian_mixture"}]
)
def test_free_bits_need_a_kl_of_every_latent(make_vae, images, arguments):
    vae = make_vae(free_bits=0.5, eager=True, **arguments)
    with pytest.raises(ValueError, match=r"factorise over the latents. Received: posterior"):
        vae.train_on_batch(images)


# KL balance --------------------------------------------------------------------------------


def gradients_of_kl(make_vae, images, **arguments):
    """The KL at fixed noise, and its gradient to encoder and prior."""
    vae = make_vae(prior=GaussianMixture(3), **arguments)
    with tf.GradientTape() as tape:
        posterior = vae.encode(images)
        z = vae.reparameterize(posterior, vae.noise(20, (vae.latent_dim,), training=True))
        kl = tf.reduce_mean(vae.kl_divergence(posterior, z))
    gradients = tape.gradient(kl, [vae.encoder.trainable_weights, vae.prior.trainable_weights])
    return float(kl), [np.concatenate([np.ravel(g) for g in part]) for part in gradients]


@pytest.mark.parametrize("balance", [0.5, 0.8])
def test_the_balance_shares_the_gradient_between_prior_and_posterior(make_vae, images, balance):
    plain, (encoder, prior) = gradients_of_kl(make_vae, images)
    balanced, (slower, faster) = gradients_of_kl(make_vae, images, kl_balance=balance)
    assert balanced == pytest.approx(plain, rel=1e-5)
    np.testing.assert_allclose(slower, (1 - balance) * encoder, atol=1e-5)
    np.testing.assert_allclose(faster, balance * prior, atol=1e-5)
    assert min(np.abs(encoder).max(), np.abs(prior).max()) > 0.05


@pytest.mark.parametrize("balance", [0, 1, -0.5])
def test_the_balance_is_a_share(make_vae, balance):
    with pytest.raises(ValueError, match=rf"`kl_balance`.*between 0 and 1.*kl_balance={balance}"):
        make_vae(kl_balance=balance)


def test_a_prior_that_is_not_learned_cannot_be_balanced(make_vae, images):
    with pytest.raises(ValueError, match=r"prior that is learned.*kl_balance=0.8"):
        make_vae(kl_balance=0.8, eager=True).train_on_batch(images)


UNUSED = {
    "AnnealedVAE": {"free_bits": 0.1},
    "BetaTCVAE": {"free_bits": 0.1, "kl_balance": 0.8},
    "IWAE": {"free_bits": 0.1, "kl_balance": 0.8},
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_would_do_nothing_is_refused(make_vae, name):
    for argument, value in UNUSED[name].items():
        with pytest.raises(ValueError, match=rf"`{argument}` has no effect on the loss of {name}"):
            make_vae(getattr(keras_vae.objectives, name), **{argument: value})


def test_the_mean_form_asks_for_beta(make_vae):
    with pytest.raises(ValueError, match=r"needs an explicit `beta`.*beta \* N / M.*`beta=0.01`"):
        make_vae(reduction="mean")
    assert float(make_vae(reduction="mean", beta=0.01).beta) == pytest.approx(0.01)


# Coefficients ------------------------------------------------------------------------------


def test_coefficients_are_variables_of_the_loss_that_are_saved(make_vae, images, tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Weighted(keras_vae.VAE):
        def __init__(self, encoder, decoder, weight=3.0, **kwargs):
            super().__init__(encoder, decoder, coefficients={"weight": weight}, **kwargs)

        def regularizers(self, posterior, z, kl, training):
            return {"kl_loss": (self.weight, kl)}

    vae = make_vae(Weighted)
    logs = vae.fit(images, batch_size=20, verbose=0).history
    # A plain number reaches the variable that is compiled into the step.
    vae.weight = 5
    again = vae.fit(images, batch_size=20, verbose=0).history
    for values, weight in ((logs, 3.0), (again, 5.0)):
        expected = values["reconstruction_loss"][0] + weight * values["kl_loss"][0]
        assert values["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert vae.get_config()["weight"] == 3.0 and not vae.weight.trainable
    vae.save(tmp_path / "vae.keras")
    assert float(keras.saving.load_model(tmp_path / "vae.keras").weight) == 5.0
    with pytest.raises(ValueError, match=r"`weight`. Expected a finite number of at least 0"):
        make_vae(Weighted, weight=-1)
