"""The contract of `keras_internals`: what each name must mean, and that none stands elsewhere.

`.ci/run` holds the newest versions to it and the oldest that `pyproject.toml` allows.
"""

import ast
import gc
import importlib
import itertools
import sys
import types
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import keras_internals
from keras_vae.keras_internals import ChangedInternalsError

PACKAGE = Path(keras_vae.__file__).parent
NUMBERS = np.ones((4, 1), np.float32)


def line(cls=keras.Sequential, **compile_arguments):
    """A compiled model of one weight."""
    model = cls([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "jit_compile": False, **compile_arguments})
    return model


def fit(model, **arguments):
    return model.fit(NUMBERS, NUMBERS, **{"batch_size": 1, "verbose": 0, **arguments})


def one_replica():
    return tf.distribute.MirroredStrategy(["CPU:0"])


def test_batches_are_counted_where_gradients_accumulate():
    model = line(optimizer=keras.optimizers.SGD(1e-2, gradient_accumulation_steps=2))
    fit(model)
    assert int(keras_internals.batches_seen(model.optimizer)) == 4
    assert int(model.optimizer.iterations) == 2
    keras_internals.batches_seen(model.optimizer).assign(6)
    assert int(model.optimizer.iterations) == 3


def test_one_dnn_is_on_or_off():
    assert keras_internals.runs_one_dnn() in (True, False)


def test_the_learning_rate_is_the_schedule_or_the_variable_behind_it():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert keras_internals.learning_rate_of(keras.optimizers.SGD(schedule)) is schedule
    optimizer = keras.optimizers.SGD(0.25)
    assert float(keras_internals.learning_rate_of(optimizer)) == 0.25
    optimizer.learning_rate = 0.5
    assert float(keras_internals.learning_rate_of(optimizer)) == 0.5


@pytest.mark.parametrize(("given", "expected"), [(0, False), (3, True), ((2, 5), True)])
def test_tensorboard_knows_whether_it_profiles(given, expected):
    board = keras.callbacks.TensorBoard("logs", profile_batch=given)
    assert keras_internals.profiles_batches(board) is expected


def test_an_optimizer_knows_what_it_was_built_for():
    model, optimizer = line(), keras.optimizers.Adam()
    assert keras_internals.optimized_variables(optimizer) == []
    optimizer.build(model.trainable_variables)
    (found,) = keras_internals.optimized_variables(optimizer)
    assert found is model.layers[0].kernel


class Begins(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.epochs = epoch, []

    def on_train_begin(self, logs=None):
        keras_internals.begin_at_epoch(self.model, self.epoch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)


@pytest.mark.parametrize(("epoch", "expected"), [(2, [2, 3]), (None, [1, 2, 3])])
def test_a_fit_begins_at_the_epoch_that_it_is_told(epoch, expected):
    begins = Begins(epoch)
    fit(line(), epochs=4, initial_epoch=1, callbacks=[begins])
    assert begins.epochs == expected


def test_the_strategy_is_that_under_which_the_model_was_made():
    strategy = one_replica()
    with strategy.scope():
        model = line()
    assert keras_internals.strategy_of(model) is strategy
    assert keras_internals.strategy_of(line()) is None


def test_one_worker_spans_no_workers_and_two_do(monkeypatch):
    assert not keras_internals.spans_workers(tf.distribute.get_strategy())
    assert not keras_internals.spans_workers(one_replica())
    alone = tf.distribute.MultiWorkerMirroredStrategy()
    assert keras_internals.spans_workers(alone) is False
    # Two would wait for each other.
    monkeypatch.setattr(alone.extended, "_num_workers", 2)
    assert keras_internals.spans_workers(alone) is True


def test_all_layers_are_found_at_any_depth():
    inner = keras.Sequential([keras.layers.Dense(1), keras.layers.LeakyReLU()])

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.by_name = {"middle": keras.Sequential([inner])}

    outer = Outer()
    found = keras_internals.all_layers(outer)
    assert found[0] is outer
    expected = {"Outer", "Sequential", "Dense", "LeakyReLU"}
    assert {type(layer).__name__ for layer in found} == expected
    assert all(any(layer is one for one in found) for layer in inner.layers)


def test_compiled_metrics_tell_whether_they_have_their_variables():
    assert keras_internals.compiled_metrics(keras.Sequential()) is None
    assert keras_internals.compiled_metrics(line()) is None
    model = line(metrics=["mae"])
    assert not keras_internals.compiled_metrics(model).built
    fit(model)
    assert keras_internals.compiled_metrics(model).built


def test_only_the_validation_of_a_fit_bears_the_mark():
    marks = []

    class Watched(keras.Sequential):
        def evaluate(self, *args, **kwargs):
            extra = {name: kwargs[name] for name in kwargs if name.startswith("_")}
            marks.append(keras_internals.validates(extra))
            return super().evaluate(*args, **kwargs)

    model = line(Watched)
    fit(model, epochs=2, validation_data=(NUMBERS, NUMBERS))
    model.evaluate(NUMBERS, NUMBERS, verbose=0)
    assert marks == [True, True, False]


@pytest.mark.parametrize(
    # Where the second no longer holds, Keras keeps no graph, and the function can go.
    ("apply", "is_kept"),
    [
        (keras_internals.apply_gradients, False),
        (lambda optimizer, *pair: optimizer.apply_gradients(zip(*pair, strict=True)), True),
    ],
)
def test_the_graph_of_a_step_is_given_up_with_its_model(apply, is_kept):
    weight = keras.Variable(1.0)
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build([weight])

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = weight**2
        apply(optimizer, tape.gradient(loss, [weight.value]), [weight])

    graph = weakref.ref(step.get_concrete_function().graph)
    step()
    assert float(weight) == 0.0
    del step
    gc.collect()
    assert (graph() is not None) == is_kept


def drawn(global_seed, forget):
    tf.random.set_seed(global_seed)

    @tf.function
    def numbers():
        if forget:
            keras_internals.forget_graph_seed()
        return tf.random.uniform([4], seed=3)

    return numbers().numpy().tolist()


def test_a_graph_that_forgot_the_global_seed_draws_by_its_own():
    assert drawn(1, forget=True) == drawn(2, forget=True)
    assert drawn(1, forget=False) != drawn(2, forget=False)


def draws():
    return keras.random.normal((3,)).numpy().tolist()


def test_a_lent_generator_is_taken_back_and_keras_makes_its_own_later():
    def first_draws(disturbed):
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        if disturbed:
            with keras_internals.global_seed_generator() as generator:
                assert generator is None
                draws()
            with keras_internals.global_seed_generator() as generator:
                assert generator is None
        return draws()

    assert first_draws(disturbed=True) == first_draws(disturbed=False)


def test_the_generator_that_keras_draws_from_is_given_where_there_is_one():
    draws()
    with keras_internals.global_seed_generator() as generator:
        before = generator.state.numpy()
        one = draws()
        assert not np.array_equal(generator.state.numpy(), before)
        generator.state.assign(before)
        assert draws() == one


def test_operations_outside_graphs_draw_as_if_they_had_not_drawn():
    def draws():
        numbers = tf.random.normal([2]), tf.random.get_global_generator().normal([2])
        return [number.numpy().tolist() for number in numbers]

    def second_draws(between):
        tf.random.set_seed(1)
        tf.random.set_global_generator(tf.random.Generator.from_seed(1))
        draws()
        if between:
            with keras_internals.other_eager_noise(2):
                assert draws() != draws()
        return draws()

    assert second_draws(between=True) == second_draws(between=False)


@pytest.mark.slow
def test_without_a_global_seed_there_is_no_noise_to_put_back(run_python):
    printed = run_python(
        "import tensorflow as tf\n"
        "from keras_vae.keras_internals import other_eager_noise\n"
        "with other_eager_noise(2):\n    print(tf.random.normal((2,)).shape)"
    )
    assert printed.endswith("(2,)\n")


def test_weights_are_written_as_keras_reads_them(tmp_path):
    model, other = line(), line()
    model.layers[0].kernel.assign([[7.0]])
    fit(model, epochs=2)
    path = tmp_path / "one.weights.h5"
    path.write_bytes(keras_internals.weights_file(model))
    other.load_weights(path)
    assert other.get_weights() == model.get_weights()
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations) == 8


@pytest.mark.parametrize(
    # Where the second no longer holds, Keras builds without data, and the class can go.
    ("base", "expected"),
    [(keras_internals.BuildsWithoutData, [0.0, 0.0]), (keras.Model, [1.0, 1.0])],
)
def test_no_iteration_over_the_data_is_lost_to_building_what_is_built(base, expected):
    prepared = []

    class Sums(base):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(1)
            # For the sake of which Keras would build the whole model anew.
            self.idle = keras.layers.Dense(1)
            self.total = keras.metrics.Sum(name="total")
            self.build((None, 1))

        def build(self, shape):
            self.layer.build(shape)
            self.built = True

        def call(self, x):
            return self.layer(x)

        def prepare_to_train(self):
            prepared.append(tf.distribute.get_strategy())

        def train_step(self, data):
            self.total.reset_state()
            self.total.update_state(data)
            return {"total": self.total.result()}

    strategy = one_replica()
    with strategy.scope():
        model = Sums()
        model.compile("sgd", jit_compile=False)
    seen = []
    keep = keras.callbacks.LambdaCallback(on_batch_end=lambda _, logs: seen.append(logs["total"]))
    iterations = itertools.count()

    def numbers():
        """Which iteration over the data this is, three times."""
        yield from [np.float32([[next(iterations)]])] * 3

    data = tf.data.Dataset.from_generator(
        numbers, output_signature=tf.TensorSpec((1, 1), tf.float32)
    )
    model.fit(data, steps_per_epoch=2, verbose=0, callbacks=[keep])
    assert seen == expected
    assert len(prepared) == (base is keras_internals.BuildsWithoutData)


def test_what_is_not_built_is_built_by_keras():
    class Doubles(keras_internals.BuildsWithoutData):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(1)

        def call(self, x):
            return self.layer(x)

    with one_replica().scope():
        model = Doubles()
        model.compile("sgd", "mse", metrics=["mae"], jit_compile=False)
    fit(model)
    assert model.built and model.layer.built
    assert keras_internals.compiled_metrics(model).built


class Renamed(tf.distribute.MultiWorkerMirroredStrategy):
    def __init__(self):
        self._extended = types.SimpleNamespace()


def changed(name, patch):
    """Calls a function of a Keras or TensorFlow that lacks the private name that it uses."""
    model, optimizer = line(), keras.optimizers.SGD()
    global_state = sys.modules["keras.src.backend.common.global_state"]
    if name == "batches_seen":
        patch.delattr(optimizer, "_iterations")
        keras_internals.batches_seen(optimizer)
    elif name == "learning_rate_of":
        patch.delattr(optimizer, "_learning_rate")
        keras_internals.learning_rate_of(optimizer)
    elif name == "optimized_variables":
        patch.delattr(optimizer, "_trainable_variables")
        keras_internals.optimized_variables(optimizer)
    elif name == "begin_at_epoch":
        patch.delattr(model, "_initial_epoch")
        keras_internals.begin_at_epoch(model, 3)
    elif name == "strategy_of":
        patch.delattr(model, "_distribute_strategy")
        keras_internals.strategy_of(model)
    elif name == "spans_workers":
        keras_internals.spans_workers(Renamed())
    elif name == "all_layers":
        patch.delattr(keras.layers.Layer, "_flatten_layers")
        keras_internals.all_layers(model)
    elif name == "compiled_metrics":
        patch.delattr(model, "_compile_metrics")
        keras_internals.compiled_metrics(model)
    elif name == "profiles_batches":
        board = keras.callbacks.TensorBoard("logs")
        patch.delattr(board, "_should_trace")
        keras_internals.profiles_batches(board)
    elif name == "runs_one_dnn":
        port = importlib.import_module("tensorflow.python.util._pywrap_util_port")
        patch.delattr(port, "IsMklEnabled")
        keras_internals.runs_one_dnn()
    elif name == "handed_on_by":
        repeated = tf.data.Dataset.range(2).repeat()
        patch.delattr(repeated, "_input_dataset")
        keras_internals.handed_on_by(repeated)
    elif name == "count_of":
        keras_internals.count_of(tf.data.Dataset.range(2))
    elif name == "IteratedOtherwise":
        keras_internals.IteratedOtherwise(types.SimpleNamespace(), lambda: iter([]))
    elif name == "apply_gradients":
        registry = importlib.import_module("tensorflow.python.framework.ops")
        patch.delattr(registry, "gradient_registry")
        keras_internals.apply_gradients(optimizer, [0.0], [tf.Variable(0.0)])
    elif name == "validates":
        keras_internals.validates({"_use_cached_validation_data": True})
    elif name == "forget_graph_seed":
        patch.setattr(tf.compat.v1, "get_default_graph", types.SimpleNamespace)
        keras_internals.forget_graph_seed()
    elif name == "global_seed_generator":
        patch.delattr(global_state, "set_global_attribute")
        with keras_internals.global_seed_generator():
            pass
    elif name == "other_eager_noise":
        context = importlib.import_module("tensorflow.python.eager.context").context()
        patch.delattr(context, "_rng")
        with keras_internals.other_eager_noise(2):
            pass
    elif name == "weights_file":
        patch.delattr(importlib.import_module("keras.src.saving.saving_lib"), "_save_state")
        keras_internals.weights_file(model)
    elif name == "BuildsWithoutData":
        patch.delattr(keras.src.backend.tensorflow.trainer.TensorFlowTrainer, BUILD)
        patch.delattr(keras.src.trainers.trainer.Trainer, BUILD, raising=False)
        keras_internals.BuildsWithoutData()


BUILD = "_maybe_symbolic_build"
PUBLIC = [
    node.name
    for node in ast.parse((PACKAGE / "keras_internals.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
]


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "ChangedInternalsError"])
def test_a_name_that_is_gone_is_an_error_that_says_what_to_do(name, monkeypatch):
    with (
        pytest.raises(ChangedInternalsError) as caught,
        monkeypatch.context() as patch,
    ):
        changed(name, patch)
    message = str(caught.value)
    assert f"Keras {keras.__version__} with TensorFlow {tf.__version__} has no longer " in message
    assert "pip install --upgrade keras-vae" in message


def test_a_module_that_is_gone_is_such_an_error_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras.src.backend.common.global_state", None)
    monkeypatch.delattr(keras.src.backend.common, "global_state")
    with (
        pytest.raises(ChangedInternalsError, match=r"`keras\.src\.backend\.common\.global_state`"),
        keras_internals.global_seed_generator(),
    ):
        pass


# Private names stand nowhere else: of `self._x`, where that class has no base which is Keras's or
# TensorFlow's and knows `_x`; of `other._x`, where `_x` is defined here and by none of them.


# What TensorFlow Probability and TensorFlow Datasets document for their subclasses to define, and a
# method of every named tuple.
DOCUMENTED = {"_log_prob", "_mean", "_stddev", "_replace"}
DOCUMENTED |= {
    "_parameter_properties",
    "_sample_n",
    "_variance",
    "_mode",
    "_batch_shape",
    "_batch_shape_tensor",
}
DOCUMENTED |= {"_event_shape", "_event_shape_tensor"}
DOCUMENTED |= {"_generate_examples", "_info", "_split_generators"}


def private(name):
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED


@pytest.fixture(scope="module")
def foreign():
    """The private names of what this package builds on, by kind: of classes and of instances."""
    model = line(optimizer="adam", metrics=["mae"])
    fit(model)
    model.predict(NUMBERS, verbose=0)
    strategy = one_replica()
    kinds = {
        keras.Model: [model],
        keras.layers.Layer: [model.layers[0]],
        keras.metrics.Metric: [model.metrics[0]],
        keras.callbacks.Callback: [keras.callbacks.Callback()],
        keras.optimizers.Optimizer: [model.optimizer],
        object: [
            *(model.weights[0], keras.random.SeedGenerator(0), tf.data.Dataset.range(1)),
            *(strategy, strategy.extended, tf.Graph()),
        ],
    }
    return {
        kind: {name for owner in (kind, *owners) for name in dir(owner) if private(name)}
        for kind, owners in kinds.items()
    }


def inherited(foreign, module, name):
    """The private names that a class of this package has from bases that are not this package's."""
    cls = getattr(module, name, None)
    if cls is None:
        return set().union(*foreign.values())
    bases = [base for base in cls.__mro__ if not base.__module__.startswith("keras_vae")]
    names = {name for base in bases for name in dir(base) if private(name)}
    kinds = [kind for kind in foreign if kind is not object and issubclass(cls, kind)]
    return names.union(*(foreign[kind] for kind in kinds))


def own_names(trees):
    """The private names that this package defines."""
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_self(node):
            names.add(node.attr)
    return {name for name in names if private(name)}


def of_self(node):
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def modules_named(node):
    """The modules that a piece of a program names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [ast.unparse(node)] if isinstance(node, ast.Attribute) else []


class Strangers(ast.NodeVisitor):
    """Finds where a program uses a private name that is not its own, as `line: name`."""

    def __init__(self, own, foreign, module=None):
        self.own, self.foreign, self.module = own, foreign, module
        self.others = set().union(*foreign.values())
        # What only a call bears, and no object.
        self.others.add("_use_cached_eval_dataset")
        self.bases, self.found = set(), []

    def visit(self, node):
        for name in modules_named(node):
            if f"{name}.".startswith(("keras.src.", "tensorflow.python.", "tf.python.")):
                self.tell(node, name)
        super().visit(node)

    def visit_ClassDef(self, node):
        outer, self.bases = self.bases, inherited(self.foreign, self.module, node.name)
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name in self.bases:
                self.tell(part, part.name)
        self.generic_visit(node)
        self.bases = outer

    def visit_Attribute(self, node):
        if private(node.attr):
            theirs = self.bases if of_self(node) or is_super(node.value) else self.others
            if node.attr in theirs or node.attr not in self.own:
                self.tell(node, node.attr)
        self.generic_visit(node)

    def visit_Constant(self, node):
        # As in `getattr(model, "_x")`.
        if isinstance(node.value, str) and node.value in self.others:
            self.tell(node, node.value)

    def visit_keyword(self, node):
        if node.arg in self.others:
            self.tell(node.value, node.arg)
        self.generic_visit(node)

    def tell(self, node, name):
        self.found.append(f"{node.lineno}: {name}")


def is_super(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "super"


def strangers(program, own, foreign, module=None):
    finder = Strangers(own, foreign, module)
    finder.visit(program)
    return finder.found


def programs():
    """Every file of the package but the one module, parsed, by the name of its module."""
    # Not `rglob` of the whole: that does not follow the link to the callbacks.
    rooms = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    paths = [*PACKAGE.glob("*.py"), *(file for room in rooms for file in room.rglob("*.py"))]
    found = {}
    for path in paths:
        parts = ("keras_vae", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    del found["keras_vae.keras_internals"]
    return found


def test_no_private_name_stands_outside_the_one_module(foreign):
    parsed = programs()
    assert {"keras_vae.vae", "keras_vae.callbacks.resume"} <= parsed.keys()
    assert "keras_vae.callbacks.helpers.guard" in parsed
    own = own_names(parsed.values())
    told = {
        name: strangers(program, own, foreign, importlib.import_module(name))
        for name, program in parsed.items()
    }
    assert {name: found for name, found in told.items() if found} == {}


@pytest.mark.parametrize(
    "program",
    [
        "from keras.src import backend",
        "import tensorflow.python.framework.ops",
        "from tensorflow.python import keras",
        "keras.src.utils.numerical_utils",
        "optimizer._iterations",
        "model._never_heard_of",
        "getattr(model, '_compile_metrics')",
        "model.evaluate(x, _use_cached_eval_dataset=True)",
        "strategy.extended._in_multi_worker_mode()",
        "class A(keras.Model):\n def f(self): self._flatten_layers()",
        "class A(keras.Model):\n def f(self): self._initial_epoch = 3",
        "class A(keras.Model):\n def _maybe_symbolic_build(self): pass",
        "class A(keras.callbacks.Callback):\n def f(self): self._model = None",
        "class A(keras.Model):\n def f(self): super()._symbolic_build()",
    ],
)
def test_such_a_name_would_be_found(foreign, program):
    tree = ast.parse(program)
    module = types.ModuleType("keras_vae_tested")
    exec("import keras\n" + program if program.startswith("class") else "", module.__dict__)
    assert strangers(tree, own_names([tree]), foreign, module)


def test_names_of_our_own_are_no_strangers(foreign):
    program = (
        "import keras\n"
        "class A:\n def _build(self): self._model = keras.ops.abs(1); self._build()\n"
        "class B(keras.Model):\n def _ours(self): self._mine = self._ours\n"
        "lambda b: (b._ours, b._mine, b.__name__)"
    )
    tree = ast.parse(program)
    module = types.ModuleType("keras_vae_tested")
    exec(program, module.__dict__)
    assert strangers(tree, own_names([tree]), foreign, module) == []
