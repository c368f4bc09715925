"""Training that runs ahead: everybody sees what they see where steps run one by one."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.callbacks import BetaSchedule, ELBOLogger, StopOnNonFinite
from keras_vae.training import compiled_steps, steps_ahead

SHAPE = (4, 4, 1)
BATCH = 4


class Restartable:
    """A compiled model that begins anew without compiling again."""

    def __init__(self, **compile_arguments):
        keras.utils.set_random_seed(1)
        self.model = keras_vae.VAE(
            keras_vae.networks.mlp_encoder(SHAPE, 2, [5]),
            keras_vae.networks.mlp_decoder(SHAPE, 2, [5]),
            seed=3,
        )
        self.model.compile(keras.optimizers.Adam(1e-2), **compile_arguments)
        self.model.prepare_to_train()
        self._variables = [*self.model.weights, *self.model.optimizer.variables]
        self._values = [keras.ops.convert_to_numpy(variable) for variable in self._variables]

    def begin_anew(self):
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)
        self.model.stop_training = False
        return self.model


@pytest.fixture(scope="module")
def restartable():
    """The model that chooses, and the one whose steps run one by one."""
    return Restartable(), Restartable(jit_compile=False)


@pytest.fixture
def pair(restartable, monkeypatch):
    """Both from their beginnings; the first may run far ahead from its first call on."""
    monkeypatch.setattr(steps_ahead, "_CALL_SECONDS", 1e3)
    return [one.begin_anew() for one in restartable]


class Reader(keras.callbacks.Callback):
    """Notes the logs of every batch, and needs no more."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, dict(logs)))

    def next_look(self, step):
        return math.inf


class Onlooker(keras.callbacks.Callback):
    """Looks at the weights after every batch, as a callback of a user's may."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        weights = np.concatenate([np.ravel(w) for w in self.model.get_weights()])
        self.seen.append((batch, {**logs, "step": int(self.model.optimizer.iterations)}, weights))


def calls_of(model, monkeypatch):
    """A list that fills with the steps of every call from now on."""
    steps, train = [], compiled_steps.CompiledSteps.__call__

    def spy(self, iterator, count):
        done, logs = train(self, iterator, count)
        steps.append(done)
        return done, logs

    monkeypatch.setattr(compiled_steps.CompiledSteps, "__call__", spy)
    return steps


def assert_same_logs(some, others):
    assert [batch for batch, *_ in some] == [batch for batch, *_ in others]
    for (_, one, *rest), (_, other, *other_rest) in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            np.testing.assert_allclose(value, other[name], rtol=1e-5, err_msg=name)
        for weights, other_weights in zip(rest, other_rest, strict=True):
            np.testing.assert_allclose(weights, other_weights, rtol=1e-4, atol=1e-6)


def batches(images, **kwargs):
    return keras_vae.datasets.from_arrays(
        images, **{"batch_size": BATCH, "shuffle": False, **kwargs}
    )


def endless(images):
    return batches(images).repeat()


def generator(images):
    """Five batches and no word of how many."""
    return ((images[i : i + BATCH],) for i in range(0, 20, BATCH))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (lambda images: images, {"batch_size": BATCH, "shuffle": False, "epochs": 2}),
        (lambda images: images[:18], {"batch_size": BATCH, "shuffle": False, "epochs": 2}),
        (batches, {"epochs": 4, "initial_epoch": 2}),
        (endless, {"epochs": 2, "steps_per_epoch": 7}),
        (generator, {"epochs": 1}),
        (lambda images: batches(images).filter(lambda x: True), {"epochs": 2}),
        (lambda images: batches(images).repeat(2), {"epochs": 3, "steps_per_epoch": 5}),
    ],
    ids=["array", "ragged", "initial_epoch", "endless", "generator", "unknown", "ends_early"],
)
@pytest.mark.filterwarnings("ignore:.*ran out of data", "ignore:.*shuffle=True")
def test_batches_logs_and_weights_are_those_of_single_steps(
    pair, images, data, arguments, monkeypatch
):
    calls, readers, histories = calls_of(pair[0], monkeypatch), [], []
    for model in pair:
        readers.append(Reader())
        fitted = model.fit(data(images), verbose=0, callbacks=[readers[-1]], **arguments)
        histories.append(fitted.history)
    assert max(calls) > 1
    assert_same_logs(*(reader.seen for reader in readers))
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    assert int(pair[0].optimizer.iterations) == int(pair[1].optimizer.iterations) > 0
    for one, other in zip(*(model.get_weights() for model in pair), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_callback_of_the_users_finds_the_model_after_its_batch(pair, images):
    onlookers = []
    for model in pair:
        onlookers.append(Onlooker())
        model.fit(batches(images), epochs=2, verbose=0, callbacks=[onlookers[-1]])
    assert_same_logs(*(onlooker.seen for onlooker in onlookers))
    assert [logs["step"] for _, logs, _ in onlookers[0].seen] == [*range(1, 11)]


def test_one_that_says_when_it_looks_finds_the_model_as_that_step_left_it(
    pair, images, monkeypatch
):
    class Sometimes(Onlooker):
        def next_look(self, step):
            return step - step % 3 + 3

        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations % 3 == 0 and batch % 3 == 2:
                super().on_train_batch_end(batch, logs)

    calls, seen = calls_of(pair[0], monkeypatch), []
    for model in pair:
        seen.append(Sometimes())
        model.fit(endless(images), steps_per_epoch=9, verbose=0, callbacks=[seen[-1]])
    assert len(seen[0].seen) == 3
    assert_same_logs(seen[0].seen, seen[1].seen)
    assert {3, 6, 9} <= {*np.cumsum(calls)}
    assert max(calls) == 3


def test_how_far_it_ran_ahead_changes_no_bit(pair, restartable, images, monkeypatch):
    class Near(Reader):
        def next_look(self, step):
            return step // 2 * 2 + 2

    model, calls = pair[0], calls_of(pair[0], monkeypatch)
    data = {"x": endless(images), "steps_per_epoch": 12, "verbose": 0}
    model.fit(**data)
    assert max(calls) > 1
    far = model.get_weights()
    calls.clear()
    restartable[0].begin_anew()
    model.fit(**data, callbacks=[Near()])
    assert calls == [2] * 6
    for one, other in zip(far, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_call_takes_no_longer_than_it_may(restartable, images, monkeypatch):
    model = restartable[0].begin_anew()
    model.train_function = None
    now = [0.0]
    monkeypatch.setattr(steps_ahead, "_CALL_SECONDS", 0.25)
    # A step takes 1/64 of a second, and the first call compiles for a minute.
    monkeypatch.setattr(steps_ahead.time, "perf_counter", lambda: now[0])
    calls, train = [], compiled_steps.CompiledSteps.__call__

    def spy(self, iterator, count):
        done, logs = train(self, iterator, count)
        now[0] += done / 64 + (60 if not calls else 0)
        calls.append(done)
        return done, logs

    monkeypatch.setattr(compiled_steps.CompiledSteps, "__call__", spy)
    model.fit(endless(images), steps_per_epoch=40, verbose=0)
    assert calls == [1, 1, 8, 16, 14]


def broken_schedule(step):
    @keras.saving.register_keras_serializable(package="keras_vae_tests")
    class BreaksAtStep(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, now):
            return tf.where(tf.cast(now, tf.float32) < step, 1e-2, math.nan)

        def get_config(self):
            return {}

    return BreaksAtStep()


@pytest.mark.slow
def test_nan_is_found_at_its_batch(images, tmp_path, capsys):
    one = Restartable()
    # The update of the fifth step breaks the weights, which the sixth step's loss shows.
    model = one.model
    model.compile(keras.optimizers.Adam(broken_schedule(4)))
    model.fit(
        endless(images),
        steps_per_epoch=40,
        verbose=0,
        callbacks=[reader := Reader(), keras.callbacks.TerminateOnNaN()],
    )
    assert "Batch 5: Invalid loss" in capsys.readouterr().out
    assert [batch for batch, _ in reader.seen] == [*range(6)]
    assert np.isfinite(reader.seen[4][1]["loss"])
    again = one.begin_anew()
    again.compile(keras.optimizers.Adam(broken_schedule(4)))
    stop = StopOnNonFinite(tmp_path)
    with pytest.warns(UserWarning, match="at step 6"):
        again.fit(endless(images), steps_per_epoch=40, verbose=0, callbacks=[stop])
    assert stop.stopped_at == 6
    assert all(np.isfinite(weights).all() for weights in again.get_weights())


def test_every_step_is_logged(pair, images, tmp_path, monkeypatch):
    calls, rows = calls_of(pair[0], monkeypatch), []
    for number, model in enumerate(pair):
        logger = ELBOLogger(tmp_path / str(number), frequency=1, print_table=False)
        model.fit(batches(images), epochs=3, verbose=0, callbacks=[logger])
        rows.append([(row["step"], row) for row in logger.rows])
    assert max(calls) > 1
    assert_same_logs(*rows)
    assert len(rows[0]) == 15


def scalars(folder):
    """`{(tag, step): value}` of the event files below a folder."""
    found = {}
    for path in sorted(folder.rglob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("tensor"):
                    number = tf.make_ndarray(value.tensor)
                    if number.dtype.kind == "f":
                        found[value.tag, event.step] = float(number)
    return found


@pytest.mark.slow
def test_keras_callbacks_do_what_they_do_with_single_steps(pair, images, tmp_path):
    results = []
    for number, model in enumerate(pair):
        folder = tmp_path / str(number)
        rates = []
        callbacks = [
            keras.callbacks.TensorBoard(folder / "board", update_freq=1, write_graph=False),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / (epoch + 1)),
            keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=1),
            keras.callbacks.BackupAndRestore(folder / "backup", save_freq=2),
            keras.callbacks.ModelCheckpoint(
                folder / "{batch}.weights.h5", save_freq=2, save_weights_only=True
            ),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs, rates=rates: rates.append(logs["learning_rate"])
            ),
        ]
        history = model.fit(batches(images), epochs=9, verbose=0, callbacks=callbacks).history
        files = sorted(path.name for path in folder.glob("*.h5"))
        results.append((scalars(folder / "board"), history["loss"], rates, files))
    (board, losses, rates, files), (other_board, other_losses, other_rates, other_files) = results
    assert board.keys() == other_board.keys()
    assert ("batch_loss", 3) in board
    np.testing.assert_allclose([*board.values()], [*other_board.values()], rtol=1e-4)
    np.testing.assert_allclose(losses, other_losses, rtol=1e-5)
    assert len(losses) < 9
    assert rates == other_rates
    assert files == other_files and len(files) > 1


@pytest.mark.parametrize(
    ("callback", "looks"),
    [
        (keras.callbacks.TerminateOnNaN(), False),
        (keras.callbacks.ProgbarLogger(), False),
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None), False),
        (keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None), True),
        (keras.callbacks.ModelCheckpoint("a.keras"), False),
        (keras.callbacks.ModelCheckpoint("a.keras", save_freq=10), True),
        (keras.callbacks.BackupAndRestore("a"), False),
        (keras.callbacks.BackupAndRestore("a", save_freq=10), True),
        (keras.callbacks.TensorBoard("a"), False),
        (keras.callbacks.TensorBoard("a", update_freq=1), True),
        (keras.callbacks.TensorBoard("a", profile_batch=3), True),
        (keras.callbacks.TensorBoard("a", write_steps_per_second=True), True),
        (Onlooker(), True),
        (Reader(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_looks_at_single_steps(callback, looks):
    lookout = steps_ahead.Lookout([callback], None, lambda: 7)
    assert lookout.steps_until_look() == (1 if looks else math.inf)


class Looks(keras.callbacks.Callback):
    """Looks at what steps it is told."""

    def __init__(self, next_look):
        super().__init__()
        self.next_look = next_look


@pytest.mark.parametrize(
    ("next_look", "after_each"),
    [
        (lambda step: step + 1, True),
        (lambda step: math.inf, False),
        (lambda step: step + 1 if step < 1000 else math.inf, True),
        (lambda step: step + 1 if step < 100 else math.inf, False),
        (lambda step: 1 << step.bit_length(), False),
        (lambda step: step // 2 * 2 + 2, False),
    ],
    ids=["each", "none", "long warm-up", "short warm-up", "powers of two", "every second"],
)
def test_who_looks_after_each_step_for_a_while(next_look, after_each):
    assert steps_ahead.Lookout([Looks(next_look)], None, lambda: 0).looks_after_each() is after_each


def test_steps_that_are_each_looked_at_fill_no_stack(pair, images, monkeypatch):
    stacks, alone, one = calls_of(pair[0], monkeypatch), [], compiled_steps.CompiledSteps.one

    def spy(self, iterator):
        alone.append(one(self, iterator))
        return alone[-1]

    monkeypatch.setattr(compiled_steps.CompiledSteps, "one", spy)
    pair[0].fit(batches(images), epochs=2, verbose=0, callbacks=[Onlooker()])
    assert len(alone) == 10
    assert not stacks


@pytest.mark.parametrize(
    ("callbacks", "expected"),
    [
        ([], [{"loss": 0}, {}, {}, {}, {"loss": 4}]),
        ([keras.callbacks.EarlyStopping("loss")], [{"loss": 0}, {}, {}, {}, {"loss": 4}]),
        ([Reader()], [{"loss": step} for step in range(5)]),
        ([keras.callbacks.TerminateOnNaN()], [{"loss": step} for step in range(5)]),
    ],
)
def test_logs_are_handed_out_where_somebody_reads_them(callbacks, expected):
    lookout = steps_ahead.Lookout(callbacks, 5, lambda: 0)
    ahead = steps_ahead.StepsAhead(
        run=lambda iterator, steps: [{"loss": step} for step in range(5)],
        takes=lambda iterator: True,
        one_by_one=None,
        lookout=lambda: lookout,
    )
    assert [ahead(None) for _ in range(5)] == expected


def test_a_subclass_of_a_known_callback_is_known_by_its_hooks():
    class Own(keras.callbacks.TerminateOnNaN):
        def on_batch_end(self, batch, logs=None):
            super().on_batch_end(batch, logs)

    class Same(keras.callbacks.TerminateOnNaN):
        pass

    lookouts = [steps_ahead.Lookout([cls()], None, lambda: 0) for cls in (Own, Same)]
    assert [lookout.steps_until_look() for lookout in lookouts] == [1, math.inf]


def test_a_list_of_callbacks_that_is_the_users_own_is_left_alone(pair, images, monkeypatch):
    calls, reader = calls_of(pair[0], monkeypatch), Reader()
    callbacks = keras.callbacks.CallbackList([reader], model=pair[0])
    pair[0].fit(batches(images), verbose=0, callbacks=callbacks)
    assert len(reader.seen) == 5
    assert not calls


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, steps_ahead.StepsAhead),
        ({"jit_compile": True}, steps_ahead.StepsAhead),
        ({"steps_per_execution": 1}, None),
        ({"jit_compile": False}, None),
        ({"run_eagerly": True}, None),
    ],
)
def test_what_the_user_says_is_kept(make_vae, arguments, expected, tmp_path):
    vae = make_vae()
    for path in (None, tmp_path / "model.keras"):
        if path is None:
            vae.compile(keras.optimizers.Adam(), **arguments)
        else:
            vae.save(path)
            vae = keras.saving.load_model(path)
        vae.make_train_function(force=True)
        assert (type(vae.train_function) is steps_ahead.StepsAhead) == (expected is not None)


@keras.saving.register_keras_serializable(package="keras_vae_tests")
class NotForXla(keras.layers.Layer):
    """A layer that calls Python, which XLA cannot."""

    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.float32), x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="keras_vae_tests")
class ForXla(NotForXla):
    """One that nobody has told about, and that is fine."""

    def call(self, x):
        return 1.0 * x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "labels"), [(NotForXla, None), (ForXla, None), (ForXla, np.arange(20))]
)
def test_layers_that_xla_cannot_compile_train_one_by_one_and_it_is_said(
    images, layer, labels, monkeypatch
):
    inputs = keras.Input(SHAPE)
    hidden = keras.layers.Dense(4)(layer()(keras.layers.Flatten()(inputs)))
    heads = {"loc": keras.layers.Dense(2), "scale": keras.layers.Dense(2, "softplus")}
    encoder = keras.Model(inputs, {name: head(hidden) for name, head in heads.items()})
    vae = keras_vae.VAE(encoder, keras_vae.networks.mlp_decoder(SHAPE, 2, [5]), seed=0)
    vae.compile(keras.optimizers.Adam())
    calls = calls_of(vae, monkeypatch)
    if layer is NotForXla:
        with pytest.warns(UserWarning, match="XLA cannot compile the steps of VAE"):
            vae.fit(batches(images), epochs=2, verbose=0)
    else:
        data = keras_vae.datasets.from_arrays(images, labels, batch_size=BATCH)
        vae.fit(data, epochs=2, verbose=0)
    assert int(vae.optimizer.iterations) == 10
    assert bool(calls) == (layer is ForXla)


@pytest.mark.parametrize("steps", [None, 3])
def test_evaluation_is_that_of_single_steps_and_hooks_see_every_batch(pair, images, steps):
    class Counter(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_test_batch_end(self, batch, logs=None):
            self.seen.append((batch, dict(logs)))

    data = endless(images[:18]) if steps else batches(images[:18])
    how = {"steps": steps, "verbose": 0, "return_dict": True}
    ahead, plain = (model.evaluate(data, **how) for model in pair)
    counters = Counter(), Counter()
    for model, counter in zip(pair, counters, strict=True):
        assert model.evaluate(data, callbacks=[counter], **how) == pytest.approx(plain, rel=1e-5)
    assert ahead == pytest.approx(plain, rel=1e-5)
    assert len(counters[0].seen) == (steps or 5)
    assert_same_logs(*(counter.seen for counter in counters))


def test_validation_is_that_of_single_steps(pair, images):
    histories = [
        model.fit(
            batches(images),
            validation_data=(images[:10],),
            validation_batch_size=BATCH,
            epochs=2,
            verbose=0,
        ).history
        for model in pair
    ]
    assert histories[0].keys() == histories[1].keys() >= {"val_loss", "val_elbo"}
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)


def test_a_schedule_sets_every_step_of_its_warm_up(pair, images, tmp_path, monkeypatch):
    calls, rows = calls_of(pair[0], monkeypatch), []
    for number, model in enumerate(pair):
        callbacks = [
            BetaSchedule(warmup_steps=4, end=2.0),
            ELBOLogger(tmp_path / str(number), frequency=1, print_table=False),
        ]
        model.fit(endless(images), steps_per_epoch=12, verbose=0, callbacks=callbacks)
        rows.append([(row["step"], row) for row in callbacks[1].rows])
    assert [row["beta"] for _, row in rows[0]] == [0.0, 0.5, 1.0, 1.5] + [2.0] * 8
    assert calls[:4] == [1] * 4 and max(calls) > 1
    assert_same_logs(*rows)
