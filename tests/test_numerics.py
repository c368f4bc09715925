"""Extreme settings: training stays finite, or `StopOnNonFinite` ends it and says where and why."""

import math
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import networks
from keras_vae.callbacks import StopOnNonFinite
from keras_vae.distributions import (
    LIKELIHOODS,
    Gaussian,
    diagonal_normal,
    get_likelihood,
    kl_per_dimension,
)

SHAPE = (4, 4, 1)
# Those of which grey images are events.
OF_GREY = sorted(name for name, cls in LIKELIHOODS.items() if not cls().requirements())
SAID = re.compile(r"(\S+) was (nan|-?inf).* (at step \d+|in steps \d+ to \d+)\. .* weights of step")


def build(policy="float32", optimizer=None, scale="softplus", eager=True, **arguments):
    keras.utils.set_random_seed(1)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        vae = keras_vae.VAE(
            encoder=networks.mlp_encoder(SHAPE, 2, [6], scale=scale),
            decoder=networks.mlp_decoder(
                SHAPE, 2, [6], likelihood=arguments.get("likelihood", "bernoulli")
            ),
            seed=3,
            **arguments,
        )
        vae.compile(optimizer or keras.optimizers.Adam(1e-2), run_eagerly=eager, jit_compile=False)
    finally:
        keras.config.set_dtype_policy(previous)
    return vae


def fit(vae, images, folder, steps=3):
    """Trains two epochs under the guard; returns the history and what the guard said, if it did."""
    batches = tf.data.Dataset.from_tensor_slices(images).batch(len(images)).repeat()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        guard = StopOnNonFinite(folder)
        history = vae.fit(
            batches, steps_per_epoch=steps, epochs=2, verbose=0, callbacks=[guard]
        ).history
    said = [str(w.message) for w in caught if "StopOnNonFinite" in str(w.message)]
    return history, said


def assert_finite(values):
    for value in keras.tree.flatten(values):
        assert np.isfinite(keras.ops.convert_to_numpy(value)).all()


def assert_finite_or_stopped(vae, history, said, folder):
    """The guard spoke if a loss was not finite, and named it; the weights are, on disk too."""
    losses = np.array(history["loss"])
    # It may also have found weights that no loss has seen yet.
    assert len(said) == 1 or (said == [] and np.isfinite(losses).all()), (said, losses)
    for message in said:
        assert SAID.search(message), message
    assert_finite(vae.weights)
    vae.load_weights(folder / "last_good.weights.h5")
    assert_finite(vae.weights)


@pytest.mark.parametrize("rate", [1.0, 1e10, 1e30])
@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_huge_learning_rates(images, tmp_path, optimizer, rate):
    vae = build(optimizer=optimizer(rate))
    assert_finite_or_stopped(vae, *fit(vae, images, tmp_path), tmp_path)


def test_a_learning_rate_that_is_far_too_large_is_stopped_with_the_weights_from_before(
    images, tmp_path
):
    vae = build(optimizer=keras.optimizers.SGD(1e30))
    before = vae.get_weights()
    history, (said,) = fit(vae, images, tmp_path)
    assert len(history["loss"]) == 1
    assert "at step 2. The model has the weights of step 0 again" in said
    for found, expected in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("shade", [0.0, 1.0])
@pytest.mark.parametrize("likelihood", OF_GREY)
def test_images_of_one_shade(tmp_path, likelihood, shade):
    vae = build(likelihood=likelihood, optimizer=keras.optimizers.Adam(0.1))
    shades = np.full((20, *SHAPE), shade, np.float32)
    history, said = fit(vae, shades, tmp_path, steps=5)
    assert said == []
    assert_finite([list(history.values()), vae.weights, vae.reconstruct(shades)])
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_huge_beta(images, tmp_path, reduction):
    vae = build(beta=1e6, reduction=reduction)
    history, said = fit(vae, images, tmp_path, steps=5)
    assert said == []
    assert_finite([list(history.values()), vae.weights])
    assert history["kl_loss"][-1] < history["kl_loss"][0]


def test_a_posterior_that_collapses(images, tmp_path):
    vae = build(beta=1e3, optimizer=keras.optimizers.Adam(3e-2), eager=False)
    history, said = fit(vae, images, tmp_path, steps=80)
    assert said == []
    assert_finite([list(history.values()), vae.weights])
    # To within single precision, in which a KL of nothing may round to just below.
    assert -1e-6 < history["kl_loss"][-1] < 1e-2
    elbo = np.array(history["elbo"])
    np.testing.assert_allclose(
        elbo, -np.array(history["reconstruction_loss"]) - history["kl_loss"], rtol=1e-5
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("likelihood", OF_GREY)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_half_precision(images, tmp_path, policy, likelihood):
    vae = build(policy, likelihood=likelihood)
    history, said = fit(vae, images, tmp_path)
    assert_finite_or_stopped(vae, history, said, tmp_path)
    if policy.startswith("mixed"):
        assert said == []
        assert history["loss"][-1] < history["loss"][0]


def test_the_likelihoods_are_float32_whatever_the_policy(images):
    for policy in ("mixed_float16", "float16"):
        vae = build(policy)
        terms = vae(images, training=True, return_pass=True).terms
        assert {term.value.dtype for term in terms.values()} == {tf.float32}


@pytest.mark.parametrize("logit", [0.0, 1e-6, 1e-3, 0.1, 30.0, 100.0, 1e4])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
def test_extreme_logits(likelihood, sign, logit):
    logits = tf.Variable(tf.fill((3, *SHAPE), sign * logit))
    pixels = tf.reshape(tf.constant([0.0, 0.5, 1.0]), (3, 1, 1, 1)) * tf.ones((3, *SHAPE))
    with tf.GradientTape() as tape:
        distribution = get_likelihood(likelihood).distribution(logits)
        log_prob = distribution.log_prob(pixels)
    mean = distribution.mean().numpy()
    assert_finite([log_prob, mean, tape.gradient(log_prob, logits)])
    assert mean.min() >= 0 and mean.max() <= 1


def test_logits_of_any_size():
    logits = tf.Variable([[-3e38, -1e30, 1e30, 3e38]])
    with tf.GradientTape() as tape:
        log_prob = get_likelihood("bernoulli").distribution(logits).log_prob(tf.ones((1, 4)) / 2)
    assert_finite(log_prob)
    # A step by this gradient leads back.
    np.testing.assert_array_equal(tape.gradient(log_prob, logits), [[0.5, 0.5, -0.5, -0.5]])


@pytest.mark.parametrize("raw", [-1e18, -1e4, -10.0, -1e-20, 0.0, 1e-20, 10.0, 1e4, 1e9])
@pytest.mark.parametrize("parameterization", networks.SCALES)
def test_scales_at_extremes(parameterization, raw):
    value = tf.Variable([[raw if parameterization != "square" else np.clip(raw, -1e9, 1e9)]])
    with tf.GradientTape() as tape:
        posterior = diagonal_normal(
            tf.zeros((1, 1)), networks.PositiveScale(parameterization)(value)
        )
        prior = diagonal_normal(tf.zeros([1]), tf.ones([1]))
        kl = kl_per_dimension(posterior, prior)
    assert_finite([posterior.stddev(), kl, tape.gradient(kl, value)])
    assert posterior.stddev().numpy().min() >= networks.MINIMUM_SCALE
    assert kl.numpy().min() >= 0


@pytest.mark.parametrize("scale", networks.SCALES)
def test_every_scale_survives_a_large_learning_rate(images, tmp_path, scale):
    vae = build(scale=scale, optimizer=keras.optimizers.Adam(0.3))
    assert_finite_or_stopped(vae, *fit(vae, images, tmp_path), tmp_path)


@pytest.mark.parametrize("learn_scale", [False, True])
@pytest.mark.parametrize("width", [1e-30, 1e-3, 1.0, 1e30])
def test_tiny_and_huge_gaussians(images, tmp_path, width, learn_scale):
    if learn_scale and width < Gaussian.minimum_scale:
        with pytest.raises(ValueError, match=r"must start at a number of 0.001 or above"):
            Gaussian(width, learn_scale=True)
        return
    vae = build(likelihood=Gaussian(width, learn_scale))
    history, said = fit(vae, images, tmp_path)
    assert_finite_or_stopped(vae, history, said, tmp_path)
    assert bool(said) == (width == 1e-30)


def test_pixels_whose_square_is_no_float32_are_stopped_at_once(tmp_path):
    vae = build(likelihood="gaussian")
    history, (said,) = fit(vae, np.full((20, *SHAPE), 1e30, np.float32), tmp_path)
    assert "reconstruction_loss was inf" in said and "at step 1. " in said
    assert "No update went before" in said
    assert math.isinf(history["loss"][0])
