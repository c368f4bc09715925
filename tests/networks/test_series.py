"""Tests of the networks for series: shapes, masks, lengths, training, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import VAE, datasets, networks

RANDOM = np.random.default_rng(0)
KINDS = ("conv", "gru")
# Where one kind shows what there is to show, and the other takes its time.
CONV_FIRST = ("conv", pytest.param("gru", marks=pytest.mark.exhaustive))


def built(kind, shape, missing=False, latent_dim=3, likelihood=None, **further):
    """A small encoder and decoder."""
    size = {"width": 8} if kind == "conv" else {"units": 8}
    size |= further
    keras.utils.set_random_seed(0)
    encoder = getattr(networks, f"{kind}_series_encoder")
    decoder = getattr(networks, f"{kind}_series_decoder")
    return (
        encoder(shape, latent_dim, missing=missing, **size),
        decoder(shape, latent_dim, likelihood=likelihood, **size),
    )


def waves(lengths, features=2):
    """Noisy waves of those lengths."""
    places = [np.arange(length) / 10 for length in lengths]
    return [
        (
            np.sin(RANDOM.uniform(1, 3) * place[:, None] + np.arange(features))
            + RANDOM.normal(size=(len(place), features), scale=0.1)
        ).astype("float32")
        for place in places
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 1), (50, 3), (97, 2)], ids=str)
def test_series_come_back_in_their_shape(kind, shape):
    encoder, decoder = built(kind, shape, likelihood="laplace")
    posterior = encoder(RANDOM.normal(size=(2, *shape)).astype("float32"))
    assert posterior["loc"].shape == posterior["scale"].shape == (2, 3)
    assert decoder(posterior["loc"]).shape == (2, shape[0], 2 * shape[1])


# 20 steps and 30 are whole windows of 5, and neither are of 7.
@pytest.mark.parametrize("window", [1, 5, 7])
def test_the_code_of_a_recurrent_encoder_is_that_of_the_series_without_its_padding(window):
    (series,) = waves([20])
    encoders = [built("gru", (length, 2), missing=True, window=window)[0] for length in (20, 30)]
    short, long = (
        encoder(datasets.pad_series([series], length))
        for encoder, length in zip(encoders, (20, 30), strict=True)
    )
    np.testing.assert_allclose(long["loc"], short["loc"], atol=1e-6)
    np.testing.assert_allclose(long["scale"], short["scale"], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings"), [("conv", {}), ("gru", {}), ("gru", {"window": 7})], ids=str
)
def test_the_likelihood_of_a_padded_series_is_that_of_the_shorter_one(kind, settings):
    series = waves([20, 30])
    x = datasets.pad_series(series)
    networks_of = built(kind, (30, 2), missing=True, **settings)
    vae = VAE(*networks_of, "gaussian", missing=True, seed=0)
    z = vae.encode(x).mean()
    found = vae.decode(z).log_prob(x)
    means, scale = vae.decoder(z).numpy(), float(tf.exp(vae.likelihood.log_scale))
    for index, values in enumerate(series):
        error = (values - means[index, : len(values)]) / scale
        expected = np.sum(-0.5 * error**2 - np.log(scale) - 0.5 * np.log(2 * np.pi))
        assert float(found[index]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONV_FIRST)
def test_ragged_series_train_as_padded_ones(kind):
    series = waves([12, 20, 16, 9, 20, 20, 14, 11])
    ragged = tf.ragged.constant([values.tolist() for values in series], ragged_rank=1)
    batches = tf.data.Dataset.from_tensor_slices(ragged).map(
        lambda values: tf.ensure_shape(
            tf.pad(values, [[0, 20 - tf.shape(values)[0]], [0, 0]], constant_values=np.nan),
            (20, 2),
        )
    )
    results = []
    for data in (
        datasets.from_arrays(datasets.pad_series(series), batch_size=4, shuffle=False),
        datasets.from_arrays(datasets.pad_series(ragged), batch_size=4, shuffle=False),
        batches.batch(4),
    ):
        vae = VAE(*built(kind, (20, 2), missing=True), "gaussian", missing=True, seed=0)
        vae.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
        results.append(vae.fit(data, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONV_FIRST)
def test_series_are_learned_and_the_model_comes_back(kind, tmp_path):
    x = np.stack(waves([40] * 64))
    vae = VAE(*built(kind, (40, 2), likelihood="gaussian"), "gaussian", seed=0)
    vae.compile(keras.optimizers.Adam(1e-2))
    elbo = vae.fit(x, batch_size=16, epochs=20, verbose=0).history["elbo"]
    assert elbo[-1] > elbo[0] + 20
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), vae.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("length", "steps"), [(128, 128), (129, 65), (1000, 125)])
def test_long_series_are_read_in_windows(length, steps):
    encoder, decoder = built("gru", (length, 2), likelihood="laplace", missing=True)
    # Beside what it reads a layer is given a mask.
    assert tf.nest.flatten(encoder.get_layer("gru").input)[0].shape[1] == steps
    assert decoder.get_layer("gru").output.shape[1] == steps
    assert decoder.output_shape == (None, length, 4)
    encoder, decoder = built("gru", (length, 2), window=1)
    assert encoder.get_layer("gru").input.shape[1] == length
    assert decoder.get_layer("gru").output.shape[1] == length


def test_a_window_holds_consecutive_steps():
    keras.utils.set_random_seed(0)
    x = RANDOM.normal(size=(3, 10, 2)).astype("float32")
    in_windows = networks.gru_series_encoder((10, 2), 3, units=8, window=4)
    by_hand = networks.gru_series_encoder((3, 8), 3, units=8, window=1)
    by_hand.set_weights(in_windows.get_weights())
    windows = np.pad(x, ((0, 0), (0, 2), (0, 0))).reshape(3, 3, 8)
    np.testing.assert_allclose(in_windows(x)["loc"], by_hand(windows)["loc"], atol=1e-6)
    in_windows = networks.gru_series_decoder((10, 2), 3, units=8, window=4)
    by_hand = networks.gru_series_decoder((3, 8), 3, units=8, window=1)
    by_hand.set_weights(in_windows.get_weights())
    z = x[:, 0, :1].repeat(3, axis=1)
    windows = np.asarray(by_hand(z)).reshape(3, 12, 2)[:, :10]
    np.testing.assert_allclose(in_windows(z), windows, atol=1e-6)


def test_steps_are_told_their_place():
    places = np.asarray(networks.EachStep(4)(np.zeros((2, 3), "float32")))
    assert places.shape == (2, 4, 3 + 17)
    np.testing.assert_allclose(places[0, :, 3], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(
        places[0, :, 4], np.sin(2 * np.pi * (np.arange(4) + 0.5) / 4), atol=1e-6
    )
    np.testing.assert_array_equal(places[0], places[1])


def test_steps_at_which_anything_was_observed():
    x = np.float32([[[1, np.nan], [np.nan, np.nan], [0, 0]]])
    np.testing.assert_array_equal(networks.AnyObserved()(x), [[True, False, True]])
    x[0, 2] = np.nan
    np.testing.assert_array_equal(networks.AnyObserved(window=2)(x), [[True, False]])


def test_outputs_are_float32_under_a_half_precision_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        pairs = [built(kind, (16, 2)) for kind in KINDS]
    finally:
        keras.config.set_dtype_policy("float32")
    for encoder, decoder in pairs:
        assert {output.dtype for output in encoder.outputs + decoder.outputs} == {"float32"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("shape", "further", "message"),
    [
        ((64,), {}, r"series \[time, features\].*=\(64,\).*`x\[..., None\]`"),
        ((28, 28, 1), {}, r"=\(28, 28, 1\).*`residual_encoder`"),
        ((0, 1), {}, r"=\[0, 1\]"),
        ((16, 1), {"latent_dim": 0}, "latent_dim=0"),
    ],
)
def test_bad_arguments_are_refused(kind, part, shape, further, message):
    build = getattr(networks, f"{kind}_series_{part}")
    with pytest.raises(ValueError, match=message):
        build(shape, **{"latent_dim": 2, **further})


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_windows_that_are_none_are_refused(part):
    with pytest.raises(ValueError, match="window=0"):
        getattr(networks, f"gru_series_{part}")((16, 1), 2, window=0)


def test_a_series_that_is_too_short_to_halve_is_refused():
    for build in (networks.conv_series_encoder, networks.conv_series_decoder):
        with pytest.raises(ValueError, match=r"of 8 steps or more. Received: .*\(7, 1\)"):
            build((7, 1), 2)
