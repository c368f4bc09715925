"""Tests of `Resume`: what is saved, what is restored, what is refused."""

import json
import os
import signal
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.callbacks import ELBOLogger, Resume
from keras_vae.callbacks.helpers.step_counter import steps_taken

BATCH = 8
STEPS = 3  # An epoch of the twenty images.


def train(make_vae, images, folder, epochs, callbacks=(), optimizer=None, settings=None):
    """Trains as a program would that is started again by the same command."""
    resume = Resume(folder, settings)
    batches = keras_vae.datasets.from_arrays(images, batch_size=BATCH, seed=1, start=resume.step)
    vae = make_vae(optimizer=optimizer)
    logger = ELBOLogger(folder, frequency=1, print_table=False)
    vae.fit(batches, epochs=epochs, verbose=0, callbacks=[resume, logger, *callbacks])
    return vae


class Die(keras.callbacks.Callback):
    """Ends training by an exception in the middle of an epoch."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if steps_taken(self.model) == self.step:
            raise RuntimeError("killed")


def everything(vae):
    return [*vae.get_weights(), *(np.asarray(v.value) for v in vae.optimizer.variables)]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 5, 7])
def test_an_interrupted_run_ends_as_one_that_never_was(make_vae, images, tmp_path, step):
    unbroken = train(make_vae, images, tmp_path / "unbroken", epochs=3)
    with pytest.raises(RuntimeError, match="killed"):
        train(make_vae, images, tmp_path / "broken", epochs=3, callbacks=[Die(step)])
    resumed = train(make_vae, images, tmp_path / "broken", epochs=3)
    for one, other in zip(everything(unbroken), everything(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    tables = [(tmp_path / run / "elbo.csv").read_text() for run in ("unbroken", "broken")]
    assert tables[0] == tables[1]
    assert tables[0].count("\n") == 1 + 3 * STEPS


@pytest.mark.exhaustive
def test_epochs_that_are_done_are_not_trained_again(make_vae, images, tmp_path):
    first = train(make_vae, images, tmp_path, epochs=2)
    again = train(make_vae, images, tmp_path, epochs=2)
    for one, other in zip(everything(first), everything(again), strict=True):
        np.testing.assert_array_equal(one, other)
    longer = train(make_vae, images, tmp_path, epochs=3)
    assert steps_taken(longer) == 3 * STEPS
    assert sorted(os.listdir(tmp_path / "resume")) == ["lock", "state.json", "step_00000009.npz"]


def test_random_layers_and_other_models_are_restored_too(images, tmp_path):
    flat = images.reshape(20, -1)

    def run(folder, epochs):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(16)]
        model = keras.Sequential([keras.Input((16,)), *layers])
        model.compile("adam", "mse", jit_compile=False)
        resume = Resume(tmp_path / folder)
        batches = keras_vae.datasets.from_arrays(flat, flat, batch_size=BATCH, start=resume.step)
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[resume])
        return model.get_weights()

    whole = run("whole", 3)
    run("parts", 1)
    for one, other in zip(whole, run("parts", 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_types_that_numpy_lacks_are_restored(images, tmp_path):
    flat = images.reshape(20, -1)

    def run(folder, epochs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16, dtype="bfloat16")])
        model.compile("adam", "mse", jit_compile=False)
        model.fit(flat, flat, epochs=epochs, shuffle=False, verbose=0, callbacks=[Resume(folder)])
        return [np.asarray(value, np.float32) for value in model.get_weights()]

    whole = run(tmp_path / "whole", 2)
    run(tmp_path / "parts", 1)
    for one, other in zip(whole, run(tmp_path / "parts", 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_sigterm_ends_training_after_a_step(make_vae, images, tmp_path):
    before = signal.getsignal(signal.SIGTERM)

    class Terminate(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if steps_taken(self.model) == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(make_vae, images, tmp_path, epochs=3, callbacks=[Terminate()])
    assert signal.getsignal(signal.SIGTERM) is before
    assert Resume(tmp_path).epoch == 1
    assert steps_taken(train(make_vae, images, tmp_path, epochs=3)) == 3 * STEPS


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_epoch_end", "on_train_end"])
def test_sigterm_in_the_last_step_or_after_it_saves_the_epoch(make_vae, images, tmp_path, hook):
    class Terminate(keras.callbacks.Callback):
        def fire(self, *_, **__):
            if steps_taken(self.model) == (5 if hook == "on_train_batch_begin" else 6):
                os.kill(os.getpid(), signal.SIGTERM)

    setattr(Terminate, hook, Terminate.fire)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(make_vae, images, tmp_path, epochs=2, callbacks=[Terminate()])
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert Resume(tmp_path).epoch == 2


def test_other_settings_are_refused(make_vae, images, tmp_path):
    train(make_vae, images, tmp_path, epochs=1, settings={"beta": 1.0})
    with pytest.raises(ValueError, match=r"beta: 1.0 then, 2.0 now"):
        Resume(tmp_path, {"beta": 2.0})
    assert Resume(tmp_path, {"beta": 1.0}).epoch == 1


@pytest.mark.parametrize(
    "damage",
    ["truncated", "altered", "gone", "no JSON", "foreign JSON", "deep JSON", "other number"],
)
def test_a_damaged_state_is_refused(make_vae, images, tmp_path, damage):
    train(make_vae, images, tmp_path, epochs=1)
    (state,) = (tmp_path / "resume").glob("*.npz")
    card = tmp_path / "resume/state.json"
    content = state.read_bytes()
    if damage == "truncated":
        state.write_bytes(content[:100])
    elif damage == "altered":
        state.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "gone":
        state.unlink()
    elif damage == "no JSON":
        card.write_text("{")
    elif damage == "deep JSON":
        card.write_text("[" * 100_000)
    elif damage == "other number":
        card.write_text(card.read_text().replace('"epoch": 1', '"epoch": 2'))
    else:
        card.write_text(json.dumps(["something"]))
    with pytest.raises(ValueError, match=r"is damaged\. Remove that folder to begin anew"):
        Resume(tmp_path)


def test_another_model_is_refused(make_vae, images, tmp_path):
    train(make_vae, images, tmp_path, epochs=1)
    vae = make_vae(latent_dim=3)
    with pytest.raises(ValueError, match="is of another model"):
        vae.fit(images, epochs=2, verbose=0, callbacks=[Resume(tmp_path)])


@pytest.mark.slow
def test_a_folder_takes_one_run_at_a_time(make_vae, images, tmp_path):
    program = """
import sys
import warnings
from pathlib import Path
from keras_vae.callbacks import Resume
resume = Resume(sys.argv[1])
resume._take_folder()
print("taken", flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(BlockingIOError, match="Another process is training"):
            train(make_vae, images, tmp_path, epochs=1)
    finally:
        other.kill()
        other.communicate()
    train(make_vae, images, tmp_path, epochs=1)


def test_a_state_half_written_leaves_the_one_before(make_vae, images, tmp_path, monkeypatch):
    train(make_vae, images, tmp_path, epochs=1)
    replace = os.replace

    def fail(source, target):
        if "state.json" in str(target):
            raise OSError("disk full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(UserWarning, match="Resume could not save the state.*disk full") as warned:
        train(make_vae, images, tmp_path, epochs=3)
    assert len(warned) == 1
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path / "resume")) == ["lock", "state.json", "step_00000003.npz"]
    assert Resume(tmp_path).epoch == 1


@pytest.mark.exhaustive
def test_what_a_killed_save_left_is_removed(make_vae, images, tmp_path):
    train(make_vae, images, tmp_path, epochs=1)
    (tmp_path / "resume/.step_00000006.npz.0123.tmp").write_bytes(b"half")
    train(make_vae, images, tmp_path, epochs=2)
    assert sorted(os.listdir(tmp_path / "resume")) == ["lock", "state.json", "step_00000006.npz"]


def test_a_state_that_another_run_has_replaced_meanwhile_is_not_gone_on_from(
    make_vae, images, tmp_path
):
    early = Resume(tmp_path)
    train(make_vae, images, tmp_path, epochs=1)
    with pytest.raises(BlockingIOError, match=r"since this one looked there\. Start again"):
        make_vae().fit(images, epochs=1, verbose=0, callbacks=[early])


def test_a_file_system_without_locks_is_no_hindrance(make_vae, images, tmp_path, monkeypatch):
    from keras_vae.callbacks import resume

    def fail(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(resume.fcntl, "flock", fail)
    train(make_vae, images, tmp_path, epochs=1)
    assert Resume(tmp_path).epoch == 1


def test_the_state_is_on_the_disk_before_it_counts(make_vae, images, tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), sync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    make_vae().fit(images, epochs=1, verbose=0, callbacks=[Resume(tmp_path)])
    assert done == ["sync", "replace", "sync", "replace"]


def test_another_model_is_told_by_the_variables_that_differ(make_vae, images, tmp_path):
    train(make_vae, images, tmp_path, epochs=1)
    vae = make_vae(latent_dim=3)
    with pytest.raises(ValueError, match=r"loc/kernel was \[5, 2\] and is \[5, 3\]"):
        vae.fit(images, epochs=2, verbose=0, callbacks=[Resume(tmp_path)])
    vae = make_vae(optimizer=keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match=r"_momentum is missing"):
        vae.fit(images, epochs=2, verbose=0, callbacks=[Resume(tmp_path)])


def test_a_state_of_version_0_1_is_refused(make_vae, images, tmp_path):
    from keras_vae.callbacks import resume

    train(make_vae, images, tmp_path, epochs=1)
    path = tmp_path / "resume/state.json"
    card = json.loads(path.read_text())
    old = {name: card[name] for name in ("settings", "states")}
    path.write_text(json.dumps(resume._signed(old)))
    with pytest.raises(ValueError, match=r"is of version 0\.1 of keras_vae.* to begin anew"):
        Resume(tmp_path)


class BreakAt(keras.callbacks.Callback):
    """Makes a weight NaN at the beginning of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.model.encoder.get_layer("loc").bias.assign([np.nan, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("stop", [True, False], ids=["stopped", "trained on"])
def test_a_state_that_is_not_finite_is_never_saved(make_vae, images, tmp_path, stop):
    good = train(make_vae, images, tmp_path / "good", epochs=2)
    callbacks = [BreakAt(2), *([keras.callbacks.TerminateOnNaN()] if stop else [])]
    with pytest.warns(UserWarning, match="does not save epoch 3: .* is not finite") as warned:
        train(make_vae, images, tmp_path / "run", epochs=5, callbacks=callbacks)
    assert len([one for one in warned if "does not save" in str(one.message)]) == 1
    assert Resume(tmp_path / "run").epoch == 2
    again = train(make_vae, images, tmp_path / "run", epochs=2)
    for one, other in zip(everything(good), everything(again), strict=True):
        np.testing.assert_array_equal(one, other)


class Adversarial(keras.Model):
    """Two networks, each with an optimizer that only its own training builds; no `optimizer`."""

    def __init__(self, held):
        super().__init__()
        self.one = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16)])
        self.other = keras.Sequential([keras.Input((16,)), keras.layers.Dense(1)])
        pair = [keras.optimizers.Adam(1e-2), keras.optimizers.Adam(2e-2)]
        if held == "attributes":
            self.first, self.second = pair
        elif held == "dict":
            self.optimizers = {"one": pair[0], "other": pair[1]}
        else:
            self.optimizers = pair
        self.pair = lambda: pair
        self.average = tf.Variable(0.0)
        self.noise = tf.random.Generator.from_seed(4)

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            made = self.one(data + self.noise.normal(tf.shape(data)))
            losses = [tf.reduce_mean((made - data) ** 2 + self.average), 0.0]
            losses[1] = tf.reduce_mean((self.other(made) - 1) ** 2)
        self.average.assign(0.5 * self.average + losses[0])
        for network, optimizer, loss in zip(
            (self.one, self.other), self.pair(), losses, strict=True
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": losses[0]}


@pytest.mark.parametrize("held", ["attributes", "dict", "list"])
@pytest.mark.parametrize("compiled", [{"optimizer": None}, {}], ids=["no optimizer", "unused one"])
def test_optimizers_that_only_training_builds_are_restored(images, tmp_path, held, compiled):
    flat = images.reshape(20, -1)

    def run(folder, epochs):
        keras.utils.set_random_seed(0)
        model = Adversarial(held)
        model.compile(**compiled, run_eagerly=True)
        model.built = True
        resume = Resume(folder)
        batches = keras_vae.datasets.from_arrays(flat, batch_size=BATCH, start=resume.step)
        logger = ELBOLogger(folder, frequency=1, print_table=False)
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[logger, resume])
        variables = [v for optimizer in model.pair() for v in optimizer.variables]
        values = [*variables, model.average, model.noise.state]
        return [*model.get_weights(), *(np.asarray(value) for value in values)]

    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "parts", 1)
    for one, other in zip(whole, run(tmp_path / "parts", 3), strict=True):
        np.testing.assert_array_equal(one, other)
    tables = [(tmp_path / folder / "elbo.csv").read_text() for folder in ("whole", "parts")]
    assert tables[0] == tables[1] and tables[0].count("\n") == 1 + 3 * STEPS
    assert Resume(tmp_path / "parts").step == 3 * STEPS


class Worse(keras.callbacks.Callback):
    """Logs a loss that gets worse after an epoch."""

    def __init__(self, best):
        super().__init__()
        self.best, self.epochs, self.weights = best, [], {}

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.weights[epoch] = self.model.get_weights()
        logs["made_up"] = abs(epoch - self.best)


@pytest.mark.slow
@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("resume_first", [True, False])
def test_a_run_that_ended_by_itself_is_finished(make_vae, images, tmp_path, restore, resume_first):
    def run(epochs):
        worse, vae, resume = Worse(best=1), make_vae(eager=True), Resume(tmp_path)
        stop = keras.callbacks.EarlyStopping(
            "made_up", mode="min", patience=1, restore_best_weights=restore
        )
        callbacks = [resume, worse, stop] if resume_first else [worse, stop, resume]
        vae.fit(images, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
        return worse, vae

    worse, vae = run(5)
    assert worse.epochs == [0, 1, 2]
    expected = worse.weights[1 if restore else 2]
    assert sorted(os.listdir(tmp_path / "resume"))[:2] == ["lock", "state.json"]
    for _ in range(2):
        with pytest.warns(UserWarning, match="ended by itself after 3 epochs. Its final state"):
            again, vae = run(5)
        assert again.epochs == []
        for one, other in zip(vae.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert run(6)[0].epochs[0] == 3


@pytest.mark.parametrize("looks, epochs, warns", [(False, 2, 1), (True, 2, 0), (False, 1, 0)])
def test_a_run_goes_on_without_a_question_where_the_data_do_and_that_is_told(
    make_vae, images, tmp_path, steps_one_by_one, looks, epochs, warns
):
    def run(epochs, looks):
        resume = Resume(tmp_path)
        if looks:
            assert resume.step in (0, STEPS)
        batches = keras_vae.datasets.from_arrays(images, batch_size=BATCH)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make_vae().fit(batches, epochs=epochs, verbose=0, callbacks=[resume])
        return [str(one.message) for one in caught if "resume.step" in str(one.message)]

    assert run(1, looks=False) == []
    said = run(epochs, looks)
    assert len(said) == warns
    assert all(f"goes on after step {STEPS}" in one for one in said)


@pytest.mark.exhaustive
def test_values_that_the_program_asks_for_and_does_not_get_are_told(make_vae, images, tmp_path):
    def run(rate, beta, clipnorm=None):
        vae = make_vae(optimizer=keras.optimizers.Adam(rate, clipnorm=clipnorm), beta=beta)
        vae.fit(images, epochs=2, verbose=0, callbacks=[Resume(tmp_path)])
        return vae

    run(0.5, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(0.5, 1.0)
    with pytest.warns(UserWarning, match="Resume goes on with the run") as warned:
        vae = run(0.25, 4.0, clipnorm=1.0)
    (said,) = [str(one.message) for one in warned if "Resume" in str(one.message)]
    assert "learning_rate 0.5 then and 0.25 now (the saved one counts)" in said
    assert "beta 1.0 then and 4.0 now (the saved one counts)" in said
    assert "clipnorm None then and 1.0 now (this program's counts)" in said
    assert float(vae.optimizer.learning_rate) == 0.5 and float(vae.beta) == 1.0


@pytest.mark.exhaustive
def test_sigterm_costs_the_steps_of_one_epoch_and_they_are_as_few_as_one_likes(
    make_vae, images, tmp_path
):
    class Terminate(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if steps_taken(self.model) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    def run(folder, *callbacks):
        resume, vae = Resume(folder), make_vae(eager=True)
        batches = keras_vae.datasets.from_arrays(
            images, batch_size=BATCH, seed=1, start=resume.step
        )
        vae.fit(
            batches.repeat(), steps_per_epoch=2, epochs=3, verbose=0, callbacks=[resume, *callbacks]
        )
        return vae

    unbroken = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Terminate())
    assert Resume(tmp_path / "cut").step == 2
    for one, other in zip(everything(unbroken), everything(run(tmp_path / "cut")), strict=True):
        np.testing.assert_array_equal(one, other)
