"""Tests of reading encoders of every convention: what is told apart, and what is asked for."""

import warnings

import keras
import numpy as np
import pytest

from keras_vae.model_functions import ModelFunctions

LOC = np.array([[0.5, -1.0], [0.0, 2.0]], np.float32)
SCALE = np.array([[1.0, 0.1], [2.0, 0.5]], np.float32)
LOG_VARIANCE = 2 * np.log(SCALE)
IMAGES = np.random.default_rng(0).random((2, 3, 3, 1), np.float32)


class Bare:
    """A model that offers nothing."""

    name = "bare"


def encoded(encode):
    return ModelFunctions(Bare(), encode=encode).encode(IMAGES)


def noisy():
    """A function that gives another sample at every call."""
    generator = np.random.default_rng(1)
    return lambda: LOC + SCALE * generator.standard_normal(LOC.shape).astype(np.float32)


def assert_understood(posterior):
    np.testing.assert_allclose(posterior.loc, LOC, rtol=1e-6)
    np.testing.assert_allclose(posterior.scale, SCALE, rtol=1e-6)


@pytest.mark.parametrize(
    "keys",
    [
        ("mean", "std", SCALE),
        ("mu", "sigma", SCALE),
        ("z_mean", "z_log_var", LOG_VARIANCE),
        ("loc", "logvar", LOG_VARIANCE),
        ("mean", "log_variance", LOG_VARIANCE),
    ],
    ids=lambda keys: keys[1],
)
def test_names_in_a_dict(keys):
    mean, spread, values = keys
    assert_understood(encoded(lambda x: {mean: LOC, spread: values, "z": LOC + 1}))


@pytest.mark.parametrize(
    "keys", [("mu", "sigma_squared", "std", "scale"), ("z",), ("std", "log_var")]
)
def test_dict_that_does_not_tell_lists_the_known_names(keys):
    with pytest.raises(ValueError, match=r"loc, mean, mu; scale, std.*log_var.*Received: keys"):
        encoded(lambda x: dict.fromkeys(keys, LOC))


def test_sample_last():
    sample = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_understood(encoded(lambda x: (LOC, LOG_VARIANCE, sample())))


def test_sample_first_is_recognised_and_said_once():
    sample = noisy()
    functions = ModelFunctions(Bare(), encode=lambda x: (sample(), LOC, LOG_VARIANCE))
    with pytest.warns(UserWarning, match=r"first output is a sample.*places 1 and 2") as warned:
        assert_understood(functions.encode(IMAGES))
        assert_understood(functions.encode(IMAGES))
    assert len(warned) == 1


def test_mean_in_place_of_the_sample_outside_training():
    assert_understood(encoded(lambda x: (LOC, LOG_VARIANCE, LOC)))
    with pytest.warns(UserWarning, match="repeats the mean"):
        assert_understood(encoded(lambda x: (LOC, LOC, LOG_VARIANCE)))


def test_three_arrays_that_cannot_be_told_apart_are_asked_about():
    with pytest.raises(ValueError, match=r"returns 3 arrays.*cannot be told. Pass `encode=`"):
        encoded(lambda x: (LOC + 1, LOC, LOG_VARIANCE))


@pytest.mark.parametrize("place", [0, 1])
def test_a_pair_with_a_sample_is_asked_about(place):
    sample = noisy()
    with pytest.raises(ValueError, match="returns 2 arrays, of which 1 differed"):
        encoded(lambda x: (sample(), LOC) if place == 0 else (LOC, sample()))


def test_standard_deviations_without_a_name_are_asked_about():
    with pytest.raises(ValueError, match=r"place 1 is positive everywhere.*dict that names them"):
        encoded(lambda x: (LOC, SCALE))


def test_code_that_is_sampled_is_refused():
    sample = noisy()
    with pytest.raises(ValueError, match=r"they are samples.*Pass `encode=`"):
        encoded(lambda x: sample())


def functional(name, activation=None):
    image = keras.Input((3, 3, 1))
    flat = keras.layers.Flatten()(image)
    mean = keras.layers.Dense(2, name="z_mean")(flat)
    # Positive for the images, whatever the activation is.
    ones = {"kernel_initializer": "ones", "activation": activation}
    return keras.Model(image, [mean, keras.layers.Dense(2, name=name, **ones)(flat)])


def test_names_of_the_outputs_of_a_functional_model():
    encoder = functional("z_std", "softplus")
    mean, spread = (np.asarray(output) for output in encoder(IMAGES))
    for encode in (encoder, encoder.predict):
        posterior = encoded(encode)
        np.testing.assert_allclose(posterior.loc, mean, rtol=1e-5)
        np.testing.assert_allclose(posterior.scale, spread, rtol=1e-5)
    spread = np.asarray(functional("z_log_var")(IMAGES)[1])
    np.testing.assert_allclose(
        encoded(functional("z_log_var")).scale, np.exp(0.5 * spread), rtol=1e-5
    )


def test_log_variances_that_happen_to_be_positive_show_on_other_images():
    encoder = functional("head")
    spread = np.asarray(encoder(IMAGES)[1])
    assert (spread > 0).all()
    np.testing.assert_allclose(encoded(encoder).scale, np.exp(0.5 * spread), rtol=1e-5)
    with pytest.raises(ValueError, match="positive everywhere"):
        encoded(functional("head", "softplus"))
