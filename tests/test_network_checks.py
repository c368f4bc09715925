"""Tests that networks which train to nothing are found before the first step."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_vae
from keras_vae.distributions import Gaussian

SHAPE = (4, 4, 1)


def encoder(outputs):
    inputs = layers.Input(SHAPE)
    hidden = layers.Dense(20, "relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, outputs(layers.Dense(2)(hidden), layers.Dense(2)(hidden)))


def decoder(activation=None, **kwargs):
    return keras.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(20, "relu"),
            layers.Dense(16, activation, **kwargs),
            layers.Reshape(SHAPE),
        ]
    )


class OwnDecoder(keras.Model):
    """A network of the user's that tells nothing of its layers."""

    def __init__(self):
        super().__init__()
        self.inner = decoder()

    def call(self, z):
        return keras.ops.sigmoid(self.inner(z))


def positive(loc, raw):
    return {"loc": loc, "scale": keras_vae.networks.PositiveScale()(raw)}


def compiled(encoder_outputs=positive, decode=None, **kwargs):
    vae = keras_vae.VAE(encoder(encoder_outputs), decode or decoder(), **kwargs)
    vae.compile("adam", run_eagerly=True)
    return vae


BOUNDED = ["sigmoid", "hard_sigmoid", "tanh", "relu", "softplus", "softmax", "exponential"]


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
@pytest.mark.parametrize("activation", BOUNDED)
def test_an_activation_in_place_of_logits_is_refused(images, likelihood, activation):
    vae = compiled(decode=decoder(activation), likelihood=likelihood)
    with pytest.raises(ValueError, match=r"must return logits.*Received: values from.*Remove that"):
        vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 0


def test_so_is_one_that_no_layer_shows(images):
    vae = compiled(decode=OwnDecoder())
    for train in (vae.fit, vae.evaluate, vae.train_on_batch):
        with pytest.raises(ValueError, match="must return logits"):
            train(images)


@pytest.mark.parametrize("kernel", ["glorot_uniform", "zeros"])
@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_logits_train_whatever_they_start_from(images, kernel, bias):
    initial = keras.initializers.Constant(bias)
    vae = compiled(decode=decoder(kernel_initializer=kernel, bias_initializer=initial))
    vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 1


def test_a_gaussian_mean_may_be_bounded(images):
    for activation in ("sigmoid", "tanh"):
        vae = compiled(decode=decoder(activation), likelihood="gaussian")
        vae.fit(images, verbose=0)
        assert vae.optimizer.iterations == 1


WRONG_SCALES = {
    "a log-variance": lambda loc, raw: {"loc": loc, "scale": raw},
    "swapped": lambda loc, raw: {"loc": keras.ops.softplus(raw), "scale": loc},
    "zero for many": lambda loc, raw: {"loc": loc, "scale": keras.ops.relu(raw)},
    "NaN": lambda loc, raw: {"loc": loc, "scale": keras.ops.sqrt(raw)},
}


@pytest.mark.parametrize("fault", WRONG_SCALES)
def test_a_scale_that_is_none_is_refused(images, fault):
    vae = compiled(WRONG_SCALES[fault])
    with pytest.raises(ValueError, match=r"above 0 as `scale`.*exp\(0.5 \* log_variance\)"):
        vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 0


def two_headed(scale_activation, names=("loc", "scale")):
    inputs = layers.Input((2,))
    loc, scale = (
        layers.Reshape(SHAPE)(layers.Dense(16, activation)(inputs))
        for activation in (None, scale_activation)
    )
    return keras.Model(inputs, dict(zip(names, (loc, scale), strict=True)))


def test_a_decoders_own_scale_must_be_positive_and_named(images):
    compiled(decode=two_headed("softplus"), likelihood="gaussian").fit(images, verbose=0)
    for decode, message in (
        (two_headed(None), "above 0 as `scale`"),
        (two_headed("softplus", ("mean", "std")), r"dict of `loc` and `scale`.*\['mean', 'std'\]"),
    ):
        vae = compiled(decode=decode, likelihood=Gaussian(1.0))
        with pytest.raises(ValueError, match=message):
            vae.fit(images, verbose=0)


def test_outputs_that_no_likelihood_takes_are_refused(images):
    with pytest.raises(ValueError, match=r"must return logits, one array.*dict with \['loc', 'sc"):
        compiled(decode=two_headed("softplus")).fit(images, verbose=0)
    inputs = layers.Input((2,))
    pixels = [layers.Reshape(SHAPE)(layers.Dense(16)(inputs)) for _ in range(2)]
    with pytest.raises(ValueError, match=r"one array or a dict.*Received: a list of 2 outputs"):
        compiled(decode=keras.Model(inputs, pixels))


@pytest.mark.slow
def test_a_shipped_model_passes():
    vae = keras_vae.VAE.from_preset("mnist_seed")
    images = np.random.default_rng(0).random((4, 28, 28, 1), dtype=np.float32)
    vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 1
