"""Tests of finding functions in models of every kind, and of leaving those as they were."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import model_functions
from keras_vae.encoder_outputs import Posterior
from keras_vae.keras_internals import ChangedInternalsError
from keras_vae.model_functions import ModelFunctions, undisturbed

LOC = np.array([[0.5, -1.0], [0.0, 2.0]], np.float32)
SCALE = np.array([[1.0, 0.1], [2.0, 0.5]], np.float32)
IMAGES = np.random.default_rng(0).random((2, 3, 3, 1), np.float32)


class Bare:
    """A model that offers nothing."""

    name = "bare"


def dense(units, **kwargs):
    return keras.layers.Dense(units, **kwargs)


def autoencoder():
    return keras.Sequential(
        [
            keras.Input((3, 3, 1)),
            keras.layers.Flatten(),
            dense(2),
            keras.layers.Dropout(0.5),
            dense(9, activation="sigmoid"),
            keras.layers.Reshape((3, 3, 1)),
        ]
    )


@pytest.mark.parametrize(
    "encoded",
    [
        (LOC, 2 * np.log(SCALE)),
        [tf.constant(LOC), tf.constant(2 * np.log(SCALE)), tf.constant(LOC)],
        {"loc": LOC, "scale": SCALE},
        tfd.Independent(tfd.Normal(LOC, SCALE), 1),
    ],
    ids=["tuple", "list of three", "dict", "distribution"],
)
def test_encode_understands(encoded):
    posterior = ModelFunctions(Bare(), encode=lambda images: encoded).encode(IMAGES)
    np.testing.assert_allclose(posterior.loc, LOC, rtol=1e-6)
    np.testing.assert_allclose(posterior.scale, SCALE, rtol=1e-6)


@pytest.mark.parametrize("encoded", [LOC, (LOC,), {"loc": LOC}])
def test_encode_understands_codes_alone(encoded):
    posterior = ModelFunctions(Bare(), encode=lambda images: encoded).encode(IMAGES)
    np.testing.assert_array_equal(posterior.loc, LOC)
    assert posterior.scale is None and posterior.kl() is None


def test_kl_is_that_of_tensorflow_probability():
    expected = tfd.kl_divergence(tfd.Normal(LOC, SCALE), tfd.Normal(0.0, 1.0)).numpy().mean(axis=0)
    np.testing.assert_allclose(Posterior(LOC, SCALE).kl(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ({"code": LOC}, "keys 'loc' and 'scale'.*keys.*code.*Pass `encode=`"),
        (LOC[..., None], r"means \[n, latent\].*\(2, 2, 1\).*Pass `encode=`"),
        ((LOC, LOC[:1]), r"\(2, 2\), the other \(1, 2\)"),
        ([{"a": LOC}], "Expected one array"),
    ],
)
def test_encode_says_what_it_cannot_use(encoded, message):
    with pytest.raises(ValueError, match=message):
        ModelFunctions(Bare(), encode=lambda images: encoded).encode(IMAGES)


@pytest.mark.parametrize("name", ["encode", "decode"])
def test_missing_function_is_named(name):
    with pytest.raises(ValueError, match=f"no way to {name} with Bare 'bare'.*Pass `{name}=`"):
        getattr(ModelFunctions(Bare()), name)(IMAGES)


def test_large_inputs_are_run_in_batches():
    sizes = []

    def encode(images):
        sizes.append(len(images))
        return images.reshape(len(images), -1)

    images = np.random.default_rng(0).random((600, 3, 3, 1), np.float32)
    posterior = ModelFunctions(Bare(), encode=encode).encode(images)
    assert max(sizes) == 512
    np.testing.assert_array_equal(posterior.loc, images.reshape(600, 9))


def test_reconstruct_prefers_what_is_given():
    class Model(Bare):
        def reconstruct(self, images):
            return images / 2

        encoder = staticmethod(lambda images, training: images.reshape(-1, 9))
        decoder = staticmethod(lambda codes, training: codes.reshape(-1, 3, 3, 1) / 4)

    def reconstructed(model, **given):
        return ModelFunctions(model, **given).reconstruct(IMAGES)

    np.testing.assert_array_equal(reconstructed(Model()), IMAGES / 2)
    np.testing.assert_array_equal(reconstructed(Model(), reconstruct=lambda x: x / 3), IMAGES / 3)


def test_reconstruct_of_encoder_and_decoder_uses_the_mean():
    given = {
        "encode": lambda images: (images.reshape(-1, 9), np.full((len(images), 9), -5.0)),
        "decode": lambda codes: codes.reshape(-1, 3, 3, 1) / 4,
    }
    result = ModelFunctions(Bare(), **given).reconstruct(IMAGES)
    np.testing.assert_array_equal(result, IMAGES / 4)


def test_reconstruct_by_the_model_itself_is_outside_training():
    model = autoencoder()
    functions = ModelFunctions(model)
    np.testing.assert_array_equal(functions.reconstruct(IMAGES), functions.reconstruct(IMAGES))
    np.testing.assert_allclose(functions.reconstruct(IMAGES), model(IMAGES), rtol=1e-6)


def test_reconstruct_with_and_without_grey_channel():
    result = ModelFunctions(Bare(), reconstruct=lambda x: x[..., None]).reconstruct(IMAGES[..., 0])
    np.testing.assert_array_equal(result, IMAGES[..., 0])


def test_reconstruct_of_another_shape():
    with pytest.raises(
        ValueError, match=r"Expected: \(2, 3, 3, 1\). Received: \(2, 9\). Pass `reconstruct=`"
    ):
        ModelFunctions(Bare(), reconstruct=lambda x: x.reshape(2, 9)).reconstruct(IMAGES)


def test_images_of_another_shape():
    with pytest.raises(ValueError, match=r"Images of shape \(4, 4, 1\) do not fit the model"):
        ModelFunctions(autoencoder()).reconstruct(np.zeros((2, 4, 4, 1), np.float32))


def test_decode_wants_what_can_be_drawn():
    with pytest.raises(ValueError, match=r"Received: events of shape \(784,\). Pass `decode=`"):
        ModelFunctions(Bare(), decode=lambda codes: np.zeros((2, 784))).decode(LOC)


def test_decode_takes_the_mean_of_a_distribution():
    probabilities = np.full((2, 3, 3, 1), 0.25, np.float32)
    images = ModelFunctions(Bare(), decode=lambda z: tfd.Bernoulli(probs=probabilities)).decode(LOC)
    np.testing.assert_allclose(images, probabilities)


def test_logits_are_warned_of_once():
    functions = ModelFunctions(Bare(), decode=lambda codes: np.full((2, 3, 3, 1), -7.0))
    with pytest.warns(UserWarning, match="-7 .*If they are logits.*pass `decode=") as warned:
        functions.decode(LOC)
        functions.decode(LOC)
    assert len(warned) == 1


@pytest.mark.parametrize("values", [[-0.9, 0.5], [0.2, 1.4]], ids=["tanh", "too bright"])
def test_what_would_be_drawn_black_or_white_is_warned_of(values):
    values = np.resize(np.array(values, np.float32), (2, 3, 3, 1))
    with pytest.warns(UserWarning, match=r"50% .*`decode=lambda z: \(decoder\(z\) \+ 1\) / 2`"):
        ModelFunctions(Bare(), decode=lambda codes: values).decode(LOC)
    with pytest.warns(UserWarning, match=r"`reconstruct=lambda x: \(model\(x\) \+ 1\) / 2`"):
        ModelFunctions(Bare(), reconstruct=lambda images: values).reconstruct(IMAGES)


def test_a_linear_decoder_may_overshoot(recwarn):
    values = np.resize(np.array([-0.05, 1.05], np.float32), (2, 3, 3, 1))
    ModelFunctions(Bare(), decode=lambda codes: values).decode(LOC)
    assert not recwarn


def test_reconstruct_is_what_helps_an_autoencoder_whose_code_is_no_vector():
    def encode(images):
        return images[..., None]

    with pytest.raises(ValueError, match=r"Pass `reconstruct=`.*means \[n, latent\]"):
        ModelFunctions(Bare(), encode=encode, decode=lambda z: z).reconstruct(IMAGES)


def test_latent_dim():
    model = Bare()
    assert ModelFunctions(model).latent_dim() is None
    encode = {"encode": lambda images: np.zeros((len(images), 5))}
    assert ModelFunctions(model, **encode).latent_dim(IMAGES) == 5
    decoder = keras.Sequential([keras.Input((4,)), dense(9), keras.layers.Reshape((3, 3, 1))])
    assert ModelFunctions(model, decode=decoder).latent_dim() == 4
    model.decoder = decoder
    assert ModelFunctions(model).latent_dim() == 4
    model.latent_dim = 3
    assert ModelFunctions(model).latent_dim() == 3


def test_unbuilt_model_is_recognised(make_vae):
    assert ModelFunctions(make_vae()).built
    assert ModelFunctions(autoencoder()).built
    assert not ModelFunctions(keras.Sequential([dense(3)])).built


class Restless(keras.Model):
    """Changes everything it owns at every call, whether training or not."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(0)
        self.tracker = keras.metrics.Mean(name="calls")
        self.average = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.dense = dense(3)

    def call(self, inputs, training=False):
        self.tracker.update_state(1.0)
        self.average.assign_add(1.0)
        noise = keras.random.normal(keras.ops.shape(inputs), seed=self.seed_generator)
        return self.dense(inputs) + noise + keras.random.normal((3,))


def state(model):
    variables = [*model.variables, *model.metrics_variables]
    return [variable.numpy().tolist() for variable in variables]


@pytest.mark.parametrize("made", [True, False], ids=["generator made", "generator not yet made"])
def test_undisturbed_puts_everything_back(made):
    model = Restless()
    inputs = np.ones((2, 3), np.float32)
    model(inputs)
    keras.utils.set_random_seed(5)
    keras.utils.clear_session()
    if made:
        keras.random.normal((1,))
    before, python_state = state(model), random.getstate()
    with undisturbed(model):
        first = model(inputs)
        assert state(model) != before
    assert state(model) == before
    assert random.getstate() == python_state
    with undisturbed(model):
        np.testing.assert_array_equal(model(inputs), first)


def test_undisturbed_restores_when_the_call_fails():
    model = Restless()
    model(np.ones((2, 3), np.float32))
    before = state(model)
    with pytest.raises(ZeroDivisionError), undisturbed(model):
        model(np.ones((2, 3), np.float32))
        1 / 0  # noqa: B018
    assert state(model) == before


def test_undisturbed_knows_the_model_behind_a_method():
    model = Restless()
    inputs = np.ones((2, 3), np.float32)
    model(inputs)
    before = state(model)
    # What it returns differs from call to call.
    with pytest.raises(ValueError, match="they are samples"):
        ModelFunctions(Bare(), encode=model.call).encode(inputs)
    assert state(model) == before


def test_global_noise_is_the_same_with_a_picture_in_between():
    def draws(interrupt):
        keras.utils.clear_session()
        keras.utils.set_random_seed(7)
        model = Restless()
        values = []
        for _ in range(3):
            if interrupt:
                with undisturbed(model):
                    keras.random.normal((4,))
            values.append(keras.random.normal((4,)).numpy())
        return np.stack(values)

    np.testing.assert_array_equal(draws(interrupt=True), draws(interrupt=False))


def test_a_keras_whose_internals_changed_is_not_blamed_on_the_images(monkeypatch):
    def changed():
        raise ChangedInternalsError("Keras has no longer a global generator")

    monkeypatch.setattr(model_functions, "global_seed_generator", changed)
    with pytest.raises(ChangedInternalsError, match="no longer a global generator"):
        ModelFunctions(autoencoder()).reconstruct(IMAGES)


class Published(keras.Model):
    """As many published ones: sampling draws its seed from NumPy or Python, or by TensorFlow."""

    def __init__(self, noise):
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense(2)])
        self.decoder = keras.Sequential(
            [keras.Input((2,)), dense(16), keras.layers.Reshape((4, 4, 1))]
        )
        self.noise = noise

    def encode(self, images):
        mean = self.encoder(images)
        return mean, 0 * mean, mean + self.noise(tf.shape(mean))

    def call(self, images):
        return self.decoder(self.encode(images)[2])


NOISE = {
    "legacy Keras": lambda shape: tf.random.normal(
        shape, seed=int(np.random.randint(10**6)) + random.randint(0, 10)
    ),
    "TensorFlow": tf.random.normal,
    "generator": lambda shape: tf.random.get_global_generator().normal(shape),
}


@pytest.mark.parametrize("noise", NOISE)
def test_a_model_of_foreign_noise_trains_the_same_with_and_without_pictures(
    images, tmp_path, noise
):
    from keras_vae.callbacks import ReconstructionGrid

    def weights(callbacks):
        keras.utils.set_random_seed(7)
        tf.random.set_global_generator(tf.random.Generator.from_seed(7))
        model = Published(NOISE[noise])
        model.compile("sgd", "mse", run_eagerly=True)
        model.fit(images, images, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
        return model.get_weights()

    grid = ReconstructionGrid(images[:2], tmp_path, frequency=1)
    for one, other in zip(weights([]), weights([grid]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert grid.last_pictures
