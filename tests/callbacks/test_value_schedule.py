import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.callbacks.beta_schedule import BetaSchedule
from keras_vae.callbacks.capacity_schedule import CapacitySchedule
from keras_vae.callbacks.value_schedule import ValueSchedule


class Scheduled(keras.Model):
    """A model whose loss is its temperature, so that the logs show what training saw."""

    def __init__(self, temperature="variable"):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        if isinstance(temperature, str) and temperature == "variable":
            self.temperature = self.add_weight(shape=(), trainable=False, name="temperature")
        elif isinstance(temperature, str):
            self.temperature = tf.Variable(0.0, trainable=False)
        elif temperature is not None:
            self.temperature = temperature

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(y_pred) * 0 + self.temperature


class Losses(keras.callbacks.Callback):
    """Each execution's last loss, from running means over equal batches."""

    def on_train_begin(self, logs=None):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(self.model.temperature))


def train(model, *callbacks, num_batches=4, **kwargs):
    x = np.ones((num_batches, 1), np.float32)
    seen = Losses()
    history = model.fit(x, batch_size=1, verbose=0, callbacks=[*callbacks, seen], **kwargs)
    return seen.losses, history.history


def compiled(model=None, **kwargs):
    model = model or Scheduled()
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False, **kwargs)
    return model


def test_linear():
    schedule = ValueSchedule("beta", "linear", start=1.0, end=3.0, warmup_steps=4)
    assert [schedule.value(step) for step in range(6)] == [1.0, 1.5, 2.0, 2.5, 3.0, 3.0]


def test_cosine():
    schedule = ValueSchedule("beta", "cosine", end=2.0, warmup_steps=10)
    expected = [1 - math.cos(math.pi * step / 10) for step in range(11)]
    np.testing.assert_allclose([schedule.value(step) for step in range(11)], expected, atol=1e-12)
    assert schedule.value(11) == 2.0


def test_sigmoid():
    schedule = ValueSchedule("beta", "sigmoid", end=4.0, warmup_steps=8)
    values = np.array([schedule.value(step) for step in range(10)])
    logistic = 1 / (1 + np.exp(-12 * (np.arange(9) / 8 - 0.5)))
    expected = 4 * (logistic - logistic[0]) / (logistic[-1] - logistic[0])
    np.testing.assert_allclose(values[:9], expected, atol=1e-12)
    assert (values[0], values[4], values[8], values[9]) == pytest.approx((0, 2, 4, 4))


def test_cyclical():
    schedule = ValueSchedule("beta", "cyclical", warmup_steps=20, num_cycles=2, rise=0.5)
    cycle = [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1]
    values = [schedule.value(step) for step in range(23)]
    np.testing.assert_allclose(values, [*cycle, *cycle, 1, 1, 1], atol=1e-12)


def test_any_function_of_the_step():
    decay = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    assert ValueSchedule("beta", decay).value(3) == pytest.approx(0.125)
    assert ValueSchedule("beta", lambda step: step**2).value(3) == 9.0


@pytest.mark.parametrize("kind", ["variable", "tensorflow"])
def test_training_sees_the_value_of_each_step(kind):
    schedule = ValueSchedule("temperature", lambda step: 10.0 + step)
    model = compiled(Scheduled(kind))
    values, history = train(model, schedule, epochs=2)
    assert values == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]
    # The compiled loss is the variable, not what it was when the step was traced.
    np.testing.assert_allclose(history["loss"], [11.5, 15.5])
    assert history["temperature"] == [13.0, 17.0]


def test_warm_up_in_epochs():
    schedule = ValueSchedule("temperature", warmup_epochs=1.5)
    values, _ = train(compiled(), schedule, epochs=2)
    np.testing.assert_allclose(values, [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1], rtol=1e-6)


def test_an_execution_of_several_steps_has_the_value_of_its_first():
    schedule = ValueSchedule("temperature", lambda step: float(step))
    model = compiled(steps_per_execution=2)
    # Three batches an epoch: the second execution of each has one step.
    values, history = train(model, schedule, num_batches=3, epochs=2)
    assert values == [0.0, 2.0, 3.0, 5.0]
    np.testing.assert_allclose(history["loss"], [2 / 3, 11 / 3])


def test_a_property_that_assigns_will_do(make_vae, images):
    vae = make_vae()
    schedule = ValueSchedule("beta", lambda step: 1.0 + step)
    history = vae.fit(images, batch_size=10, verbose=0, callbacks=[schedule]).history
    assert float(vae.beta) == 2.0
    assert [vae.step_logs(step)["beta"] for step in (1, 2)] == [1.0, 2.0]
    # The model logs a mean over the epoch itself.
    assert 1.0 < history["beta"][0] < 2.0


def test_goes_on_after_saving_and_loading(make_vae, images, tmp_path):
    def fit(vae, epochs):
        schedule = ValueSchedule("beta", warmup_steps=12)
        vae.fit(images, batch_size=5, epochs=epochs, verbose=0, callbacks=[schedule])
        return [vae.step_logs(step)["beta"] for step in range(1, 9) if vae.step_logs(step)]

    vae = make_vae()
    first = fit(vae, 1)
    vae.save(tmp_path / "vae.keras")
    vae = keras.saving.load_model(tmp_path / "vae.keras")
    assert float(vae.beta) == pytest.approx(3 / 12)
    second = fit(vae, 1)
    expected = [step / 12 for step in range(8)]
    np.testing.assert_allclose([*first, *second[-4:]], expected, rtol=1e-6)


def test_goes_on_after_a_run_was_killed(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def run(*callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        model = Scheduled()
        model(np.ones((1, 1)))
        compiled(model)
        schedule = ValueSchedule("temperature", lambda step: float(step))
        return train(model, schedule, backup, *callbacks, epochs=2)[0]

    with pytest.raises(KeyboardInterrupt):
        run(Kill())
    assert run() == [4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("temperature", "message"),
    [
        (0.5, "is 0.5, a value that compiling builds into the training step.*add_weight"),
        (None, "no attribute `temperature`.*add_weight"),
        (tf.Variable([0.0, 1.0]), "must be a scalar"),
    ],
)
def test_what_cannot_be_scheduled_is_an_error_before_the_first_step(temperature, message):
    model = compiled(Scheduled(temperature))
    with pytest.raises(ValueError, match=message):
        train(model, ValueSchedule("temperature", warmup_steps=2))
    assert int(model.optimizer.iterations) == 0


def test_epochs_of_unknown_length_need_steps():
    data = tf.data.Dataset.from_generator(
        lambda: iter(np.ones((4, 1, 1), np.float32)),
        output_signature=tf.TensorSpec((1, 1), tf.float32),
    )
    with pytest.raises(ValueError, match="`warmup_epochs` needs data of known length"):
        compiled().fit(data, verbose=0, callbacks=[ValueSchedule("temperature", warmup_epochs=1)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedule": "linaer", "warmup_steps": 1}, "Expected one of .*'linear'.*Received"),
        ({}, "either as `warmup_steps` or as `warmup_epochs`"),
        ({"warmup_steps": 1, "warmup_epochs": 1}, "either as"),
        ({"warmup_steps": 0}, "`warmup_steps`. Expected a number greater than 0"),
        ({"warmup_steps": "10"}, "`warmup_steps`. Expected a finite number. Received.*'10'"),
        ({"warmup_epochs": math.inf}, "`warmup_epochs`. Expected a finite number"),
        ({"schedule": ["linear"], "warmup_steps": 1}, "Expected one of .*'linear'.*Received"),
        ({"schedule": abs, "warmup_steps": 1}, "no warm-up besides its own"),
        (
            {"warmup_steps": 1, "start": "0"},
            "`start`. Expected a finite number. Received: start='0'",
        ),
        ({"warmup_steps": 1, "end": math.nan}, "`end`. Expected a finite number"),
        ({"warmup_steps": 1, "num_cycles": 0}, "`num_cycles`. Expected a positive integer"),
        ({"warmup_steps": 1, "num_cycles": "4"}, "`num_cycles`. Expected a positive integer"),
        ({"warmup_steps": 1, "rise": 0.0}, r"`rise`. Expected a number in \(0, 1\]"),
        ({"warmup_steps": 1, "rise": "1"}, "`rise`. Expected a finite number"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ValueSchedule("beta", **arguments)


def test_rejects_a_value_that_is_no_number():
    with pytest.raises(ValueError, match=r"`beta` must give finite numbers.*Received: a at step 5"):
        ValueSchedule("beta", lambda step: "a").value(5)


@pytest.mark.parametrize("cls", [BetaSchedule, CapacitySchedule])
def test_beta_and_capacity_are_never_negative(cls):
    for argument in ("start", "end"):
        message = f"`{argument}`. Expected a finite number of at least 0. Received: {argument}=-5"
        with pytest.raises(ValueError, match=message):
            cls(warmup_steps=10, **{argument: -5})
    schedule = cls(schedule=lambda step: 1.0 - step)
    assert schedule.value(1) == 0
    with pytest.raises(ValueError, match=r"finite numbers of at least 0. Received: -1.0 at step 2"):
        schedule.value(2)
    assert ValueSchedule("shift", start=-5, end=-1, warmup_steps=4).value(2) == -3


def test_rejects_a_value_that_is_not_finite():
    with pytest.raises(ValueError, match=r"`beta` must give finite numbers.*nan at step 5"):
        ValueSchedule("beta", lambda step: math.nan).value(5)


def test_steps_of_a_warm_up_in_epochs_are_unknown_before_training():
    with pytest.raises(ValueError, match="known when training begins"):
        ValueSchedule("beta", warmup_epochs=2).value(5)
