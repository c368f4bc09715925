"""Tests of missing values: bounds of what is there, and what is filled in, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import keras_vae
from keras_vae import evaluation, networks
from keras_vae.distributions import Gaussian
from keras_vae.objectives import IWAE, ConditionalVAE

COLUMNS, SCALE = 4, 0.5
RANDOM = np.random.default_rng(0)
WEIGHTS, BIAS = RANDOM.normal(size=(2, COLUMNS)), RANDOM.normal(size=COLUMNS)
COVARIANCE = WEIGHTS.T @ WEIGHTS + SCALE**2 * np.eye(COLUMNS)
# From all observed to none.
OBSERVED = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
ROWS = np.where(OBSERVED, RANDOM.normal(size=OBSERVED.shape), np.nan).astype("float32")


@pytest.fixture(scope="module")
def linear():
    """x = Wz + b + noise, whose posterior is taken to be the prior."""
    vae = keras_vae.VAE(
        networks.mlp_encoder((COLUMNS,), 2, [], scale="exp", missing=True),
        networks.mlp_decoder((COLUMNS,), 2, []),
        likelihood=Gaussian(SCALE),
        missing=True,
        seed=0,
    )
    vae.encoder.set_weights([np.zeros_like(weight) for weight in vae.encoder.get_weights()])
    vae.decoder.set_weights([WEIGHTS, BIAS])
    return vae


def conditional(row):
    """Mean and covariance of what is missing of a row, given the rest."""
    there, not_there = ~np.isnan(row), np.isnan(row)
    gain = COVARIANCE[np.ix_(not_there, there)] @ np.linalg.inv(COVARIANCE[np.ix_(there, there)])
    mean = BIAS[not_there] + gain @ (row[there] - BIAS[there])
    covariance = COVARIANCE[np.ix_(not_there, not_there)]
    return mean, covariance - gain @ COVARIANCE[np.ix_(there, not_there)]


def test_the_mean_that_is_imputed_is_the_conditional_mean(linear):
    found = linear.impute(ROWS, num_samples=40_000, seed=0).numpy()
    np.testing.assert_array_equal(found[OBSERVED], ROWS[OBSERVED])
    for row, imputed in zip(ROWS[1:], found[1:], strict=True):
        np.testing.assert_allclose(imputed[np.isnan(row)], conditional(row)[0], atol=0.05)


def test_the_draws_have_the_conditional_mean_and_covariance(linear):
    draws = linear.impute(ROWS, num_samples=20_000, num_draws=10_000, seed=0).numpy()
    assert draws.shape == (10_000, *ROWS.shape)
    for index, row in enumerate(ROWS):
        there = ~np.isnan(row)
        np.testing.assert_array_equal(draws[:, index, there] - row[there], 0.0)
        if not there.all():
            mean, covariance = conditional(row)
            own = draws[:, index, ~there]
            np.testing.assert_allclose(own.mean(axis=0), mean, atol=0.1)
            np.testing.assert_allclose(np.cov(own.T), np.squeeze(covariance), rtol=0.1, atol=0.1)


def test_the_log_likelihood_is_that_of_what_is_observed(linear):
    exact = [
        stats.multivariate_normal.logpdf(row[there], BIAS[there], COVARIANCE[np.ix_(there, there)])
        for row, there in zip(ROWS[:-1], OBSERVED[:-1], strict=True)
    ]
    found = evaluation.log_likelihood(linear, ROWS[:-1], 20_000, progress=False)
    assert found["log_likelihood"] == pytest.approx(np.mean(exact), abs=0.03)
    assert found["log_likelihood_standard_error"] == pytest.approx(np.std(exact) / 2, abs=0.03)


def test_the_same_seed_imputes_the_same_and_batches_do_not_mix_rows(linear):
    first, again, other = (linear.impute(ROWS, 50, seed=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    alone = linear.impute(ROWS, 20_000, seed=1, batch_size=2).numpy()
    together = linear.impute(tf.data.Dataset.from_tensor_slices(ROWS).batch(3), 20_000, seed=1)
    np.testing.assert_allclose(alone, together, atol=0.1)


# The bound ---------------------------------------------------------------------------------


def smaller(vae, cls, columns, **kwargs):
    """The model of some columns alone, which are all that the other was given."""
    likelihood = Gaussian(SCALE)
    small = cls(
        networks.mlp_encoder((len(columns),), 2, [5]),
        networks.mlp_decoder((len(columns),), 2, [5]),
        likelihood=likelihood,
        seed=vae.seed,
        **kwargs,
    )
    kernel, bias, *others = vae.encoder.get_weights()
    # Where the mask is the same for all, it is a part of the bias.
    bias = bias + sum(kernel[COLUMNS + column] for column in columns)
    small.encoder.set_weights([kernel[columns], bias, *others])
    *others, kernel, bias = vae.decoder.get_weights()
    small.decoder.set_weights([*others, kernel[:, columns], bias[columns]])
    return small


@pytest.mark.parametrize(
    ("cls", "kwargs"), [(keras_vae.VAE, {}), (IWAE, {"num_samples": 3})], ids=["VAE", "MIWAE"]
)
def test_the_bound_of_what_is_observed_is_that_of_the_smaller_model(cls, kwargs):
    keras.utils.set_random_seed(0)
    vae = cls(
        networks.mlp_encoder((COLUMNS,), 2, [5], missing=True),
        networks.mlp_decoder((COLUMNS,), 2, [5]),
        likelihood=Gaussian(SCALE),
        missing=True,
        seed=3,
        **kwargs,
    )
    columns = [0, 2, 3]
    small = smaller(vae, cls, columns, **kwargs)
    x = np.random.default_rng(2).normal(size=(20, COLUMNS)).astype("float32")
    x[:, 1] = np.nan
    for model in (vae, small):
        model.compile(keras.optimizers.SGD(1e-2), run_eagerly=True)
    found = vae.evaluate(x, batch_size=8, verbose=0, return_dict=True)
    expected = small.evaluate(x[:, columns], batch_size=8, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-4)
    # One step of training moves what both have alike.
    vae.train_on_batch(x)
    small.train_on_batch(x[:, columns])
    np.testing.assert_allclose(
        vae.encoder.get_weights()[0][columns], small.encoder.get_weights()[0], atol=1e-5
    )
    kernel = vae.decoder.get_weights()[-2]
    np.testing.assert_allclose(kernel[:, columns], small.decoder.get_weights()[-2], atol=1e-5)


# Images, and what is refused ---------------------------------------------------------------


def of_images(make, images, **kwargs):
    keras.utils.set_random_seed(1)
    model = make(
        networks.conv_encoder((4, 4, 1), 2, [3], missing=True),
        networks.conv_decoder((4, 4, 1), 2, [3], likelihood="beta"),
        likelihood="beta",
        missing=True,
        seed=3,
        **kwargs,
    )
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    holes = np.random.default_rng(0).random(images.shape) < 0.3
    return model, np.where(holes, np.nan, images)


def test_images_with_holes_train_and_are_saved(images, tmp_path, steps_one_by_one):
    vae, x = of_images(keras_vae.VAE, images)
    history = vae.fit(tf.data.Dataset.from_tensor_slices(x).batch(8), epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(np.isfinite(weight).all() for weight in vae.get_weights())
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(again.reconstruct(x), vae.reconstruct(x))
    assert np.isfinite(vae.reconstruct(x)).all()
    draws = again.impute(x, 8, num_draws=2, seed=0)
    assert draws.shape == (2, *x.shape) and np.isfinite(draws).all()
    figures = evaluation.reconstruction_error(vae, x, progress=False)
    squared = (vae.reconstruct(x) - x).numpy() ** 2
    each = np.nanmean(squared.reshape(len(x), -1), axis=1)
    assert figures["mean_squared_error"] == pytest.approx(each.mean(), rel=1e-5)


def test_images_with_holes_go_with_conditions(images):
    vae, x = of_images(
        lambda encoder, decoder, **kwargs: ConditionalVAE(
            encoder, networks.mlp_decoder((4, 4, 1), 5, [3], likelihood="beta"), 3, **kwargs
        ),
        images,
    )
    labels = np.arange(20) % 3
    found = vae.impute(x, 8, seed=0, condition=labels)
    assert np.isfinite(found).all()
    others = vae.impute(x, 8, seed=0, condition=2 - labels)
    assert not np.allclose(found, others)


def test_an_encoder_that_takes_no_holes_is_refused(images):
    vae = keras_vae.VAE(
        networks.mlp_encoder((4, 4, 1), 2, [3]), networks.mlp_decoder((4, 4, 1), 2), missing=True
    )
    vae.compile("adam", run_eagerly=True)
    with pytest.raises(ValueError, match="`encoder` must take NaN"):
        vae.fit(images)


@pytest.mark.parametrize("kind", ["array", "data set"])
def test_holes_are_refused_unless_they_are_said_to_be(make_vae, images, kind):
    x = np.where(images < 0.2, np.nan, images)
    data = x if kind == "array" else tf.data.Dataset.from_tensor_slices(x).batch(8)
    with pytest.raises(ValueError, match="Images must be finite"):
        make_vae(eager=True).fit(data, verbose=0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: np.where(x > 0.9, np.inf, x), "values that are infinite"),
        (lambda x: np.where(x > 0.9, 3, x), r"within \[0, 1\]"),
        (lambda x: np.full_like(x, np.nan), "Something must be observed"),
    ],
)
def test_what_is_there_must_still_fit(images, spoil, message):
    vae, x = of_images(keras_vae.VAE, images)
    with pytest.raises(ValueError, match=message):
        vae.fit(spoil(x), verbose=0)


def test_imputation_refuses_what_it_cannot_do(make_vae, images, linear):
    with pytest.raises(ValueError, match="`impute` needs a model of what may be missing"):
        make_vae().impute(images)
    for arguments, name in ([{"num_samples": 0}, "num_samples"], [{"num_draws": 0}, "num_draws"]):
        with pytest.raises(ValueError, match=f"`{name}`. Expected a positive integer"):
            linear.impute(ROWS, **arguments)
