"""Tests of the residual networks: sizes that do not halve, depth, normalisation, errors."""

import keras
import numpy as np
import pytest

from keras_vae import VAE, networks

SIZES = [(8, 8, 1), (28, 20, 1), (33, 47, 3), (64, 64, 3), (9, 8, 4)]


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("normalization", ["none", "group"])
def test_images_of_any_size_come_back_in_that_size(shape, normalization):
    settings = {"depth": 1, "width": 8, "normalization": normalization}
    encoder = networks.residual_encoder(shape, 3, **settings)
    decoder = networks.residual_decoder(shape, 3, likelihood="laplace", **settings)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    posterior = encoder(images)
    assert posterior["loc"].shape == posterior["scale"].shape == (2, 3)
    assert decoder(posterior["loc"]).shape == (2, *shape[:2], 2 * shape[2])


def test_stages_halve_until_four_pixels_are_left():
    encoder = networks.residual_encoder((64, 64, 1), 2, width=8)
    shapes = [encoder.get_layer(f"down_{stage}").output.shape[1:] for stage in range(4)]
    assert shapes == [(32, 32, 8), (16, 16, 16), (8, 8, 32), (4, 4, 32)]
    encoder = networks.residual_encoder((28, 20, 1), 2, width=8)
    assert encoder.get_layer("down_2").output.shape[1:] == (4, 3, 32)


def test_blocks_begin_as_the_identity():
    keras.utils.set_random_seed(0)
    deep = networks.residual_decoder((16, 16, 1), 2, depth=3, width=8)
    plain = networks.residual_decoder((16, 16, 1), 2, depth=0, width=8)
    for layer in plain.layers:
        layer.set_weights(deep.get_layer(layer.name).get_weights())
    codes = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    np.testing.assert_allclose(deep(codes), plain(codes), atol=1e-6)


def test_depth_counts_the_blocks_of_a_stage():
    for depth in (0, 2):
        encoder = networks.residual_encoder((16, 16, 1), 2, depth=depth, width=8)
        blocks = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Add)]
        assert len(blocks) == 2 * depth


def test_normalisation_has_no_state_that_training_moves():
    encoder = networks.residual_encoder((8, 8, 1), 2, width=8, normalization="group")
    assert encoder.non_trainable_weights == []
    images = np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32)
    alone = encoder(images[:1])["loc"]
    np.testing.assert_allclose(encoder(images, training=True)["loc"][:1], alone, rtol=1e-4)


@pytest.mark.parametrize("normalization", ["none", "group"])
def test_a_model_of_residual_networks_trains_and_comes_back(normalization, tmp_path):
    keras.utils.set_random_seed(0)
    settings = {"width": 8, "normalization": normalization}
    shape = (11, 9, 1)
    vae = VAE(
        networks.residual_encoder(shape, 2, **settings),
        networks.residual_decoder(shape, 2, **settings),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(3e-3))
    images = np.zeros((32, *shape), "float32")
    images[::2, :5] = 1
    history = vae.fit(images, batch_size=16, epochs=12, verbose=0).history["elbo"]
    assert history[-1] > history[0] + 10
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), vae(images), atol=1e-5)


@pytest.mark.parametrize("build", [networks.residual_encoder, networks.residual_decoder])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((7, 64, 1), 2), r"8 pixels a side or more. Received: \(7, 64, 1\)"),
        (((64,), 2), r"\[height, width, channels\].*Received: \(64,\)"),
        (((64, 64), 2), r"Received: \(64, 64\)"),
        (((64, 64, 1), 0), "latent_dim=0"),
        (((64, 64, 1), 2, -1), "depth=-1"),
        (((64, 64, 1), 2, 1, 0), "width=0"),
        (((64, 64, 1), 2, 1, 12, "relu", "group"), "a multiple of 8.*width=12"),
        (((64, 64, 1), 2, 1, 8, "relu", "batch"), r"\['group', 'none'\].*normalization='batch'"),
        (((64, 64, 1), 2, 1, 8, "rellu"), "activation='rellu'"),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(*arguments)
