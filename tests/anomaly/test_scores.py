"""Scores of a model whose likelihood and posterior are known in closed form."""

import numpy as np
import pytest
from linear_gaussian import LATENTS, NOISE, PIXELS, LinearGaussian

import keras_vae
from keras_vae import anomaly, evaluation


@pytest.fixture(scope="module")
def exact():
    return LinearGaussian()


@pytest.fixture(scope="module")
def x(exact):
    return exact.draw(200)


@pytest.mark.slow
def test_values_by_example_are_those_whose_mean_is_reported(exact, x):
    for function, names in (
        (evaluation.evaluate_elbo, ("elbo", "distortion", "rate")),
        (evaluation.log_likelihood, ("log_likelihood",)),
        (evaluation.reconstruction_error, ("mean_squared_error",)),
    ):
        few = {"num_samples": 10} if function is evaluation.log_likelihood else {}
        means = function(exact.vae, x, progress=False, **few)
        values = function(exact.vae, x, progress=False, by_example=True, **few)
        assert set(values) == set(names)
        for name in names:
            assert values[name].shape == (200,)
            assert values[name].mean() == pytest.approx(means[name], rel=1e-6)


def test_the_negative_elbo_is_the_closed_form(exact, x):
    # E_q log p(x|z) of Gaussians, and the KL of q to the standard normal.
    posterior = exact.vae.encode(x)
    mean, scale = posterior.mean().numpy(), posterior.stddev().numpy()
    centre = mean @ exact.weights + exact.bias
    spread = (scale**2) @ (exact.weights**2)
    distortion = 0.5 * (((x - centre) ** 2 + spread) / NOISE**2).sum(1)
    distortion += PIXELS * np.log(NOISE * np.sqrt(2 * np.pi))
    rate = (0.5 * (mean**2 + scale**2 - 1) - np.log(scale)).sum(1)

    found = anomaly.negative_elbo(exact.vae, x, num_samples=4000, progress=False)
    # Their noise is shared, and with it the error: four thousand samples leave some hundredths.
    np.testing.assert_allclose(found, distortion + rate, atol=0.25)


def test_the_log_likelihood_of_each_example_is_the_exact_one(exact, x):
    found = anomaly.negative_log_likelihood(exact.vae, x, num_samples=2000, progress=False)
    np.testing.assert_allclose(found, -exact.log_likelihood(x), atol=0.25)


def test_the_reconstruction_term_is_the_gaussians(exact, x):
    centre = exact.vae.encode(x).mean().numpy() @ exact.weights + exact.bias
    expected = 0.5 * ((x - centre) ** 2).sum(1) / NOISE**2
    expected += PIXELS * np.log(NOISE * np.sqrt(2 * np.pi))
    found = anomaly.reconstruction_term(exact.vae, x, progress=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(found, anomaly.reconstruction_term(exact.vae, x, progress=False))


def test_the_latent_distance_is_mahalanobis(exact, x):
    reference, codes = x[:150], exact.vae.embed(x).numpy().astype(np.float64)
    covariance = np.cov(codes[:150], rowvar=False)
    centred = codes - codes[:150].mean(axis=0)
    expected = [row @ np.linalg.inv(covariance) @ row for row in centred]
    found = anomaly.latent_distance(exact.vae, x, reference, progress=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found[:150].mean() == pytest.approx(LATENTS * 149 / 150, rel=1e-4)


def test_the_distance_needs_more_examples_than_latents(exact, x):
    with pytest.raises(ValueError, match=r"more examples than the model has latents. Received: 2 "):
        anomaly.latent_distance(exact.vae, x, x[:2], progress=False)


@pytest.mark.exhaustive
def test_regret_is_what_a_wrong_encoder_loses():
    # The best q has the true mean; among factorised ones it has 1 / precision as its variance. The
    # loss of another mean m is the quadratic form of the precision, and of another scale s, each,
    # (s^2 / v - 1 - log(s^2 / v)) / 2: differences of two KL between Gaussians.
    shift = np.array([0.3, -0.2])
    wrong = LinearGaussian(posterior_scale=1.5, posterior_shift=shift)
    x = wrong.draw(100)
    precision = np.linalg.inv(wrong.posterior_covariance)
    ratio = np.diag(precision) * (1.5**2 * np.diag(wrong.posterior_covariance))
    expected = 0.5 * shift @ precision @ shift + 0.5 * (ratio - 1 - np.log(ratio)).sum()

    found = anomaly.likelihood_regret(wrong.vae, x, num_samples=256, progress=False)
    # Whatever the example: the model is linear. The noise of 256 samples is a tenth of it each.
    np.testing.assert_allclose(found, expected, rtol=0.45)
    assert found.mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.exhaustive
def test_a_perfect_encoder_leaves_next_to_nothing_to_regret(exact, x):
    # Where latents depend on each other the marginal scale is not the best factorised one.
    precision = np.linalg.inv(exact.posterior_covariance)
    ratio = np.diag(precision) * np.diag(exact.posterior_covariance)
    expected = 0.5 * (ratio - 1 - np.log(ratio)).sum()
    found = anomaly.likelihood_regret(exact.vae, x[:50], num_samples=256, progress=False)
    assert found.mean() == pytest.approx(expected, abs=0.02)
    assert (found >= 0).all()


def test_regret_refuses_another_posterior(make_vae, images):
    vae = make_vae(posterior="coupling_flow")
    vae.build(images.shape)
    with pytest.raises(ValueError, match=r"must be one. Received: a model with q"):
        anomaly.likelihood_regret(vae, images, progress=False)


@pytest.mark.parametrize("prior", ["standard_normal", "gaussian_mixture"])
@pytest.mark.parametrize(
    "score",
    [
        anomaly.negative_elbo,
        anomaly.negative_log_likelihood,
        anomaly.reconstruction_term,
        anomaly.attribution,
        pytest.param(anomaly.likelihood_regret, marks=pytest.mark.exhaustive),
    ],
)
def test_every_score_takes_images_of_any_prior_and_is_deterministic(make_vae, images, score, prior):
    vae = make_vae(prior=prior)
    vae.build(images.shape)
    values = score(vae, images, progress=False)
    assert len(values) == 20
    np.testing.assert_array_equal(values, score(vae, images, progress=False))
    # Another cut into batches draws other noise; what draws none is the same.
    if score in (anomaly.reconstruction_term, anomaly.attribution):
        batches = keras_vae.datasets.from_arrays(images, batch_size=8, shuffle=False)
        np.testing.assert_allclose(values, score(vae, batches, progress=False), rtol=1e-5)


@pytest.mark.parametrize(
    "score",
    [
        anomaly.negative_elbo,
        anomaly.negative_log_likelihood,
        anomaly.reconstruction_term,
        anomaly.likelihood_regret,
        anomaly.attribution,
    ],
)
def test_a_scale_that_is_fitted_to_the_batch_is_refused(make_vae, images, score):
    vae = make_vae(likelihood=keras_vae.distributions.Gaussian("optimal"))
    vae.build(images.shape)
    with pytest.raises(ValueError, match="depends on those beside it"):
        score(vae, images, progress=False)
    with pytest.raises(ValueError, match=r"needs a built `keras_vae.VAE`"):
        score("a model", images, progress=False)


def test_attribution_takes_what_has_holes_which_add_nothing():
    series = np.random.default_rng(0).normal(size=(9, 6, 2)).astype(np.float32)
    series[3:, 4:] = np.nan
    networks = keras_vae.networks
    vae = keras_vae.VAE(
        networks.mlp_encoder((6, 2), 2, [4], missing=True),
        networks.mlp_decoder((6, 2), 2, [4]),
        likelihood="gaussian",
        missing=True,
    )
    is_there = ~np.isnan(series)
    by_value = anomaly.attribution(vae, series, progress=False)
    term = anomaly.reconstruction_term(vae, series, progress=False)
    np.testing.assert_allclose(by_value.sum(axis=(1, 2)), term, rtol=1e-4)
    assert (by_value[~is_there] == 0).all() and (by_value[is_there] != 0).all()
    relative = anomaly.attribution(vae, series, reference=series, progress=False)
    usual = by_value.mean(axis=0, where=is_there)
    np.testing.assert_allclose(relative, (by_value - usual) * is_there, atol=1e-6)
    # Of a step that no reference has, nothing is known to be usual.
    alone = anomaly.attribution(vae, series, reference=series[3:], progress=False)
    np.testing.assert_array_equal(alone[:, 4:], by_value[:, 4:])


def test_attribution_adds_up_and_names_the_pixel(exact, x):
    strange = x.copy()
    strange[:, 3] += 10.0
    by_pixel = anomaly.attribution(exact.vae, x, progress=False)
    assert by_pixel.shape == x.shape
    term = anomaly.reconstruction_term(exact.vae, x, progress=False)
    np.testing.assert_allclose(by_pixel.sum(axis=1), term, rtol=1e-4)
    relative = anomaly.attribution(exact.vae, strange, reference=x, progress=False)
    found = anomaly.attribution(exact.vae, strange, progress=False)
    np.testing.assert_allclose(relative, found - by_pixel.mean(axis=0), atol=1e-3)
    assert (relative.argmax(axis=1) == 3).mean() > 0.9
