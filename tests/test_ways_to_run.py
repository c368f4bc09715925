"""Tests of other ways to run the model than `fit`, and of saving it."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    BATCH,
    IMAGE_SHAPE,
    OwnDecoder,
    OwnEncoder,
    assert_terms_add_up,
    trained_weights,
    weights_of,
)

import keras_vae

# Other ways to run it ----------------------------------------------------------------------


def test_a_training_loop_of_the_users_own_can_call_it(make_vae, images):
    # Neither compiled nor fitted.
    vae = keras_vae.VAE(make_vae().encoder, make_vae().decoder, seed=1)
    first, second = vae(images, training=True), vae(images, training=True)
    assert first.shape == images.shape
    assert np.abs(first - second).max() > 1e-4
    optimizer = keras.optimizers.SGD(0.1)
    before = weights_of(vae)
    with tf.GradientTape() as tape:
        terms = vae(images, training=True, return_pass=True).terms
        loss = tf.reduce_mean(terms["reconstruction_loss"].value + terms["kl_loss"].value)
    optimizer.apply(tape.gradient(loss, vae.trainable_weights), vae.trainable_weights)
    assert np.abs(weights_of(vae) - before).max() > 1e-3


def test_single_batches_train_and_evaluate(make_vae, images):
    vae = make_vae(eager=True)
    assert_terms_add_up(vae.train_on_batch(images, return_dict=True))
    assert_terms_add_up(vae.test_on_batch(images, return_dict=True))
    assert vae.predict_on_batch(images).shape == images.shape
    assert vae.optimizer.iterations == 1


def test_it_is_a_layer_of_another_model(make_vae, images, tmp_path):
    inputs = keras.Input(IMAGE_SHAPE)
    outer = keras.Model(inputs, make_vae()(inputs))
    outer.compile("sgd", "mse", run_eagerly=True)
    outer.fit(images, images, verbose=0)
    outer.save(tmp_path / "outer.keras")
    again = keras.saving.load_model(tmp_path / "outer.keras")
    np.testing.assert_allclose(again(images), outer(images), atol=1e-6)


def test_exported_models_reconstruct(make_vae, images, tmp_path):
    vae = make_vae()
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    again.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(
        served.reconstruct(images), vae.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_with_float32_terms(make_vae, images, policy):
    keras.config.set_dtype_policy(policy)
    try:
        vae = make_vae(likelihood=keras_vae.distributions.Gaussian(0.5, learn_scale=True))
        before = weights_of(vae)
        logs = vae.fit(images, batch_size=BATCH, verbose=0).history
        terms = vae(images, training=True, return_pass=True).terms
    finally:
        keras.config.set_dtype_policy("float32")
    assert vae.encoder.get_layer("hidden_0").compute_dtype == policy.removeprefix("mixed_")
    assert all(np.isfinite(values[0]) for values in logs.values())
    assert_terms_add_up({name: values[0] for name, values in logs.items()})
    assert {term.value.dtype for term in terms.values()} == {tf.float32}
    # Adam moves every weight that has a gradient by about its learning rate, 1e-2.
    assert np.median(np.abs(weights_of(vae) - before)) > 1e-3


@pytest.mark.slow
def test_two_replicas_train_like_one(run_python):
    printed = run_python(TWO_REPLICAS)
    one, two = (np.array(line.split(), np.float64) for line in printed.splitlines()[-2:])
    assert len(one) == 18
    np.testing.assert_allclose(two, one, rtol=1e-5)


TWO_REPLICAS = """
import contextlib, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_vae
images = np.random.default_rng(0).random((20, 4, 4, 1), dtype=np.float32)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for scope in (contextlib.nullcontext(), mirrored.scope()):
    keras.utils.set_random_seed(1)
    with scope:
        vae = keras_vae.VAE(
            keras_vae.networks.mlp_encoder((4, 4, 1), 2, hidden_sizes=[5]),
            keras_vae.networks.mlp_decoder((4, 4, 1), 2, hidden_sizes=[5]),
            seed=3,
        )
        vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    logs = vae.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    numbers = [value for name in sorted(logs) for value in logs[name]]
    numbers += [float(np.sum(np.abs(weight))) for weight in vae.trainable_weights[:4]]
    numbers += [vae.step_logs(3)["loss"], vae.step_logs(6)["kl_loss"]]
    evaluated = vae.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    numbers += [evaluated["loss"], evaluated["reconstruction_loss"]]
    print(*numbers)
"""


# Saving ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_fresh_process_continues_as_if_unbroken(make_vae, images, tmp_path, run_python):
    vae = make_vae(seed=11, likelihood=keras_vae.distributions.Gaussian(0.5, learn_scale=True))
    vae.fit(images, batch_size=BATCH, shuffle=False, epochs=2, verbose=0)
    vae.beta = 0.7
    vae.save(tmp_path / "vae.keras")
    np.save(tmp_path / "images.npy", images)
    expected = {"predicted": vae.predict(images, verbose=0), "sampled": vae.sample(4, seed=1)}
    vae.fit(images, batch_size=BATCH, shuffle=False, epochs=2, verbose=0)
    expected["trained"] = weights_of(vae)

    run_python(CONTINUE)
    found = np.load(tmp_path / "found.npz")
    assert found["iterations"] == 6
    assert found["beta"] == pytest.approx(0.7)
    for name in ("predicted", "sampled"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    np.testing.assert_array_equal(found["trained"], expected["trained"])


CONTINUE = """
import keras, keras_vae
import numpy as np
images = np.load("images.npy")
vae = keras.saving.load_model("vae.keras", safe_mode=True)
assert type(vae) is keras_vae.VAE
found = {"iterations": int(vae.optimizer.iterations), "beta": float(vae.beta)}
found["predicted"] = vae.predict(images, verbose=0)
found["sampled"] = vae.sample(4, seed=1)
vae.fit(images, batch_size=8, shuffle=False, epochs=2, verbose=0)
found["trained"] = np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])
np.savez("found.npz", **found)
"""


def test_every_argument_is_in_the_config(make_vae):
    arguments = {
        "likelihood": keras_vae.distributions.Gaussian(0.3, learn_scale=True),
        "prior": keras_vae.distributions.StandardNormal(),
        "beta": 0.25,
        "reduction": "mean",
        "seed": 12,
        "posterior": keras_vae.distributions.CouplingFlow(2),
        "free_bits": 0.5,
        "name": "named",
    }
    vae = make_vae(**arguments)
    config = vae.get_config()
    # A subclass's coefficients are in the config by their own names.
    nameless = {"self", "coefficients", "kwargs"}
    parameters = set(inspect.signature(keras_vae.VAE.__init__).parameters) - nameless
    assert parameters <= config.keys()
    again = keras_vae.VAE.from_config(config)
    assert (float(again.beta), again.reduction, again.seed, again.name) == (
        0.25,
        "mean",
        12,
        "named",
    )
    assert again.likelihood.scale == 0.3 and again.likelihood.learn_scale
    assert again.posterior.num_layers == 2 and again.free_bits == 0.5
    assert [w.shape for w in again.weights] == [w.shape for w in vae.weights]


def test_a_clone_is_untrained_and_starts_at_the_first_beta(make_vae, images):
    vae = make_vae(beta=0.25)
    vae.beta = 3.0
    clone = keras.models.clone_model(vae)
    assert float(clone.beta) == 0.25
    assert clone.encoder is not vae.encoder
    assert np.abs(weights_of(clone) - weights_of(vae)).max() > 1e-3
    clone.set_weights(vae.get_weights())
    assert float(clone.beta) == 3.0
    np.testing.assert_allclose(clone(images), vae(images), atol=1e-6)


@pytest.mark.slow
def test_subclassed_networks_train_and_round_trip(images, tmp_path):
    vae = keras_vae.VAE(OwnEncoder(3), OwnDecoder(), beta=0.5, seed=1)
    assert not vae.built and vae.event_shape is None
    with pytest.raises(ValueError, match=r"`sample` needs a built model"):
        vae.sample(1)
    vae.compile("adam", jit_compile=False)
    history = vae.fit(images, validation_data=(images,), batch_size=BATCH, verbose=0).history
    assert (vae.latent_dim, vae.event_shape) == (3, IMAGE_SHAPE)
    assert_terms_add_up({name: values[0] for name, values in history.items()})
    vae.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras", safe_mode=True)
    assert again.encoder.latent_dim == 3
    np.testing.assert_allclose(again(images), vae(images), atol=1e-6)
    np.testing.assert_array_equal(
        trained_weights(again, images, shuffle=False), trained_weights(vae, images, shuffle=False)
    )
