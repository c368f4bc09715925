import keras
import numpy as np
import pytest

from keras_vae.callbacks.helpers.step_values import StepValues


class Read(keras.callbacks.Callback):
    """Reads the values at chosen batches of every epoch."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_begin(self, logs=None):
        self.values = StepValues(self.model)
        self.read = []
        self.logs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.values.begin_epoch()

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(logs)
        if batch in self.batches:
            self.read += self.values.read([batch + 1], batch + 1, logs)


@pytest.fixture
def autoencoder():
    """A model that never learns, so that each batch's loss can be told beforehand."""
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(3)(x))
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[keras.metrics.RootMeanSquaredError()])
    return model


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)


def batch_losses(model, data):
    errors = np.mean((np.asarray(model(data)) - data) ** 2, axis=-1)
    return [errors[start : start + 4] for start in range(0, len(errors), 4)]


def test_means_are_told_apart_since_the_reading_before(autoencoder, data):
    losses = batch_losses(autoencoder, data)
    read = Read([0, 1, 3, 5])
    autoencoder.fit(data, data, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[read])
    spans = [losses[0:1], losses[1:2], losses[2:4], losses[4:6]]
    expected = [np.concatenate(span).mean() for span in spans]
    assert [step for step, _ in read.read] == [1, 2, 4, 6] * 2
    np.testing.assert_allclose([v["loss"] for _, v in read.read], expected * 2, rtol=1e-5)


def test_other_metrics_are_as_in_the_logs(autoencoder, data):
    read = Read([0, 3])
    autoencoder.fit(data, data, batch_size=4, verbose=0, callbacks=[read])
    name = "root_mean_squared_error"
    assert [v[name] for _, v in read.read] == [read.logs[0][name], read.logs[3][name]]


def test_what_stands_under_a_metrics_name_but_is_not_its_mean_is_left_alone(data):
    class RawLoss(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)
            self.tracker = keras.metrics.Mean(name="loss")

        def call(self, x):
            return self.dense(x)

        def train_step(self, x):
            self.tracker.update_state(5.0)
            return {"loss": keras.ops.mean(self(x))}

    model = RawLoss()
    model.compile(keras.optimizers.SGD())
    read = Read([0, 2])
    model.fit(data, batch_size=4, verbose=0, callbacks=[read])
    assert [v["loss"] for _, v in read.read] == [read.logs[0]["loss"], read.logs[2]["loss"]]


def test_reading_moves_no_metric(autoencoder, data):
    read = Read([0, 2, 4])
    # The model never learns, so both epochs are alike but for what is read in the second.
    read.on_epoch_begin = lambda epoch, logs=None: setattr(read, "batches", [2, 4] * epoch)
    history = autoencoder.fit(
        data, data, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[read]
    ).history
    assert read.read
    assert all(first == second for first, second in history.values())


def test_single_steps_are_asked_of_a_model_that_remembers_them():
    class Remembers:
        def step_logs(self, step):
            return {"loss": float(step)} if step > 2 else None

    values = StepValues(Remembers())
    assert values.read([1, 2, 3, 4], 4, {}) == [(3, {"loss": 3.0}), (4, {"loss": 4.0})]
    assert values.read([], 4, {}) == []


def test_a_model_that_has_forgotten_gives_the_last_logs():
    class Forgets:
        metrics = ()

        def step_logs(self, step):
            return None

    assert StepValues(Forgets()).read([1, 2], 4, {"loss": 9.0}) == [(4, {"loss": 9.0})]
