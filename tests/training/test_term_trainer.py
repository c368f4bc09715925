"""Tests that a model which is no VAE can stand on the trainer: here a tiny vector-quantised one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.callbacks import ELBOLogger, Resume, ValueSchedule
from keras_vae.training import LoggedMean, Pass, Term, TermTrainer
from keras_vae.training.data_checks import DataCheck


@keras.saving.register_keras_serializable("tests")
class Quantizer(TermTrainer):
    """Images as the nearest of eight codes, with a codebook loss and a weighted commitment."""

    def __init__(self, commitment=0.25, noise_level=0.0, **kwargs):
        super().__init__({"commitment": commitment}, **kwargs)
        self.noise_level = noise_level
        self.encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
        self.decoder = keras.Sequential([keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))])

    def build(self, input_shape):
        self.encoder.build(input_shape)
        self.decoder.build((None, 3))
        self.codes = self.add_weight(shape=(8, 3), name="codes")
        self.built = True

    def call(self, x, training=False, return_pass=False):
        code = self.encoder(x)
        distances = tf.reduce_sum((code[:, None] - self.codes) ** 2, axis=-1)
        chosen = tf.argmin(distances, axis=1)
        nearest = tf.gather(tf.convert_to_tensor(self.codes), chosen)
        output = self.decoder(code + tf.stop_gradient(nearest - code))
        if not (training or return_pass):
            return output
        error = tf.reduce_sum((x - output) ** 2, axis=(1, 2, 3))
        error += self.noise_level * self.noise(tf.shape(x)[0], (), training)
        result = Pass(
            output,
            {
                "reconstruction_loss": Term(1.0, error, size=16),
                "codebook_loss": Term(
                    1.0, tf.reduce_sum((tf.stop_gradient(code) - nearest) ** 2, 1)
                ),
                "commitment_loss": Term(
                    self.commitment, tf.reduce_sum((code - tf.stop_gradient(nearest)) ** 2, 1)
                ),
                "distance": Term(None, tf.reduce_min(distances, axis=1)),
            },
            {"largest_code": LoggedMean(tf.cast(chosen, tf.float32))},
        )
        return result if return_pass else output

    def symbolic_inputs(self):
        return (keras.KerasTensor((None, 4, 4, 1)),)

    def data_check(self):
        return DataCheck((4, 4, 1), 0.0, 1.0)

    def get_config(self):
        return {**super().get_config(), "noise_level": self.noise_level}


def make(**kwargs):
    keras.utils.set_random_seed(1)
    model = Quantizer(seed=3, **kwargs)
    model.build((None, 4, 4, 1))
    return model


def compiled(model, **kwargs):
    model.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **kwargs})
    return model


def assert_terms_add_up(logs, commitment, prefix=""):
    total = sum(logs[prefix + name] for name in ("reconstruction_loss", "codebook_loss"))
    total += commitment * logs[prefix + "commitment_loss"]
    assert logs[prefix + "loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 4, "jit_compile": True}])
def test_it_trains_validates_and_logs_its_own_terms(images, options):
    model = compiled(make(commitment=0.5), **options)
    history = model.fit(images, validation_data=images, batch_size=8, epochs=30, verbose=0).history
    first, last = ({name: values[at] for name, values in history.items()} for at in (0, -1))
    for logs in (first, last):
        assert_terms_add_up(logs, 0.5)
        assert_terms_add_up(logs, 0.5, "val_")
    assert last["val_loss"] < 0.8 * first["val_loss"]
    assert "kl_loss" not in last and "beta" not in last
    # What is only logged is the other terms' distance, since nothing else is.
    assert last["val_distance"] == pytest.approx(last["val_commitment_loss"], rel=1e-5)


def test_terms_and_means_are_those_of_numpy(images):
    model = compiled(make(), run_eagerly=True)
    weights = np.linspace(0, 2, 20, dtype="float32")
    logs = model.test_on_batch(images, sample_weight=weights, return_dict=True)
    code = np.asarray(model.encoder(images))
    distances = ((code[:, None] - np.asarray(model.codes)) ** 2).sum(-1)
    error = ((images - np.asarray(model(images))) ** 2).sum((1, 2, 3))
    assert logs["reconstruction_loss"] == pytest.approx(np.mean(weights * error) / 16, rel=1e-5)
    assert logs["distance"] == pytest.approx(np.mean(weights * distances.min(1)), rel=1e-5)
    # A logged mean is over examples, each as its weight counts; a term is a mean over the batch.
    largest = np.average(distances.argmin(1), weights=weights)
    assert logs["largest_code"] == pytest.approx(largest, rel=1e-5)


def test_a_coefficient_is_moved_by_plain_numbers_and_schedules_and_saved(images, tmp_path):
    model = compiled(make())
    model.fit(images, verbose=0)
    model.commitment = 2
    logs = model.fit(images, batch_size=20, verbose=0).history
    assert_terms_add_up({name: values[0] for name, values in logs.items()}, 2.0)
    schedule = ValueSchedule("commitment", start=0.0, end=3.0, warmup_steps=1)
    model.fit(images, verbose=0, callbacks=[schedule])
    assert float(model.commitment) == 3.0
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(again.commitment) == 3.0 and again.get_config()["commitment"] == 0.25
    np.testing.assert_allclose(again.predict(images, verbose=0), model(images), atol=1e-6)
    for value in (-1, float("nan"), "high", True):
        with pytest.raises(ValueError, match=r"`commitment`. Expected a finite number of at least"):
            model.commitment = value


def test_noise_is_the_steps_own_and_evaluations_the_same_every_time(images):
    model = compiled(make(noise_level=1.0), run_eagerly=True)
    first, again = (model.evaluate(images, verbose=0, return_dict=True) for _ in range(2))
    assert first == again
    quiet = compiled(make(), run_eagerly=True).evaluate(images, verbose=0, return_dict=True)
    assert abs(first["reconstruction_loss"] - quiet["reconstruction_loss"]) > 1e-3
    one, other = (
        compiled(make(noise_level=1.0), run_eagerly=True).train_on_batch(images, return_dict=True)
        for _ in range(2)
    )
    assert one == other


def test_callbacks_and_resume_work_on_it(images, tmp_path):
    names = ("loss", "commitment_loss")
    whole = compiled(make(noise_level=0.1))
    whole.fit(images, shuffle=False, epochs=4, verbose=0)
    for epochs in (2, 4):
        model = compiled(make(noise_level=0.1))
        logger = ELBOLogger(tmp_path, names=names, print_table=False)
        callbacks = [Resume(tmp_path), logger]
        model.fit(images, shuffle=False, epochs=epochs, verbose=0, callbacks=callbacks)
    assert [row["step"] for row in logger.rows] == [1, 2, 4]
    for found, expected in zip(model.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


class Counting(Quantizer):
    """Counts the training steps by what a pass has to update."""

    def build(self, input_shape):
        super().build(input_shape)
        self.steps = self.add_weight(initializer="zeros", trainable=False, name="steps")

    def call(self, x, training=False, return_pass=False):
        result = super().call(x, training, return_pass)
        if not return_pass:
            return result
        return result._replace(update=lambda: self.steps.assign_add(1.0))


COMPILED = {"steps_per_execution": 2, "jit_compile": True}


@pytest.mark.parametrize("options", [{}, pytest.param(COMPILED, marks=pytest.mark.slow)])
def test_what_a_pass_updates_is_updated_once_a_training_step(images, options):
    model = compiled(Counting(seed=3), **options)
    model.build((None, 4, 4, 1))
    model.fit(images, validation_data=images, batch_size=8, epochs=2, verbose=0)
    model.evaluate(images, verbose=0)
    model(images, training=True)
    assert float(model.steps) == 6


def test_its_data_are_checked_and_a_loss_of_keras_is_refused(images):
    model = compiled(make())
    with pytest.raises(ValueError, match=r"must be within \[0, 1\].*Received: values from"):
        model.fit(255 * images, verbose=0)
    with pytest.raises(ValueError, match=r"A Quantizer computes its own loss.*without"):
        model.compile("adam", loss="mse")


@pytest.mark.exhaustive
def test_replicas_share_out_the_noise_of_one_but_for_parts_of_different_sizes(run_python):
    printed = run_python(NOISE_OF_TWO_REPLICAS)
    one, even, uneven = (
        [float(number) for number in line.split()] for line in printed.splitlines()[-3:]
    )
    assert even == one and len(set(one)) == len(one)
    # The limit that `noise` names. Radii of Box and Muller's method show what raw bits two draws
    # have in common.
    assert len(set(uneven)) < len(uneven) == 2 * (3 + 2)


NOISE_OF_TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_vae
from keras_vae.training import term_trainer

def with_radii(shape, seed):
    noise = normal(shape, seed)
    bits = tf.random.stateless_uniform(
        [2, *shape], seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return tf.stack([noise, tf.cast(bits[0] // 256, tf.float32)], axis=-1)

normal, term_trainer.standard_normal = term_trainer.standard_normal, with_radii
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with mirrored.scope():
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder((4, 4, 1), 2, hidden_sizes=[5]),
        keras_vae.networks.mlp_decoder((4, 4, 1), 2, hidden_sizes=[5]),
        seed=3,
    )
    vae.compile("adam")

def of_replicas(*sizes):
    sizes = mirrored.experimental_distribute_values_from_function(
        lambda context: tf.constant(sizes[context.replica_id_in_sync_group])
    )
    noise = mirrored.run(lambda size: vae.noise(size, (), training=True), args=(sizes,))
    return tf.concat(mirrored.experimental_local_results(noise), axis=0).numpy().ravel()

print(*vae.noise(6, (), training=True).numpy().ravel())
print(*of_replicas(3, 3))
print(*of_replicas(3, 2))
"""
