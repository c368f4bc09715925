"""Tests that the condition reaches both networks, in every form, and that others are refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import evaluation
from keras_vae.objectives import ConditionalVAE

CLASSES = 3
LABELS = np.arange(20) % CLASSES


@pytest.fixture
def make_cvae():
    """Builds a tiny compiled model of images in three classes."""

    def make(condition_dim=CLASSES, **kwargs):
        compile_kwargs = {"run_eagerly": True, **kwargs.pop("compile_kwargs", {})}
        keras.utils.set_random_seed(1)
        vae = ConditionalVAE(
            keras_vae.networks.mlp_encoder((4, 4, 1), 2, [5]),
            keras_vae.networks.mlp_decoder((4, 4, 1), 2 + condition_dim, [5]),
            condition_dim=condition_dim,
            **{"seed": 3, **kwargs},
        )
        vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False, **compile_kwargs)
        return vae

    return make


def test_the_condition_is_appended_to_the_code_and_added_to_the_image(make_cvae, images):
    vae = make_cvae()
    vectors = np.eye(CLASSES, dtype="float32")[LABELS]
    learned = vae.condition_image(vectors)
    np.testing.assert_allclose(
        vae.encode(images, LABELS).mean(), vae.encoder(images + learned)["loc"], atol=1e-6
    )
    z = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    logits = vae.decoder(np.concatenate([z, vectors], axis=1))
    mean = vae.decode(z, LABELS).mean()
    np.testing.assert_allclose(mean, tf.nn.sigmoid(logits), atol=1e-6)
    np.testing.assert_allclose(
        vae.reconstruct(images, condition=LABELS),
        vae.decode(vae.embed(images, condition=LABELS), LABELS).mean(),
        atol=1e-6,
    )


def test_the_loss_is_the_bound_given_the_condition(make_cvae, images):
    vae = make_cvae(beta=2.0)
    noise = vae.noise(20, (vae.latent_dim,), training=True)
    posterior = vae.encode(images, LABELS)
    likelihood = vae.decode(posterior.mean() + posterior.stddev() * noise, LABELS)
    distortion = -np.mean(likelihood.log_prob(images))
    kl = np.mean(vae.kl_divergence(posterior, None))
    logs = vae.train_on_batch(images, LABELS, return_dict=True)
    assert logs["loss"] == pytest.approx(distortion + 2 * kl, rel=1e-5)


def test_every_form_of_a_condition_says_the_same(make_cvae, images):
    vae = make_cvae()
    one_hot = np.eye(CLASSES)[LABELS]
    expected = vae.embed(images, condition=LABELS)
    assert np.abs(expected - vae.embed(images, condition=(LABELS + 1) % CLASSES)).max() > 1e-2
    forms = [
        LABELS.astype("uint8"),
        LABELS[:, None],
        one_hot,
        one_hot.astype("int32"),
        list(LABELS),
    ]
    for form in forms:
        np.testing.assert_allclose(vae.embed(images, condition=form), expected, atol=1e-6)
        in_batches = vae.embed(images, batch_size=6, condition=form)
        np.testing.assert_allclose(in_batches, expected, atol=1e-6)


def test_without_a_condition_no_class_is_meant(make_cvae, images):
    vae = make_cvae()
    share = np.full((20, CLASSES), 1 / CLASSES, "float32")
    np.testing.assert_allclose(vae.embed(images), vae.embed(images, condition=share), atol=1e-6)


@pytest.mark.parametrize("batch_size", [6, 1024])
def test_one_condition_serves_all(make_cvae, images, batch_size):
    vae = make_cvae()
    ones = vae.reconstruct(images, batch_size, condition=np.ones(20, int))
    for one in (1, [1], [[0.0, 1.0, 0.0]]):
        np.testing.assert_allclose(vae.reconstruct(images, batch_size, one), ones, atol=1e-6)
    assert np.abs(vae.reconstruct(images, batch_size, 2) - ones).max() > 1e-2


def test_predictions_go_with_the_labels_of_a_data_set(make_cvae, images):
    vae = make_cvae(compile_kwargs={"run_eagerly": False})
    np.testing.assert_allclose(vae.predict(images, verbose=0), vae.reconstruct(images), atol=1e-5)
    pairs = tf.data.Dataset.from_tensor_slices((images, LABELS)).batch(8)
    expected = vae.reconstruct(images, condition=LABELS)
    np.testing.assert_allclose(vae.predict(pairs, verbose=0), expected, atol=1e-5)


def test_a_plain_vae_refuses_conditions(make_vae, images):
    vae = make_vae(eager=True)
    for ask in (vae.encode, vae.reconstruct, vae.embed):
        with pytest.raises(ValueError, match=r"A VAE takes no conditions; .*ConditionalVAE"):
            ask(images, condition=1)
    with pytest.raises(ValueError, match="takes no conditions"):
        vae.sample(3, condition=1)


def test_it_samples_the_class_that_is_asked_for(make_cvae):
    # Images of one class are dark, of another bright.
    levels = np.array([0.1, 0.5, 0.9], "float32")
    labels = np.tile(LABELS, 60)
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, size=(len(labels), 4, 4, 1))
    images = np.float32(levels[labels][:, None, None, None] + noise)
    vae = make_cvae(compile_kwargs={"run_eagerly": False})
    vae.fit(images, labels, batch_size=10, epochs=3, verbose=0)
    for number, level in enumerate(levels):
        drawn = vae.sample(64, seed=1, condition=number)
        assert np.mean(drawn) == pytest.approx(level, abs=0.1)
    means = np.mean(vae.sample(6, seed=1, condition=np.arange(6) % CLASSES), axis=(1, 2, 3))
    np.testing.assert_allclose(means, np.tile(levels, 2), atol=0.15)


def test_data_sets_of_pairs_and_sample_weights_train_as_arrays_do(make_cvae, images):
    weights = np.linspace(0, 1, 20, dtype="float32")
    data = tf.data.Dataset.from_tensor_slices((images, LABELS, weights)).batch(10)
    from_arrays, from_data = make_cvae(), make_cvae()
    expected = from_arrays.fit(
        images, LABELS, sample_weight=weights, batch_size=10, shuffle=False, verbose=0
    ).history
    found = from_data.fit(data, verbose=0).history
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert from_data.evaluate(data, verbose=0) == pytest.approx(
        from_arrays.evaluate(images, LABELS, 10, 0, sample_weight=weights)
    )


def test_vectors_of_numbers_are_conditions_too(make_cvae, images):
    brightness = images.mean(axis=(1, 2, 3))
    vae = make_cvae(condition_dim=1)
    logs = vae.fit(images, brightness, validation_data=(images, brightness), verbose=0).history
    assert np.isfinite(logs["val_loss"][0])
    dark = vae.embed(images, condition=0.25)
    np.testing.assert_allclose(dark, vae.embed(images, condition=np.full((20, 1), 0.25)), atol=1e-6)


def test_compiled_metrics_see_images(make_cvae, images):
    vae = make_cvae(compile_kwargs={"metrics": ["mse"]})
    logs = vae.train_on_batch(images, LABELS, return_dict=True)
    assert 0 < logs["mse"] < 1


def test_networks_that_are_not_built_yet_are_built_by_the_first_pairs(images):
    @keras.saving.register_keras_serializable("tests")
    class LateEncoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.loc = keras.layers.Dense(2)
            self.scale = keras.layers.Dense(2, "softplus")
            self.flatten = keras.layers.Flatten()

        def call(self, x):
            return {"loc": self.loc(self.flatten(x)), "scale": self.scale(self.flatten(x))}

    decoder = keras_vae.networks.mlp_decoder((4, 4, 1), 2 + CLASSES, [5])
    vae = ConditionalVAE(LateEncoder(), decoder, condition_dim=CLASSES)
    vae.compile("adam", run_eagerly=True)
    vae.fit(images, LABELS, verbose=0)
    assert vae.event_shape == (4, 4, 1)
    assert vae.embed(images, condition=LABELS).shape == (20, 2)


# Wrong use ---------------------------------------------------------------------------------


WITHOUT = {
    "images": lambda x: {"x": x},
    "weights alone": lambda x: {"x": x, "sample_weight": np.ones(20)},
    "validation": lambda x: {"x": x, "y": LABELS, "validation_data": (x,)},
    "data set": lambda x: {"x": tf.data.Dataset.from_tensor_slices(x).batch(10)},
}


@pytest.mark.parametrize("data", WITHOUT)
def test_images_without_conditions_are_refused(make_cvae, images, data):
    vae = make_cvae()
    with pytest.raises(ValueError, match=r"needs a condition for every image.*images alone"):
        vae.fit(verbose=0, **WITHOUT[data](images))
    assert vae.optimizer.iterations == 0


WRONG = {
    "too large": (LABELS + 1, r"integers from 0 to 2.*Received: class numbers from 1 to 3"),
    "negative": (LABELS - 1, r"Received: class numbers from -1 to 1"),
    "floats": (LABELS.astype("float32"), r"Received: float32 of shape \[20\]"),
    "vectors": (np.zeros((20, 4)), r"3 numbers each. Received: float64 of shape \[20, 4\]"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_conditions_that_do_not_fit_are_refused_before_the_first_step(make_cvae, images, fault):
    labels, message = WRONG[fault]
    vae = make_cvae()
    with pytest.raises(ValueError, match=message):
        vae.fit(images, labels, verbose=0)
    with pytest.raises(ValueError, match=message):
        vae.fit(images, LABELS, validation_data=(images, labels), verbose=0)
    with pytest.raises(ValueError, match=message):
        vae.evaluate(images, labels, verbose=0)
    with pytest.raises(ValueError, match=message):
        vae.embed(images, condition=labels)
    assert vae.optimizer.iterations == 0


def test_a_class_out_of_range_in_a_data_set_stops_the_step_that_meets_it(make_cvae, images):
    labels = np.where(np.arange(20) < 10, LABELS, CLASSES)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(10)
    vae = make_cvae(compile_kwargs={"run_eagerly": False})
    with pytest.raises(tf.errors.InvalidArgumentError, match="integers from 0 to 2"):
        vae.fit(data, verbose=0)
    assert vae.optimizer.iterations == 1


def test_integer_images_are_refused_as_everywhere(make_cvae, images):
    vae = make_cvae()
    for condition in (None, LABELS):
        with pytest.raises(ValueError, match=r"must be floating point.*Received: dtype uint8"):
            vae.embed(np.uint8(255 * images), condition=condition)


def test_a_decoder_without_room_for_the_condition_is_refused():
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), 2, [5])
    decoder = keras_vae.networks.mlp_decoder((4, 4, 1), 2, [5])
    with pytest.raises(
        ValueError, match=r"2 latents, for which the decoder must take 5.*latent_dim=5"
    ):
        ConditionalVAE(encoder, decoder, condition_dim=3)
    with pytest.raises(ValueError, match=r"`condition_dim`. Expected a positive.*condition_dim=0"):
        ConditionalVAE(encoder, decoder, condition_dim=0)


# Evaluation --------------------------------------------------------------------------------


def test_evaluation_goes_with_the_labels(make_cvae, images):
    vae = make_cvae()
    found = evaluation.evaluate_elbo(vae, (images, LABELS), progress=False)
    posterior = vae.encode(images, LABELS)
    rate = np.mean(vae.kl_divergence(posterior, None))
    assert found["rate"] == pytest.approx(rate, rel=1e-5)
    z = posterior.sample(seed=tf.constant([0, 0]))
    distortion = -np.mean(vae.decode(z, LABELS).log_prob(images))
    assert found["distortion"] == pytest.approx(distortion, rel=1e-5)
    data = tf.data.Dataset.from_tensor_slices((images, LABELS)).batch(20)
    assert evaluation.evaluate_elbo(vae, data, progress=False) == found
    other = evaluation.evaluate_elbo(vae, (images, (LABELS + 1) % CLASSES), progress=False)
    assert abs(other["elbo"] - found["elbo"]) > 1e-3

    one = evaluation.log_likelihood(vae, (images, LABELS), num_samples=1, progress=False)
    many = evaluation.log_likelihood(vae, (images, LABELS), num_samples=200, progress=False)
    assert one["log_likelihood"] == pytest.approx(found["elbo"], abs=1.0)
    assert many["log_likelihood"] > found["elbo"]
    statistics = evaluation.latent_statistics(vae, data, progress=False)
    assert sum(statistics["kl_per_dimension"]) == pytest.approx(rate, rel=1e-5)
    error = evaluation.reconstruction_error(vae, data, progress=False)["mean_squared_error"]
    own = np.mean((images - vae.reconstruct(images, condition=LABELS)) ** 2)
    assert error == pytest.approx(own, rel=1e-5)


def test_evaluation_asks_for_labels(make_cvae, images):
    for data in (images, tf.data.Dataset.from_tensor_slices(images).batch(10)):
        with pytest.raises(ValueError, match="needs a condition for every image"):
            evaluation.evaluate_elbo(make_cvae(), data, progress=False)


def test_an_interpolation_keeps_the_condition_of_its_pair(make_cvae):
    vae = make_cvae()
    x, labels = np.random.default_rng(0).random((2, 3, 4, 4, 1), dtype=np.float32), [0, 2, 1]
    walked = vae.interpolate(*x, num_steps=4, condition=np.array(labels))
    for index, label in enumerate(labels):
        ends = [vae.embed(x[side, [index]], condition=np.array([label])) for side in (0, 1)]
        found = vae.decode((2 * ends[0] + ends[1]) / 3, condition=np.array([label])).mean()
        np.testing.assert_allclose(walked[index, 1], found[0], atol=1e-5)
