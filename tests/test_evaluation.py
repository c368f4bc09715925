"""The estimators against a model whose likelihood is known in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_gaussian import LATENTS, LinearGaussian

import keras_vae
from keras_vae import distributions, evaluation, networks


def test_the_log_likelihood_is_the_exact_one_within_a_twentieth_of_a_nat():
    exact = LinearGaussian()
    x = exact.draw(300)

    found = evaluation.log_likelihood(exact.vae, x, num_samples=2000, progress=False)

    assert found["log_likelihood"] == pytest.approx(exact.log_likelihood(x).mean(), abs=0.05)
    assert found["nll"] == -found["log_likelihood"]
    assert found["num_samples"] == 2000 and found["num_images"] == 300
    spread = exact.log_likelihood(x).std() / np.sqrt(300)
    assert found["log_likelihood_standard_error"] == pytest.approx(spread, rel=0.05)


def test_the_bound_tightens_with_the_samples_and_stays_below_the_likelihood():
    loose = LinearGaussian(posterior_scale=2.0, posterior_shift=0.2)
    x = loose.draw(500)

    bounds = [
        evaluation.log_likelihood(loose.vae, x, num_samples, progress=False)["log_likelihood"]
        for num_samples in (1, 4, 16, 64, 1024)
    ]

    exact = loose.log_likelihood(x).mean()
    assert np.all(np.diff(bounds) > 0)
    assert bounds[0] < exact - 0.5
    assert bounds[-1] == pytest.approx(exact, abs=0.05)


def test_one_sample_gives_the_elbo():
    loose = LinearGaussian(posterior_scale=1.5)
    x = loose.draw(4000)

    one = evaluation.log_likelihood(loose.vae, x, 1, progress=False)
    elbo = evaluation.evaluate_elbo(loose.vae, x, progress=False)

    # Two estimates of one number from different samples, each with its own standard error.
    tolerance = 4 * (one["log_likelihood_standard_error"] + elbo["elbo_standard_error"])
    assert one["log_likelihood"] == pytest.approx(elbo["elbo"], abs=tolerance)


@pytest.mark.parametrize("num_samples", [1, 7, 300])
def test_exactly_the_samples_asked_for_are_drawn(monkeypatch, num_samples):
    # So few rows at once that the samples come in several chunks, the last one smaller.
    monkeypatch.setattr(evaluation, "_ROWS", 1000)
    exact = LinearGaussian(posterior_scale=1.3)
    x = exact.draw(9)
    drawn = []
    decode = exact.vae.decode
    monkeypatch.setattr(exact.vae, "decode", lambda z: drawn.append(z.shape[0]) or decode(z))

    tf.config.run_functions_eagerly(True)
    try:
        evaluation.log_likelihood(exact.vae, x, num_samples, progress=False)
    finally:
        tf.config.run_functions_eagerly(False)

    assert sum(drawn) == 9 * num_samples
    assert max(drawn) <= 1000


def test_chunks_do_not_change_the_estimate(monkeypatch):
    loose = LinearGaussian(posterior_scale=1.3)
    x = loose.draw(50)
    whole = evaluation.log_likelihood(loose.vae, x, 2000, progress=False)
    monkeypatch.setattr(evaluation, "_ROWS", 500)
    chunked = evaluation.log_likelihood(loose.vae, x, 2000, progress=False)
    # Other samples of the same estimator: its own noise at 2,000 samples is below 0.01 nats.
    assert chunked["log_likelihood"] == pytest.approx(whole["log_likelihood"], abs=0.02)
    assert chunked["log_likelihood"] != whole["log_likelihood"]


def test_results_repeat_with_the_seed():
    loose = LinearGaussian(posterior_scale=1.3)
    x = loose.draw(50)
    first, again, other = (
        evaluation.log_likelihood(loose.vae, x, 10, seed=seed, progress=False)["log_likelihood"]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_the_elbo_and_its_parts_are_those_of_the_closed_form():
    exact = LinearGaussian()
    x = exact.draw(20_000)

    found = evaluation.evaluate_elbo(exact.vae, x, progress=False)

    assert found["elbo"] == pytest.approx(-found["distortion"] - found["rate"])
    # The factorised posterior has the exact means but only the diagonal of the covariance: the gap
    # to the likelihood is KL(q || p(z|x)), the same for every x.
    covariance = exact.posterior_covariance
    diagonal = np.diag(np.diag(covariance))
    inverse = np.linalg.inv(covariance)
    gap = 0.5 * (
        np.trace(inverse @ diagonal)
        - LATENTS
        + np.linalg.slogdet(covariance)[1]
        - np.linalg.slogdet(diagonal)[1]
    )
    expected = exact.log_likelihood(x).mean() - gap
    # One sample an image: the sampling noise of the mean is about 0.02 nats here.
    assert found["elbo"] == pytest.approx(expected, abs=0.1)


def test_evaluation_agrees_with_evaluate():
    shape = (4, 4, 1)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(shape, 2, [8]),
        keras_vae.networks.mlp_decoder(shape, 2, [8]),
        seed=0,
    )
    vae.compile("adam")
    x = np.random.default_rng(0).random((2000, *shape), dtype=np.float32)
    logs = vae.evaluate(x, return_dict=True, verbose=0)
    found = evaluation.evaluate_elbo(vae, x, progress=False)
    assert found["rate"] == pytest.approx(logs["kl_loss"], rel=1e-5)
    assert found["distortion"] == pytest.approx(logs["reconstruction_loss"], rel=1e-2)


def test_active_units_are_those_whose_means_vary():
    codes = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    inputs = keras.Input((4,))
    identity = keras.layers.Dense(4, use_bias=False)
    ones = keras.layers.Dense(4, kernel_initializer="zeros", bias_initializer="ones")
    encoder = keras.Model(inputs, {"loc": identity(inputs), "scale": ones(inputs)})
    identity.set_weights([np.diag([1.0, 0.5, 0.05, 0.0])])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    vae = keras_vae.VAE(encoder, decoder, likelihood="gaussian", seed=0)

    found = evaluation.latent_statistics(vae, codes, progress=False)

    assert found["active_units"] == 2
    assert found["num_images"] == 1000
    np.testing.assert_allclose(
        found["variance_of_means"], codes.var(axis=0) * [1, 0.25, 0.0025, 0], rtol=1e-4
    )
    # KL(N(m, 1) || N(0, 1)) = m^2 / 2
    np.testing.assert_allclose(
        found["kl_per_dimension"],
        (codes**2).mean(axis=0) / 2 * [1, 0.25, 0.0025, 0],
        rtol=1e-4,
        atol=1e-7,
    )


@pytest.mark.parametrize(
    "arguments", [{"prior": "gaussian_mixture"}, {"posterior": "coupling_flow"}]
)
def test_latents_have_no_kl_of_their_own_unless_posterior_and_prior_factorise(
    make_vae, images, arguments
):
    vae = make_vae(**arguments)

    found = evaluation.latent_statistics(vae, images, progress=False)

    assert found["kl_per_dimension"] is None
    means = vae.embed(images).numpy()
    np.testing.assert_allclose(found["variance_of_means"], means.var(axis=0), rtol=1e-4)
    assert found["num_images"] == 20


def test_the_reconstruction_error_is_the_mean_squared_error():
    exact = LinearGaussian()
    x = exact.draw(100)
    found = evaluation.reconstruction_error(exact.vae, x, progress=False)
    expected = np.mean((x - exact.vae.reconstruct(x).numpy()) ** 2)
    assert found["mean_squared_error"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_linear_probe_reads_what_the_codes_hold():
    exact = LinearGaussian()
    x = exact.draw(3000)
    readable = (exact.vae.embed(x).numpy()[:, 0] > 0).astype(np.int64)
    noise = np.random.default_rng(0).integers(0, 2, 3000)

    def accuracy(labels):
        batches = tf.data.Dataset.from_tensor_slices((x, labels)).batch(500)
        return evaluation.linear_probe(exact.vae, batches.take(4), batches.skip(4))

    assert accuracy(readable)["probe_accuracy"] > 0.97
    assert accuracy(noise)["probe_accuracy"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("num_samples", [0, -1, 2.5, True])
def test_impossible_numbers_of_samples_are_refused(num_samples):
    exact = LinearGaussian()
    with pytest.raises(ValueError, match=r"`num_samples`.*positive integer.*Received"):
        evaluation.log_likelihood(exact.vae, exact.draw(3), num_samples, progress=False)


def test_no_images_are_refused():
    exact = LinearGaussian()
    with pytest.raises(ValueError, match="no images"):
        evaluation.evaluate_elbo(exact.vae, exact.draw(0), progress=False)


def test_images_that_are_not_finite_are_refused():
    exact = LinearGaussian()
    x = exact.draw(10)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        evaluation.evaluate_elbo(exact.vae, x, progress=False)
    batches = tf.data.Dataset.from_tensor_slices(x).batch(5)
    with pytest.raises(ValueError, match="finite"):
        evaluation.log_likelihood(exact.vae, batches, 3, progress=False)


def test_images_of_another_shape_are_refused_with_both_shapes():
    exact = LinearGaussian()
    with pytest.raises(ValueError, match=r"\[batch, 6\].*\[10, 5\]"):
        evaluation.evaluate_elbo(exact.vae, exact.draw(10)[:, :5], progress=False)


def test_a_list_of_several_arrays_is_refused_of_which_the_first_alone_was_looked_at():
    exact = LinearGaussian()
    x = exact.draw(10)
    one = evaluation.log_likelihood(exact.vae, x, 3, progress=False)
    assert evaluation.log_likelihood(exact.vae, [x], 3, progress=False) == one
    assert evaluation.log_likelihood(exact.vae, (x, None), 3, progress=False) == one
    with pytest.raises(ValueError, match=r"list of 2 arrays of shape \[10, 6\]. Join them"):
        evaluation.log_likelihood(exact.vae, [x, x], 3, progress=False)
    with pytest.raises(ValueError, match=r"with labels as `\(images, labels\)`"):
        evaluation.log_likelihood(exact.vae, [x, x[:, 0]], 3, progress=False)


def test_a_probe_without_labels_is_refused():
    exact = LinearGaussian()
    batches = tf.data.Dataset.from_tensor_slices(exact.draw(10)).batch(5)
    with pytest.raises(ValueError, match="with_labels=True"):
        evaluation.linear_probe(exact.vae, batches, batches)


@pytest.fixture
def unlabelled(images, monkeypatch):
    """Twenty images for every data set, none of which has labels."""

    def load(name, split, *, with_labels=False, batch_size, **_):
        if with_labels:
            raise ValueError("no labels")
        return tf.data.Dataset.from_tensor_slices(images).batch(batch_size)

    monkeypatch.setattr(keras_vae.datasets, "load", load)


def test_no_samples_and_no_labels_leave_out_what_needs_them(unlabelled, make_vae):
    figures = evaluation.evaluate_all(make_vae(), "dots", num_samples=0, progress=False)
    assert {"elbo", "rate", "active_units", "mean_squared_error"} <= figures.keys()
    assert not {"log_likelihood", "nll", "num_samples", "probe_accuracy"} & figures.keys()


def test_several_factors_an_image_are_no_labels_to_probe(monkeypatch, make_vae):
    pixels = np.random.default_rng(0).random((8, 4, 4, 1), np.float32)

    def load(name, split, batch_size, *, with_labels=False, **_):
        if with_labels:
            images = keras_vae.datasets.from_arrays(pixels, np.zeros((8, 5), int), batch_size)
            return images, images
        return keras_vae.datasets.from_arrays(pixels, None, batch_size)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    figures = evaluation.evaluate_all(make_vae(), "dots", num_samples=0, progress=False)
    assert "elbo" in figures and "probe_accuracy" not in figures


def test_a_kl_for_each_latent_is_left_out_where_there_is_none(unlabelled, make_vae):
    vae = make_vae(prior="gaussian_mixture")
    figures = evaluation.evaluate_all(vae, "dots", num_samples=2, progress=False)
    assert {"elbo", "log_likelihood", "active_units"} <= figures.keys()
    assert "kl_per_dimension" not in figures


def test_all_figures_need_a_count_of_samples(unlabelled, make_vae):
    with pytest.raises(ValueError, match="`num_samples`"):
        evaluation.evaluate_all(make_vae(), "dots", num_samples=-1)


def test_bits_per_dimension_are_the_nats_of_the_likelihood_in_other_units():
    likelihood = distributions.DiscretizedLogistic()
    vae = keras_vae.VAE(
        networks.mlp_encoder((4, 4, 1), 2, [5]),
        networks.mlp_decoder((4, 4, 1), 2, [5], likelihood=likelihood),
        likelihood,
        seed=0,
    )
    x = (np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)) / 255).astype("float32")
    nats = evaluation.log_likelihood(vae, x, num_samples=30, progress=False)
    found = evaluation.bits_per_dimension(vae, x, num_samples=30, progress=False)
    assert found["bits_per_dimension"] == pytest.approx(nats["nll"] / 16 / np.log(2))
    assert found["bits_per_dimension_standard_error"] == pytest.approx(
        nats["log_likelihood_standard_error"] / 16 / np.log(2)
    )
    # An untrained model is worse than none, of which 8 bits are known, and not by much.
    assert 8 < found["bits_per_dimension"] < 12
