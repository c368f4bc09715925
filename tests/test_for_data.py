"""Tests of what `VAE.for_data` chooses, says and refuses."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import keras_vae
from keras_vae import distributions, objectives

RANDOM = np.random.default_rng(0)


def binary(*shape):
    return (RANDOM.random((40, *shape)) < 0.3).astype("float32")


def bytes_of(*shape):
    return (RANDOM.integers(0, 256, (40, *shape)) / 255).astype("float32")


def ink(*shape):
    return np.where(RANDOM.random((40, *shape)) < 0.8, 0.0, RANDOM.random((40, *shape)))


def yes_no_and_proportions():
    return np.concatenate([binary(60), RANDOM.random((40, 20))], axis=1)


def normal(*shape):
    return RANDOM.normal(size=(40, *shape))


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def with_holes(x):
    return np.where(RANDOM.random(x.shape) < 0.1, np.nan, x)


def batches(x, labels=None):
    return tf.data.Dataset.from_tensor_slices(x if labels is None else (x, labels)).batch(16)


# Data, the encoder, the likelihood, and whether values may be missing.
CHOSEN = {
    "binary images": (lambda: binary(28, 28, 1), "mlp", "Bernoulli", False),
    "grey images of ink": (lambda: ink(28, 28, 1), "mlp", "Bernoulli", False),
    "grey images": (lambda: bytes_of(28, 20, 1), "mlp", "DiscretizedLogistic", False),
    "large grey images": (lambda: bytes_of(64, 64, 1), "residual", "DiscretizedLogistic", False),
    "colour images": (lambda: bytes_of(32, 32, 3), "residual", "DiscretizedLogistic", False),
    "large colour images": (lambda: bytes_of(48, 36, 3), "residual", "DiscretizedLogistic", False),
    "images with alpha": (lambda: bytes_of(32, 32, 4), "residual", "DiscretizedLogistic", False),
    "large binary images": (lambda: binary(64, 64, 1), "residual", "Bernoulli", False),
    "resized images": (lambda: RANDOM.random((40, 40, 40, 1)), "residual", "Gaussian", False),
    "images around 0": (lambda: normal(40, 40, 1) / 3, "residual", "Gaussian", False),
    "tiny images": (lambda: bytes_of(4, 4, 1), "mlp", "DiscretizedLogistic", False),
    "images with holes": (lambda: with_holes(bytes_of(28, 28, 1)), "mlp", None, True),
    "rows": (lambda: normal(12), "mlp", "Gaussian", False),
    "a column": (lambda: normal(1), "mlp", "Gaussian", False),
    "rows with holes": (lambda: with_holes(normal(12)), "mlp", "Gaussian", True),
    "half precision": (lambda: normal(12).astype("float16"), "mlp", "Gaussian", False),
    "proportions": (lambda: RANDOM.random((40, 5)), "mlp", "Gaussian", False),
    "flattened images of ink": (lambda: ink(784), "mlp", "Bernoulli", False),
    "with holes, flattened": (lambda: with_holes(ink(64)), "mlp", "Bernoulli", True),
    "flattened grey images": (lambda: bytes_of(560), "mlp", "Gaussian", False),
    "mostly zero": (lambda: ink(63), "mlp", "Gaussian", False),
    "yes and no beside proportions": (yes_no_and_proportions, "mlp", "Gaussian", False),
    "yes and no": (lambda: binary(9), "mlp", "Bernoulli", False),
    "classes": (lambda: np.eye(5)[RANDOM.integers(0, 5, 40)], "mlp", "Categorical", False),
    "a series": (lambda: normal(100, 1), "conv_series", "Gaussian", False),
    "series": (lambda: normal(50, 7), "conv_series", "Gaussian", False),
    "a short series": (lambda: normal(5, 2), "mlp", "Gaussian", False),
    "series of several lengths": (lambda: with_holes(normal(64, 2)), "conv_series", None, True),
    "a data set": (lambda: batches(binary(28, 28, 1)), "mlp", "Bernoulli", False),
    "with labels": (lambda: batches(normal(12), np.arange(40)), "mlp", "Gaussian", False),
    "a tuple": (lambda: (normal(12), np.arange(40)), "mlp", "Gaussian", False),
    "as many rows as columns": (lambda: normal(40), "mlp", "Gaussian", False),
    "as many series as steps": (lambda: normal(40, 3), "conv_series", "Gaussian", False),
    "scaled series": (lambda: RANDOM.random((40, 64, 3)), "conv_series", "Gaussian", False),
    "yes and no in time": (lambda: binary(64, 1), "conv_series", "Bernoulli", False),
    "a list": (lambda: normal(12).tolist(), "mlp", "Gaussian", False),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_networks_and_likelihood_suit_the_data(name, capsys):
    make, network, likelihood, missing = CHOSEN[name]
    x = make()
    vae = keras_vae.VAE.for_data(x, 3, seed=0)
    assert vae.encoder.name == f"{network}_encoder"
    assert likelihood in (None, type(vae.likelihood).__name__)
    assert (vae.missing, vae.latent_dim) == (missing, 3)
    printed = capsys.readouterr().out
    assert type(vae.likelihood).__name__ in printed and f"networks.{network}_encoder" in printed
    # What was chosen takes what it was chosen for.
    if isinstance(x, np.ndarray):
        figures = keras_vae.evaluation.evaluate_elbo(vae, x[:4].astype("float32"), progress=False)
        assert np.isfinite(figures["elbo"])


def test_the_code_that_is_printed_makes_the_same_model(capsys):
    x = with_holes(normal(100, 3))
    vae = objectives.IWAE.for_data(x, 4, num_samples=5, seed=3)
    printed = capsys.readouterr().out
    names = {"keras_vae": keras_vae}
    exec(printed.partition("which is\n\n")[2], names)
    again = names["vae"]
    assert type(again) is objectives.IWAE
    expected, found = vae.get_config(), again.get_config()
    for config in (expected, found):
        config.pop("name")
    assert [layer.name for layer in again.encoder.layers[:3]] == [
        layer.name for layer in vae.encoder.layers[:3]
    ]
    for name in ("seed", "missing", "num_samples", "beta"):
        assert expected[name] == found[name]
    assert again.likelihood.scale == vae.likelihood.scale
    shapes = [[weight.shape for weight in model.weights] for model in (vae, again)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        (standardised(normal(12)), 1.0),
        (with_holes(normal(64, 2) / 4 + [0.0, 3.0]), 0.25),
        (0.5 + normal(40, 40, 1) / 50, 0.02),
        (0.5 + np.eye(40)[:, :9] * 1e-4, distributions.Gaussian.minimum_scale),
    ],
)
def test_a_gaussian_begins_at_the_deviation_of_the_data(x, scale, capsys):
    vae = keras_vae.VAE.for_data(x, 2)
    assert vae.likelihood.learn_scale and vae.likelihood.scale == pytest.approx(scale, rel=0.05)
    assert f"Gaussian({vae.likelihood.scale}, learn_scale=True)" in capsys.readouterr().out


@pytest.mark.parametrize("size", [3e-2, 1.0, 1e3, 1e30])
def test_so_does_one_that_was_asked_for_by_name(size, capsys):
    vae = keras_vae.VAE.for_data(size * normal(12).astype(np.float32), 2, likelihood="gaussian")
    assert vae.likelihood.scale == pytest.approx(size, rel=0.1)
    printed = capsys.readouterr().out
    assert "Gaussian: as you say; one scale" in printed
    assert f"Gaussian({vae.likelihood.scale}, learn_scale=True)" in printed
    given = keras_vae.VAE.for_data(normal(12), 2, likelihood=distributions.Gaussian(0.3))
    assert given.likelihood.scale == 0.3


def test_what_may_be_no_image_is_told_what_to_say(capsys):
    keras_vae.VAE.for_data(ink(784), 2)
    assert "as of flattened images of ink on paper" in (printed := capsys.readouterr().out)
    assert "columns of a table pass likelihood='gaussian'" in printed
    vae = keras_vae.VAE.for_data(ink(784), 2, likelihood="gaussian")
    assert isinstance(vae.likelihood, distributions.Gaussian)


def test_residual_networks_are_narrow_and_normalised_and_say_so(capsys):
    vae = keras_vae.VAE.for_data(bytes_of(64, 64, 1), 3, seed=0)
    printed = capsys.readouterr().out
    names = {"keras_vae": keras_vae}
    exec(printed.partition("which is\n\n")[2], names)
    for model in (vae, names["vae"]):
        assert model.encoder.get_layer("down_0").output.shape[1:] == (32, 32, 16)
        assert model.decoder.get_layer("up_1").output.shape[1:] == (32, 32, 16)
        assert any("GroupNorm" in type(layer).__name__ for layer in model.encoder.layers)
        assert any("GroupNorm" in type(layer).__name__ for layer in model.decoder.layers)
    assert printed.count("width=16, normalization='group'") == 2


def test_it_says_nothing_where_nothing_is_asked(capsys):
    keras_vae.VAE.for_data(normal(12), verbose=False)
    assert capsys.readouterr().out == ""


def test_what_is_given_is_kept(capsys):
    likelihood = distributions.StudentT()
    vae = keras_vae.VAE.for_data(100 * normal(12), 2, likelihood=likelihood, beta=3.0)
    assert vae.likelihood is likelihood and float(vae.beta) == 3.0
    assert "StudentT: as you say" in capsys.readouterr().out
    vae = keras_vae.VAE.for_data(normal(16, 12), 2, kind="series")
    assert vae.encoder.name == "conv_series_encoder"
    counts = RANDOM.poisson(3, (40, 5)).astype("float32")
    vae = keras_vae.VAE.for_data(counts, 2, likelihood="negative_binomial")
    assert isinstance(vae.likelihood, distributions.NegativeBinomial)


def test_data_and_generators_are_left_as_they_were():
    keras.utils.set_random_seed(0)
    expected = keras_vae.networks.mlp_encoder((12,), 2, (128, 64)).get_weights()[0]
    keras.utils.set_random_seed(0)
    x = normal(12)
    before = x.copy()
    vae = keras_vae.VAE.for_data(x, 2, verbose=False)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(vae.encoder.get_layer("hidden_0").kernel, expected)


def test_a_model_made_for_data_trains_on_them():
    x = RANDOM.normal(size=(64, 2)) @ RANDOM.normal(size=(2, 12))
    x = standardised(x).astype("float32")
    vae = keras_vae.VAE.for_data(x, 2, verbose=False, seed=0)
    vae.compile(keras.optimizers.Adam(1e-2))
    elbo = vae.fit(x, batch_size=16, epochs=20, verbose=0).history["elbo"]
    assert elbo[-1] > elbo[0] + 3


REFUSED = {
    "bytes": (lambda: np.zeros((4, 8, 8, 1), "uint8"), r"x.astype\('float32'\) / 255"),
    "booleans": (lambda: np.zeros((4, 8, 8, 1), bool), r"bool.*x.astype\('float32'\)"),
    "integers": (lambda: np.zeros((4, 8), int), "counts, classes or grey levels. Received: int64"),
    "whole numbers": (lambda: np.arange(40.0).reshape(4, 10), "whole numbers from 0 to 39"),
    "text": (lambda: np.array([["a", "b"]]), "For columns of text see `keras_vae.tables`"),
    "complex numbers": (lambda: np.zeros((4, 3), complex), "dtype complex128"),
    "one axis": (lambda: np.zeros(9), r"Received: shape \(9,\).*`x\[:, None\]`"),
    "no examples": (lambda: np.zeros((0, 9)), r"Received: shape \(0, 9\)"),
    "one example": (lambda: np.arange(9.0)[None] / 9, "nothing to learn. Received: one example"),
    "a constant": (lambda: np.ones((9, 9)) / 2, "nothing to learn. Received: 0.5 everywhere"),
    "infinite": (lambda: np.array([[0.0, np.inf], [1, 2]]), "infinite ones"),
    "nothing observed": (lambda: np.full((4, 3), np.nan), "NaN alone"),
    "ragged": (lambda: [np.zeros(3), np.zeros(4)], "pad_series"),
    "grey images of two axes": (lambda: bytes_of(28, 28), r"x\[..., None\].*kind='series'"),
    "channels first": (lambda: bytes_of(3, 32, 32), r"np.moveaxis\(x, 1, -1\)"),
    "many channels": (lambda: bytes_of(32, 32, 9), "up to four channels"),
    "videos": (lambda: normal(4, 8, 8, 3), r"events of shape \(4, 8, 8, 3\).*flatten"),
    "far from standardised": (lambda: 1e3 * normal(3), "Standardise them"),
    "a frame": (lambda: {"age": np.zeros(3)}, "TableVAE"),
    "a generator": (lambda: (batch for batch in [normal(3)]), "lost to training"),
    "an empty data set": (lambda: batches(normal(3)).take(0), "a data set without any"),
    "a data set of dicts": (
        lambda: tf.data.Dataset.from_tensors({"x": normal(3)}),
        "a data set of batches",
    ),
    "one grey image": (lambda: bytes_of(40)[..., None], r"one image .*\(40, 40, 1\).*x\[None\]"),
    "one colour photograph": (
        lambda: bytes_of(64, 3),
        r"one image .*Received: shape \(40, 64, 3\)",
    ),
    "one resized image": (lambda: RANDOM.random((32, 32, 3)), r"one image .*kind='series'"),
    "one grey image of two axes": (lambda: bytes_of(40), r"one image .*kind='rows'"),
    "images that are not batched": (
        lambda: tf.data.Dataset.from_tensor_slices(bytes_of(28, 28, 1)),
        r"batches of events \(28, 1\).*`dataset.batch\(128\)`",
    ),
    "images up to 255": (lambda: 255 * RANDOM.random((40, 8, 8, 1)), r"`x / 255`"),
    "a masked array": (lambda: np.ma.masked_array(normal(3)), r"x.filled\(np.nan\)"),
    "a sparse matrix": (lambda: scipy.sparse.eye(9), r"dia_matrix.*x.toarray\(\)"),
    "a ragged tensor": (lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]), "pad_series"),
    "unscaled, and a column without values": (
        lambda: np.where(np.arange(3) == 1, np.nan, 1e3 * normal(3)),
        "Standardise them",
    ),
    "a data set of bytes": (lambda: batches(np.zeros((4, 8, 8, 1), "uint8")), "/ 255"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_data_do_not_tell_is_asked_for(name):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        keras_vae.VAE.for_data(make())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"kind": "pictures"}, r"\['images', 'series', 'rows'\].*kind='pictures'"),
        ({"kind": "images"}, r"\[n, height, width, channels\] for 'images'.*\(12,\)"),
        ({"likelihood": "bernouli"}, "likelihood='bernouli'"),
        ({"likelihood": "bernoulli"}, r"within \[0, 1\]"),
        ({"verbose": "yes"}, "verbose='yes'"),
        ({"reduction": "mean"}, "explicit `beta`"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_vae.VAE.for_data(normal(12), **arguments)


def test_networks_suit_what_else_is_asked_for():
    vae = keras_vae.VAE.for_data(normal(12), 3, missing=True, verbose=False)
    assert np.isfinite(vae.encode(with_holes(normal(12)).astype("float32")).mean()).all()
    vae = keras_vae.VAE.for_data(normal(12), 3, posterior="full_covariance_normal", verbose=False)
    assert vae.encode(normal(12).astype("float32")).covariance().shape == (40, 3, 3)


def test_missing_values_are_not_hidden():
    with pytest.raises(ValueError, match=r"missing=False\. Fill them"):
        keras_vae.VAE.for_data(with_holes(normal(12)), missing=False)
