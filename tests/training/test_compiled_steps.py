import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.training import compiled_steps
from keras_vae.training.lent_examples import lending

BATCH = 8
FAST = {"jit_compile": True, "steps_per_execution": 3}
PLAIN = {"jit_compile": False}
AUTO = {"jit_compile": "auto"}


def fit(make_vae, data, compile_kwargs, metrics=None, **kwargs):
    """Trains a tiny model; returns its history and its weights."""
    vae = make_vae(compile_kwargs={**compile_kwargs, "metrics": metrics})
    history = vae.fit(data, verbose=0, **kwargs).history
    return vae, history


def assert_same_training(one, other):
    (one, one_history), (other, other_history) = one, other
    assert int(one.optimizer.iterations) == int(other.optimizer.iterations)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert one_history.keys() == other_history.keys()
    for name, values in one_history.items():
        np.testing.assert_allclose(values, other_history[name], rtol=1e-5)


@pytest.fixture(params=["lent", "stacked"])
def batches(images, request):
    """Three batches an epoch, the last of them smaller."""
    dataset = keras_vae.datasets.from_arrays(images, batch_size=BATCH, shuffle=False)
    # What is shuffled comes out of the pipeline, if only one by one.
    return dataset if request.param == "lent" else dataset.shuffle(1)


def test_it_trains_as_keras_does_one_call_a_step(make_vae, images):
    # Labels, weights, a ragged last batch, metrics, and an epoch that no call fills evenly.
    images = np.concatenate([images, images])[:36]
    labels = np.arange(36.0, dtype=np.float32)
    weights = np.linspace(0.5, 2.0, 36).astype(np.float32)
    data = (images, labels, weights)
    data = tf.data.Dataset.from_tensor_slices(data).batch(BATCH)
    pairs = [
        fit(make_vae, data, kwargs, metrics=[keras.metrics.MeanAbsoluteError()], epochs=2)
        for kwargs in (PLAIN, FAST)
    ]
    assert_same_training(*pairs)
    fast = pairs[1][0]
    assert int(fast.optimizer.iterations) == 10
    assert "mean_absolute_error" in pairs[1][1]
    assert fast.step_logs(9)["loss"] != fast.step_logs(10)["loss"]


@pytest.fixture
def loops(monkeypatch):
    """The names of the loops that are made, in their order."""
    made = []

    def spy_on(name):
        make = getattr(compiled_steps, name)
        monkeypatch.setattr(compiled_steps, name, lambda *args: made.append(name) or make(*args))

    spy_on("_stacked")
    spy_on("compiled_lent_loop")
    return made


@pytest.mark.slow
def test_batches_train_in_stacks_or_are_lent_once_the_model_is_built(
    make_vae, batches, loops, request
):
    fit(make_vae, batches, FAST)
    lent = ["compiled_lent_loop"] * 2  # One of them for the smaller batch.
    assert loops == lent if "lent" in request.node.name.split("[")[1] else {*loops} == {"_stacked"}


@pytest.mark.parametrize(
    "settings", [pytest.param({}, marks=pytest.mark.slow), {"binarize": "dynamic"}]
)
def test_what_is_lent_trains_as_what_is_read(make_vae, images, settings, loops):
    def data():
        labels = np.arange(len(images))
        return keras_vae.datasets.from_arrays(images, labels, BATCH, seed=1, **settings)

    pairs = [fit(make_vae, data(), kwargs, epochs=3) for kwargs in (PLAIN, AUTO)]
    assert_same_training(*pairs)
    assert loops == ["compiled_lent_loop"] * 2  # One of them for the smaller batch.


@pytest.mark.slow
def test_loops_are_compiled_for_two_lent_sets_and_others_come_on_stacks(make_vae, images, loops):
    vae = make_vae(compile_kwargs=FAST)
    for size, expected in [(8, 1), (12, 2), (8, 2), (16, 2)]:
        dataset = keras_vae.datasets.from_arrays(images[:size], batch_size=4)
        vae.fit(dataset, verbose=0)
        assert ("_stacked" in loops) == (size == 16)
        assert len(vae.train_function.__self__._lent_specs) == expected
    assert loops.count("compiled_lent_loop") == 1
    assert int(vae.optimizer.iterations) == 2 + 3 + 2 + 4


def test_a_lent_loop_is_compiled_once_whatever_the_batches_places(make_vae, images):
    vae = make_vae()
    vae.prepare_to_train()
    examples = iter(lending(keras_vae.datasets.from_arrays(images, batch_size=4))).examples
    loop = compiled_steps.compiled_lent_loop(vae, examples.take, 4)

    def program(*which):
        which = tf.constant(which, tf.int64)
        make = loop.experimental_get_compiler_ir(examples.arrays, examples.order(0), which)
        return make(stage="hlo")

    # A number that XLA must know while it compiles is part of its program.
    assert program(0, 0, 2) == program(8, 7, 3)


class TrainsByItself(keras_vae.VAE):
    """A train function of the user's own, as Keras lets anybody make."""

    def make_train_function(self, force=False):
        """One that reads a batch."""
        self.train_function = tf.function(lambda iterator: self.train_step(next(iterator)))


@pytest.mark.slow
def test_a_train_function_of_the_users_own_reads_batches(make_vae, images):
    def trained(kwargs):
        dataset = keras_vae.datasets.from_arrays(images, batch_size=BATCH)
        return fit(functools.partial(make_vae, cls=TrainsByItself), dataset, kwargs, epochs=2)

    assert_same_training(trained(PLAIN), trained(AUTO))


class Recompiles(keras.callbacks.Callback):
    """Has a model trained in another way after the first epoch, or trains it on something else."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def on_epoch_end(self, epoch, logs=None):
        """Does it."""
        if epoch == 0 and self.way == "compile":
            self.model.compile(self.model.optimizer, **PLAIN)
            self.model.make_train_function()
        elif epoch == 0:
            self.model.fit(np.ones((BATCH, 4, 4, 1), np.float32), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["compile", "fit"])
def test_what_is_trained_in_another_way_goes_on_where_it_was(make_vae, images, way):
    def trained(kwargs):
        dataset = keras_vae.datasets.from_arrays(images, batch_size=BATCH, binarize="dynamic")
        settings = {"epochs": 3, "steps_per_epoch": 4, "callbacks": [Recompiles(way)]}
        return fit(make_vae, dataset.repeat(), kwargs, **settings)

    assert_same_training(trained(PLAIN), trained(AUTO))


@pytest.mark.slow
def test_a_metric_without_its_variables_reads_the_first_batch(make_vae, images):
    def trained(kwargs):
        dataset = keras_vae.datasets.from_arrays(images, batch_size=BATCH).repeat()
        metrics = [keras.metrics.MeanAbsoluteError()]
        return fit(make_vae, dataset, kwargs, metrics, epochs=2, steps_per_epoch=4)

    assert_same_training(trained(PLAIN), trained(AUTO))


@pytest.mark.slow
def test_a_stack_is_no_larger_than_its_bound(make_vae, batches, monkeypatch):
    plain = fit(make_vae, batches, PLAIN)
    # Room for a single batch.
    monkeypatch.setattr(compiled_steps, "_STACK_BYTES", 1)
    assert_same_training(plain, fit(make_vae, batches, FAST))


@pytest.mark.slow
def test_batch_callbacks_run_once_a_call(make_vae, batches):
    ends = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: ends.append(step))
    fit(make_vae, batches.repeat(), FAST, steps_per_epoch=6, callbacks=[watch])
    assert ends == [2, 5]


@pytest.mark.slow
def test_a_dataset_that_ends_early_ends_the_epoch(make_vae, batches):
    with pytest.warns(UserWarning, match="ran out of data"):
        vae, _ = fit(make_vae, batches.repeat(2), FAST, steps_per_epoch=12)
    assert int(vae.optimizer.iterations) == 6


@pytest.mark.slow
def test_a_model_that_is_not_built_yet_is_built_by_its_first_call(images, batches):
    inputs = {"loc": keras.layers.Dense(2), "scale": keras.layers.Dense(2, "softplus")}

    @keras.saving.register_keras_serializable(package="keras_vae_tests")
    class Encoder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.flatten = keras.layers.Flatten()
            self.loc, self.scale = inputs["loc"], inputs["scale"]

        def call(self, x):
            flat = self.flatten(x)
            return {"loc": self.loc(flat), "scale": self.scale(flat)}

    decoder = keras_vae.networks.mlp_decoder((4, 4, 1), 2, [5])
    vae = keras_vae.VAE(Encoder(), decoder, seed=0)
    vae.compile(keras.optimizers.Adam(), **FAST)
    assert not vae.built
    vae.fit(batches, epochs=3, verbose=0)
    assert int(vae.optimizer.iterations) == 9


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, False),
        ({"steps_per_execution": 4}, True),
        ({"steps_per_execution": 4, "jit_compile": False}, False),
        ({"steps_per_execution": 4, "run_eagerly": True}, False),
    ],
)
def test_several_steps_an_execution_turn_xla_on(make_vae, arguments, expected):
    vae = make_vae()
    vae.compile(keras.optimizers.Adam(), **arguments)
    assert vae.jit_compile is expected


def test_how_a_model_is_compiled_is_saved(make_vae, images, tmp_path):
    vae = make_vae(compile_kwargs=FAST)
    vae.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.jit_compile, again.steps_per_execution) == (True, 3)
    assert again.optimizer.built


def test_convolutions_on_a_cpu_stay_outside_compiled_loops(monkeypatch):
    shape = (8, 8, 1)
    vae = keras_vae.VAE(
        keras_vae.networks.conv_encoder(shape, 2, filters=(2,), hidden_sizes=(3,)),
        keras_vae.networks.conv_decoder(shape, 2, filters=(2,), hidden_sizes=(3,)),
    )

    def on(*kinds):
        devices = [tf.config.PhysicalDevice(f"/{kind}:0", kind) for kind in kinds]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: devices)
        vae.compile(keras.optimizers.Adam(), steps_per_execution=4)
        return vae.jit_compile

    assert on("CPU") is False
    assert on("CPU", "GPU") is True
