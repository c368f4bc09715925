"""Tests of what encoders and decoders of all kinds have in common: shapes, sizes, files, errors."""

import itertools

import keras
import numpy as np
import pytest

from keras_vae import distributions, networks

SHAPES = [(side, side, channels) for side in (28, 32, 64) for channels in (1, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_networks_fit_images_of_the_usual_sizes(kind, shape):
    small = {"hidden_sizes": [4]} if kind == "mlp" else {"filters": (2, 3)}
    encoder = getattr(networks, f"{kind}_encoder")(shape, 3, **small)
    decoder = getattr(networks, f"{kind}_decoder")(shape, 3, **small)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    posterior = encoder(images)
    assert posterior.keys() == {"loc", "scale"}
    assert posterior["loc"].shape == posterior["scale"].shape == (2, 3)
    assert decoder(posterior["loc"]).shape == images.shape
    assert encoder.input_shape == decoder.output_shape == (None, *shape)


def test_the_mlps_take_other_event_shapes():
    assert networks.mlp_encoder((7,), 2).input_shape == (None, 7)
    assert networks.mlp_decoder((3, 5), 2).output_shape == (None, 3, 5)


def dense(*sizes):
    """Parameters of a chain of fully connected layers."""
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def test_mlps_have_the_published_number_of_parameters():
    # The 784-100-100-10 experiment: two heads of ten behind the same hidden layers.
    encoder = networks.mlp_encoder((28, 28, 1), 10, hidden_sizes=[100, 100])
    decoder = networks.mlp_decoder((28, 28, 1), 10, hidden_sizes=[100, 100])
    assert encoder.count_params() == dense(784, 100, 100) + 2 * dense(100, 10) == 90_620
    assert decoder.count_params() == dense(10, 100, 100, 784) == 90_384
    # The PyTorch example's 784-400-20.
    encoder, decoder = networks.mlp_encoder((28, 28, 1), 20), networks.mlp_decoder((28, 28, 1), 20)
    assert encoder.count_params() + decoder.count_params() == 652_824


def test_convolutional_networks_have_the_published_number_of_parameters():
    # As `summary` prints them in the VAE example on keras.io.
    assert networks.conv_encoder((28, 28, 1), 2).count_params() == 69_076
    assert networks.conv_decoder((28, 28, 1), 2).count_params() == 65_089


def test_the_scale_of_an_encoder_is_the_one_asked_for():
    images = np.random.default_rng(0).random((3, 4, 4, 1), dtype=np.float32)
    for parameterization in networks.SCALES:
        encoder = networks.mlp_encoder((4, 4, 1), 2, [5], scale=parameterization)
        raw = keras.Model(encoder.inputs, encoder.get_layer("raw_scale").output)(images)
        expected = networks.PositiveScale(parameterization)(raw)
        np.testing.assert_allclose(encoder(images)["scale"], expected, rtol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", keras.activations.silu])
def test_activations_reach_the_hidden_layers_alone(activation):
    decoder = networks.mlp_decoder((4, 4, 1), 2, [5, 6], activation=activation)
    wanted = keras.activations.get(activation)
    assert [decoder.get_layer(f"hidden_{i}").activation for i in (0, 1)] == [wanted] * 2
    assert [decoder.get_layer(f"hidden_{i}").units for i in (0, 1)] == [5, 6]
    assert decoder.get_layer("pixels").activation is keras.activations.linear


@pytest.mark.parametrize(
    "build",
    [
        lambda: networks.mlp_encoder((4, 4, 1), 2, [5], scale="square"),
        lambda: networks.mlp_decoder((4, 4, 1), 2, [5]),
        lambda: networks.conv_encoder((4, 4, 3), 2, filters=[2], scale="exp"),
        lambda: networks.conv_decoder((4, 4, 3), 2, filters=[2]),
    ],
    ids=["mlp_encoder", "mlp_decoder", "conv_encoder", "conv_decoder"],
)
def test_networks_survive_saving(build, tmp_path):
    network = build()
    inputs = np.random.default_rng(0).random((3, *network.input_shape[1:]), dtype=np.float32)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    for found, expected in zip(
        keras.tree.flatten(again(inputs)), keras.tree.flatten(network(inputs)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_outputs_are_float32_under_a_half_precision_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        encoder, decoder = networks.mlp_encoder((4, 4, 1), 2), networks.conv_decoder((4, 4, 1), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert encoder.get_layer("hidden_0").compute_dtype == "float16"
    assert {output.dtype for output in encoder.outputs + decoder.outputs} == {"float32"}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: networks.mlp_encoder((4, 4, 1), 0), "Received: latent_dim=0"),
        (lambda: networks.mlp_decoder((4, 4, 1), 2.5), "latent_dim=2.5"),
        (lambda: networks.mlp_encoder((4, 4, 1), 2, [5, -1]), r"hidden_sizes=\[5, -1\]"),
        (lambda: networks.mlp_encoder((4, 0, 1), 2), r"input_shape=\[4, 0, 1\]"),
        (lambda: networks.mlp_decoder((4, True, 1), 2), r"output_shape=\[4, True, 1\]"),
        (
            lambda: networks.mlp_encoder((4, 4, 1), 2, scale="cube"),
            r"`scale`. Expected one of \['softplus', 'square', 'exp', 'log_variance'\]. "
            r"Received: scale='cube'",
        ),
        (
            lambda: networks.conv_encoder((28, 28, 1), 2, filters=[2, 2, 2]),
            r"multiples of 8. Received: \(28, 28, 1\). Pass fewer `filters`",
        ),
        (lambda: networks.conv_decoder((28, 28), 2), r"height and width.*Received: \(28, 28\)"),
        (lambda: networks.PositiveScale(minimum=0.0), r"`minimum`. Expected.*minimum=0.0"),
    ],
)
def test_bad_arguments_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("make", [networks.conv_encoder, networks.conv_decoder])
def test_channels_first_is_refused_in_one_sentence(make):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(
            ValueError, match=r"\[height, width, channels\].*channels_first.*set_im"
        ):
            make((8, 8, 1), 2)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("kind", ["mlp", "conv", "burgess"])
def test_a_decoder_has_the_size_that_the_likelihood_needs(kind):
    make = getattr(networks, f"{kind}_decoder")
    for likelihood, channels in ((None, 3), ("poisson", 3), ("laplace", 6)):
        decoder = make((8, 8, 3), 2, likelihood=likelihood)
        assert decoder.output_shape == (None, 8, 8, channels)
    groups = {"grey": ("bernoulli", 0), "depth": ("student_t", slice(1, 3))}
    decoder = make((8, 8, 3), 2, likelihood=distributions.Product(groups))
    assert decoder.output_shape == (None, 8, 8, 5)


@pytest.mark.parametrize("kind", ["mlp", "conv", "burgess"])
def test_an_encoder_of_images_with_holes_sees_zeros_and_the_mask(kind):
    encoder = getattr(networks, f"{kind}_encoder")((8, 8, 1), 2, missing=True)
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 8, 8, 1)).astype("float32")
    x[0, 2, 3] = np.nan
    seen = networks.ZerosAndMask()(x)
    np.testing.assert_array_equal(seen[..., :1], np.nan_to_num(x))
    np.testing.assert_array_equal(seen[..., 1:], ~np.isnan(x))
    codes = encoder(x)
    assert np.isfinite(codes["loc"]).all() and np.isfinite(codes["scale"]).all()
    # A zero that was observed is another thing than a hole.
    assert not np.allclose(encoder(np.nan_to_num(x))["loc"][0], codes["loc"][0])
