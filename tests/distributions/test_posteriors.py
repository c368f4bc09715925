"""Tests of the posteriors: densities, Jacobians, samples, and what they ask of encoders."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae
from keras_vae import distributions

RANDOM = np.random.default_rng(0)
LOC = RANDOM.normal(size=(4, 3)).astype("float32")
SCALE = RANDOM.uniform(0.3, 1.5, size=(4, 3)).astype("float32")
BELOW = RANDOM.normal(size=(4, 3)).astype("float32")
NOISE = RANDOM.normal(size=(4, 3)).astype("float32")
PRIOR_OF = {
    **dict.fromkeys(distributions.POSTERIORS, "standard_normal"),
    "von_mises_fisher": "spherical_uniform",
}


def lower_triangles(relative=True):
    """L of every image, written out entry by entry."""
    lower = np.stack([np.diag(row) for row in np.float64(SCALE)])
    lower[:, 1, 0], lower[:, 2, 0], lower[:, 2, 1] = np.float64(BELOW).T
    if relative:
        lower[:, 1, 0] *= SCALE[:, 1]
        lower[:, 2, :2] *= SCALE[:, [2]]
    return lower


def full_covariance(relative=True):
    parameters = {"loc": LOC, "scale": SCALE, "off_diagonal": BELOW}
    return distributions.FullCovarianceNormal(relative).distribution(parameters)


# Full covariance ---------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [True, False])
def test_the_full_covariance_is_that_of_its_triangle(relative):
    posterior, lower = full_covariance(relative), lower_triangles(relative)
    assert (posterior.batch_shape, posterior.event_shape) == ((4,), (3,))
    covariance = lower @ lower.transpose(0, 2, 1)
    np.testing.assert_allclose(posterior.covariance(), covariance, rtol=1e-5, atol=1e-6)
    deviations = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(posterior.stddev(), deviations, rtol=1e-5)
    np.testing.assert_allclose(posterior.mean(), LOC)
    z = distributions.reparameterized_sample(posterior, NOISE)
    np.testing.assert_allclose(z, LOC + np.einsum("bij,bj->bi", lower, NOISE), rtol=1e-4)
    density = -0.5 * np.sum(NOISE**2 + np.log(2 * np.pi), axis=1) - np.log(SCALE).sum(axis=1)
    np.testing.assert_allclose(posterior.log_prob(z), density, rtol=1e-4)


def test_samples_of_the_full_covariance_have_it():
    noise = RANDOM.normal(size=(20_000, 4, 3)).astype("float32")
    z = distributions.reparameterized_sample(full_covariance(), noise).numpy()
    lower = lower_triangles()
    covariance = lower @ lower.transpose(0, 2, 1)
    # Var(z_i z_j) = C_ii C_jj + C_ij^2 for a Gaussian: five standard errors of 20,000 draws.
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    error = 5 * np.sqrt((variances[:, :, None] * variances[:, None] + covariance**2) / 20_000)
    for image in range(4):
        found = np.cov(z[:, image].T)
        assert np.all(np.abs(found - covariance[image]) < error[image])


def test_a_full_covariance_begins_as_the_factorised_gaussian(make_vae, images):
    keras.utils.set_random_seed(0)
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), 3, [5], full_covariance=True)
    posterior = distributions.FullCovarianceNormal().distribution(encoder(images))
    expected = distributions.DiagonalNormal().distribution(encoder(images))
    np.testing.assert_allclose(posterior.stddev(), expected.stddev(), rtol=1e-6)
    prior = distributions.get_prior("standard_normal").distribution(3)
    found, wanted = (distributions.kl_divergence(q, prior) for q in (posterior, expected))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_full_covariance_of_an_older_file_keeps_its_units():
    config = distributions.FullCovarianceNormal().get_config()
    assert distributions.FullCovarianceNormal.from_config(config).relative
    config.pop("relative")
    assert not distributions.FullCovarianceNormal.from_config(config).relative
    with pytest.raises(ValueError, match="relative='no'"):
        distributions.FullCovarianceNormal("no")


def test_a_full_covariance_needs_an_encoder_that_gives_one(make_vae):
    with pytest.raises(ValueError, match=r"full_covariance=True.*returns \['loc', 'scale'\]"):
        distributions.FullCovarianceNormal().distribution({"loc": LOC, "scale": SCALE})


@pytest.mark.parametrize("latents", [1, 2, 5])
def test_every_latent_size_has_its_triangle(latents):
    below = np.arange(1.0, 1 + latents * (latents - 1) // 2, dtype="float32")[None]
    ones = np.ones((1, latents), "float32")
    parameters = {"loc": 0 * ones, "scale": ones, "off_diagonal": below}
    posterior = distributions.FullCovarianceNormal().distribution(parameters)
    lower = np.eye(latents)
    lower[np.tril_indices(latents, -1)] = below[0]
    np.testing.assert_allclose(posterior.covariance()[0], lower @ lower.T, rtol=1e-6)


# All of them -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", distributions.POSTERIORS)
def test_a_vae_trains_with_it_and_is_saved(images, tmp_path, name):
    encoder = keras_vae.networks.mlp_encoder(
        (4, 4, 1), 3, [5], full_covariance=name == "full_covariance_normal"
    )
    decoder = keras_vae.networks.mlp_decoder((4, 4, 1), 3, [5])
    vae = keras_vae.VAE(encoder, decoder, prior=PRIOR_OF[name], posterior=name, seed=1)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    before = [weight.numpy() for weight in vae.trainable_weights]
    many = np.tile(images, (20, 1, 1, 1))
    first, second = vae.fit(many, batch_size=20, epochs=2, verbose=0).history["loss"]
    assert second < first - 0.05
    # Adam moves by its rate whatever has a gradient; hidden units that never fire have none.
    moved = [
        np.abs(weight - old).max() > 1e-3
        for weight, old in zip(vae.trainable_weights, before, strict=True)
    ]
    assert all(moved)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert type(again.posterior) is distributions.POSTERIORS[name]
    assert again.evaluate(images, verbose=0) == pytest.approx(vae.evaluate(images, verbose=0))


@pytest.mark.parametrize(
    "part",
    [
        distributions.DiagonalNormal(),
        distributions.FullCovarianceNormal(),
        distributions.CouplingFlow(3, (8, 9)),
        distributions.InverseAutoregressiveFlow(3, (8, 9)),
        distributions.HouseholderFlow(3),
        distributions.VonMisesFisher(),
    ],
    ids=lambda part: type(part).__name__,
)
def test_posteriors_survive_serialisation(part):
    config = keras.saving.serialize_keras_object(part)
    assert config["registered_name"] == f"keras_vae>{type(part).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(part)
    assert again.get_config() == part.get_config()


def test_half_precision_parameters_give_float32_densities():
    parameters = {"loc": LOC, "scale": SCALE, "off_diagonal": BELOW}
    half = {name: np.float16(value) for name, value in parameters.items()}
    wide = {name: np.float32(value) for name, value in half.items()}
    for posterior in (distributions.DiagonalNormal(), distributions.FullCovarianceNormal()):
        found = posterior.distribution(half).log_prob(NOISE)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, posterior.distribution(wide).log_prob(NOISE), rtol=1e-6)
    flow = distributions.CouplingFlow()
    flow.build((None, 3))
    assert flow.distribution(half).log_prob(NOISE).dtype == tf.float32


def test_posteriors_are_found_by_name_and_others_refused():
    for name, cls in distributions.POSTERIORS.items():
        assert type(distributions.get_posterior(name)) is cls
    own = distributions.CouplingFlow(2)
    assert distributions.get_posterior(own) is own
    for identifier in ("normal", None, distributions.Bernoulli()):
        with pytest.raises(ValueError) as raised:
            distributions.get_posterior(identifier)
        assert all(repr(name) in str(raised.value) for name in distributions.POSTERIORS)


# On the sphere -----------------------------------------------------------------------------


def test_the_spread_on_the_sphere_is_the_encoders_scale():
    scale = np.full((2, 10), 0.02, "float32")
    loc = RANDOM.normal(size=(2, 10)).astype("float32")
    posterior = distributions.VonMisesFisher().distribution({"loc": loc, "scale": scale})
    direction = np.float64(loc) / np.linalg.norm(loc, axis=1, keepdims=True)
    np.testing.assert_allclose(posterior.mean(), direction, atol=1e-6)
    # Of ten axes all but the direction's are free.
    squares = np.sum(np.float64(posterior.stddev()) ** 2, axis=1)
    np.testing.assert_allclose(squares, 9 * 0.02**2, rtol=0.01)


@pytest.mark.slow
def test_a_vae_on_the_sphere_is_asked_for_all_that_others_are(make_vae, images):
    arguments = {"posterior": "von_mises_fisher", "prior": "spherical_uniform", "latent_dim": 3}
    vae = make_vae(**arguments)
    logs = vae.evaluate(images, verbose=0, return_dict=True)
    kl = distributions.kl_divergence(vae.encode(images), vae.prior_distribution())
    assert logs["kl_loss"] == pytest.approx(float(np.mean(kl)), rel=1e-5)
    assert logs["elbo"] == pytest.approx(-logs["reconstruction_loss"] - logs["kl_loss"], rel=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vae.embed(images), axis=1), 1, rtol=1e-5)
    assert vae.sample(4, seed=0).shape == (4, 4, 4, 1)
    bound = keras_vae.evaluation.evaluate_elbo(vae, images, progress=False)["elbo"]
    found = keras_vae.evaluation.log_likelihood(vae, images, 200, progress=False)
    assert bound - 0.1 < found["log_likelihood"] < bound + 2
    for member in (keras_vae.objectives.IWAE, keras_vae.objectives.WAE):
        other = make_vae(member, **arguments)
        assert np.all(np.isfinite(other.evaluate(images, verbose=0)))


def test_the_sphere_needs_three_latents_and_its_own_prior(make_vae):
    sphere = {"posterior": "von_mises_fisher", "prior": "spherical_uniform"}
    with pytest.raises(ValueError, match="three latents or more"):
        make_vae(**sphere)
    for name, value in sphere.items():
        with pytest.raises(ValueError, match="go with each other"):
            make_vae(latent_dim=3, **{name: value})


def test_the_diagonal_normal_is_the_encoders():
    found = distributions.DiagonalNormal().distribution({"loc": LOC, "scale": SCALE})
    expected = tfd.MultivariateNormalDiag(LOC, SCALE).log_prob(NOISE)
    np.testing.assert_allclose(found.log_prob(NOISE), expected, rtol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("posterior", [*distributions.POSTERIORS][1:])
def test_it_trains_in_a_compiled_loop(posterior):
    images = np.random.default_rng(0).random((20, 4, 4, 1), dtype=np.float32)
    encoder = keras_vae.networks.mlp_encoder(
        (4, 4, 1), 3, [5], full_covariance=posterior == "full_covariance_normal"
    )
    decoder = keras_vae.networks.mlp_decoder((4, 4, 1), 3, [5])
    vae = keras_vae.VAE(encoder, decoder, prior=PRIOR_OF[posterior], posterior=posterior, seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), steps_per_execution=4)
    batches = keras_vae.datasets.from_arrays(images, batch_size=8)
    losses = vae.fit(batches, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
