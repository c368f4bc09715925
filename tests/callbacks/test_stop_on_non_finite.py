"""Tests of `StopOnNonFinite`: what it notices, what it says, what it brings back."""

import os
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.callbacks import StopOnNonFinite

BATCH = 8
STEPS = 3  # An epoch of the twenty images.
FILE = "last_good.weights.h5"


class Weights(keras.callbacks.Callback):
    """Copies the weights before training and after every epoch."""

    def on_train_begin(self, logs=None):
        self.epochs = [self.model.get_weights()]

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights())


class Break(keras.callbacks.Callback):
    """Sets one weight to a value before a step, counted from 1."""

    def __init__(self, step, name, value):
        super().__init__()
        self.step, self.name, self.value = step, name, value

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step - 1:
            (weight,) = [w for w in self.model.weights if w.path.endswith(self.name)]
            weight.assign(np.full(weight.shape, self.value, np.float32))


def breaking_rate(step):
    """Breaks the weights by the update of that step, so that the next step's loss is not finite."""
    return keras.optimizers.SGD(
        keras.optimizers.schedules.PiecewiseConstantDecay([step - 2], [1e-3, 1e30])
        if step > 1
        else 1e30
    )


def fit(model, images, *callbacks, epochs=3, **kwargs):
    """Trains, and returns the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(
            images,
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
            shuffle=False,
            callbacks=list(callbacks),
            **kwargs,
        )
    return [str(warning.message) for warning in caught if warning.category is UserWarning]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("weight", "value", "says"),
    [
        ("pixels/bias", np.nan, "training: reconstruction_loss was nan at step 5. "),
        ("raw_scale/bias", 1e25, "training: kl_loss was inf at step 5. "),
        ("beta", np.inf, "training: beta was inf at step 5. "),
    ],
)
def test_it_names_term_and_step_and_brings_back_the_last_epochs_weights(
    make_vae, images, tmp_path, weight, value, says
):
    vae, seen, guard = make_vae(eager=True), Weights(), StopOnNonFinite(tmp_path)
    (said,) = fit(vae, images, seen, Break(5, weight, value), guard)
    assert says in said
    assert f"weights of step {STEPS} again, which are also in {tmp_path / FILE}" in said
    assert "Try a lower learning rate, `clipnorm=1.0`" in said
    assert vae.stop_training and guard.stopped_at == 5
    assert int(vae.optimizer.iterations) == STEPS
    assert_same(vae.get_weights(), seen.epochs[1])
    assert os.listdir(tmp_path) == [FILE]
    again = make_vae()
    again.load_weights(tmp_path / FILE)
    assert_same(again.get_weights(), seen.epochs[1])


@pytest.mark.exhaustive
@pytest.mark.parametrize(("broken_by", "good"), [(1, 0), (5, 3), (6, 3), (7, 6)])
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_an_epochs_weights_are_good_once_their_own_loss_is_finite(
    make_vae, images, tmp_path, broken_by, good, steps_per_execution
):
    vae = make_vae(
        optimizer=breaking_rate(broken_by),
        eager=True,
        compile_kwargs={"steps_per_execution": steps_per_execution},
    )
    seen, guard = Weights(), StopOnNonFinite(tmp_path)
    (said,) = fit(vae, images, seen, guard)
    assert f"at step {broken_by + 1}. " in said and f"weights of step {good} again" in said
    assert_same(vae.get_weights(), seen.epochs[good // STEPS])
    again = make_vae()
    again.load_weights(tmp_path / FILE)
    assert_same(again.get_weights(), seen.epochs[good // STEPS])
    assert os.listdir(tmp_path) == [FILE]


@pytest.mark.exhaustive
def test_training_goes_on_after_it(make_vae, images):
    vae = make_vae(eager=True)
    fit(vae, images, Break(5, "raw_scale/bias", 1e25), StopOnNonFinite())
    guard = StopOnNonFinite()
    assert fit(vae, images, guard, epochs=2) == []
    assert int(vae.optimizer.iterations) == 3 * STEPS
    assert guard.stopped_at is None
    twin = make_vae(eager=True)
    fit(twin, images, epochs=3)
    # The optimizer's moments came back too: nothing is left of the step that failed.
    assert_same(vae.get_weights(), twin.get_weights())


def test_the_first_step_is_told_apart_for_nothing_has_changed_the_weights(make_vae, images):
    vae, seen = make_vae(eager=True), Weights()
    (said,) = fit(vae, images, seen, StopOnNonFinite(), Break(1, "pixels/bias", np.nan))
    assert "at step 1. The model has the weights of step 0 again. No update went before" in said
    assert_same(vae.get_weights(), seen.epochs[0])


def test_weights_that_are_broken_from_the_start_are_never_kept(make_vae, images, tmp_path):
    (tmp_path / FILE).write_text("of an earlier run")
    vae = make_vae(eager=True)
    vae.decoder.get_layer("pixels").bias.assign(np.full(16, np.nan))
    (said,) = fit(vae, images, StopOnNonFinite(tmp_path))
    assert "reconstruction_loss was nan at step 1" in said
    assert "There are no good weights to go back to" in said
    assert (tmp_path / FILE).read_text() == "of an earlier run"


def test_weights_that_break_at_the_end_of_an_epoch_are_noticed_there(make_vae, images, tmp_path):
    class BreakAtEpochEnd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.encoder.get_layer("loc").bias.assign([np.inf, 0.0])

    vae, seen = make_vae(eager=True), Weights()
    (said,) = fit(vae, images, seen, BreakAtEpochEnd(), StopOnNonFinite(tmp_path), epochs=2)
    assert "loc/bias was inf at step 6. The model has the weights of step 3 again" in said
    assert "Try a lower learning rate" in said
    assert_same(vae.get_weights(), seen.epochs[1])


def test_the_last_epochs_weights_are_in_the_file_after_a_run_that_went_well(
    make_vae, images, tmp_path
):
    vae, seen, guard = make_vae(eager=True), Weights(), StopOnNonFinite(tmp_path)
    assert fit(vae, images, seen, guard) == []
    assert guard.stopped_at is None and not vae.stop_training
    vae.load_weights(tmp_path / FILE)
    assert_same(vae.get_weights(), seen.epochs[3])
    assert os.listdir(tmp_path) == [FILE]


@pytest.mark.slow
def test_training_is_the_same_with_and_without_it(make_vae, images, tmp_path):
    endings = []
    for callbacks in ([], [StopOnNonFinite(tmp_path)]):
        vae = make_vae(eager=True)
        fit(vae, images, *callbacks)
        endings.append([*vae.get_weights(), *(v.numpy() for v in vae.optimizer.variables)])
    assert_same(*endings)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_models_that_it_has_never_seen(images, tmp_path, steps_per_execution):
    flat = images.reshape(20, -1)
    model = keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(16)])
    model.compile(
        breaking_rate(5), "mse", steps_per_execution=steps_per_execution, run_eagerly=True
    )
    seen = Weights()
    (said,) = fit(model, flat, seen, StopOnNonFinite(tmp_path), y=flat)
    where = "at step 6" if steps_per_execution == 1 else "in steps 4 to 6"
    assert f"loss was inf {where}. The model has the weights of step 3 again" in said
    assert_same(model.get_weights(), seen.epochs[1])


@pytest.mark.parametrize(
    "logs",
    [None, {}, {"val_loss": np.nan, "loss": 1.0}, {"accuracy": np.nan, "elbo": -np.inf}],
)
def test_other_numbers_stop_nothing(make_vae, logs):
    guard = StopOnNonFinite()
    guard.set_model(make_vae())
    guard.on_train_begin()
    guard.on_epoch_begin(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        guard.on_train_batch_end(0, logs)
        guard.on_epoch_end(0, logs)
    assert guard.stopped_at is None and not guard.model.stop_training


class Parts(keras.Model):
    """A model whose step calls its network, so that it is itself never called and never built."""

    def __init__(self):
        super().__init__()
        self.network = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16)])

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.network(data) - data) ** 2)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


@pytest.mark.parametrize("epochs_before", [0, 1])
def test_a_model_that_says_it_is_not_built_gets_its_weights_back(images, tmp_path, epochs_before):
    flat, model = images.reshape(20, -1), Parts()
    model.compile("adam", run_eagerly=True)
    if epochs_before:
        fit(model, flat, epochs=epochs_before)
    model.built = False
    good, step = model.get_weights(), STEPS * epochs_before
    (said,) = fit(model, flat, Break(step + 2, "bias", np.nan), StopOnNonFinite(tmp_path))
    assert f"loss was nan at step {step + 2}. The model has the weights of step {step}" in said
    assert_same(model.get_weights(), good)
    again = Parts()
    again.built = True
    again.load_weights(tmp_path / FILE)
    assert_same(again.get_weights(), good)


def test_a_full_disk_is_one_warning_and_the_weights_still_come_back(
    make_vae, images, tmp_path, monkeypatch
):
    vae, seen, whole = make_vae(eager=True), Weights(), Path.open

    def full(path, mode="r", *arguments, **settings):
        if "w" in mode:
            raise OSError("disk full")
        return whole(path, mode, *arguments, **settings)

    monkeypatch.setattr(Path, "open", full)
    failure, said = fit(
        vae, images, seen, Break(5, "pixels/bias", np.nan), StopOnNonFinite(tmp_path)
    )
    assert "could not write" in failure and "disk full" in failure
    assert "weights of step 3 again. Try" in said
    assert_same(vae.get_weights(), seen.epochs[1])
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_an_error_before_the_first_step(
    make_vae, images, tmp_path
):
    (tmp_path / "file").write_text("")
    vae = make_vae()
    with pytest.raises(OSError, match="Cannot write into the folder"):
        fit(vae, images, StopOnNonFinite(tmp_path / "file"))
    assert int(vae.optimizer.iterations) == 0
