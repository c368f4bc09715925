"""Every name used here that Keras or TensorFlow do not promise to keep, each behind one function.

A version that renames one of them would otherwise fail in silence: a resumed run would lose data,
a step would be counted twice. Each function looks before it reaches, and says what changed.
`tests/test_keras_internals.py` is the contract: it holds what each name must mean, on the oldest
and on the newest versions that `pyproject.toml` allows.
"""

import contextlib
import importlib
import io
import random
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

# Data sets that choose, order or hold elements, and change none.
_HAND_ON = frozenset(
    ["AssertCardinality", "Cache", "Options", "Prefetch", "Repeat", "Shuffle", "Skip", "Take"]
)


class ChangedInternalsError(RuntimeError):
    """Keras or TensorFlow no longer has something that it never promised, and that is used here."""


def batches_seen(optimizer: keras.optimizers.Optimizer):
    """The variable that counts the batches that an optimizer has seen.

    The public `iterations` counts updates, which are fewer where gradients accumulate.
    """
    return _get(optimizer, "_iterations", "to count training steps")


def learning_rate_of(optimizer: keras.optimizers.Optimizer):
    """The learning rate as it was given: a variable, or the schedule behind it.

    The public `learning_rate` of a schedule is its value at the step after the last one.
    """
    return _get(optimizer, "_learning_rate", "to log the rate that a step used")


def optimized_variables(optimizer: keras.optimizers.Optimizer) -> list:
    """The variables that an optimizer was built for, in their order."""
    return list(_get(optimizer, "_trainable_variables", "to build optimizers as they were"))


def runs_one_dnn() -> bool:
    """Whether TensorFlow's operations on a CPU are those of the oneDNN library."""
    purpose = "to tell when convolutions could be faster"
    port = _module("tensorflow.python.util._pywrap_util_port", purpose)
    return _get(port, "IsMklEnabled", purpose)()


def handed_on_by(dataset: tf.data.Dataset) -> tuple[str, tf.data.Dataset] | None:
    """The data set whose elements another one hands on as they are.

    Returns:
        What made the other one, such as `"Take"`, and the data set; `None` where elements are made
        anew, and where nothing is known of how they come about: to look at the data instead is
        always right, if slower.
    """
    kind = type(dataset).__name__.removeprefix("_").removesuffix("Dataset")
    if kind not in _HAND_ON:
        return None
    if kind == "Cache" and tf.get_static_value(_get(dataset, "_filename", _DATA)) != b"":
        # A file that is there already may hold the elements of another data set.
        return None
    return kind, _get(dataset, "_input_dataset", _DATA)


def count_of(dataset: tf.data.Dataset) -> int:
    """What `repeat`, `take` or `skip` was given; -1 for all, and for no end."""
    return int(_get(dataset, "_count", _DATA))


class IteratedOtherwise(tf.data.Dataset):
    """A data set that differs from another one in its iterators alone.

    Args:
        dataset: The other one.
        make_iterator: Function without arguments: an iterator.
    """

    def __init__(self, dataset: tf.data.Dataset, make_iterator: Callable[[], Iterator]):
        self._dataset, self._make_iterator = dataset, make_iterator
        super().__init__(_get(dataset, "_variant_tensor", "to iterate over data in another way"))

    def __iter__(self):
        return self._make_iterator()

    def _inputs(self):
        return [self._dataset]

    @property
    def element_spec(self):
        """Of the other one."""
        return self._dataset.element_spec


def begin_at_epoch(model: keras.Model, epoch: int | None):
    """Tells the `fit` that is under way at which epoch to begin; `None` takes it back.

    Only of use from `on_train_begin`, where Keras's own `BackupAndRestore` does the same.
    """
    _get(model, "_initial_epoch", "to begin a resumed run where it was")
    model._initial_epoch = epoch


def strategy_of(model: keras.Model) -> tf.distribute.Strategy | None:
    """The strategy that a model was made under, or `None`."""
    return _get(model, "_distribute_strategy", "to know whether training is distributed")


def spans_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy spans several processes."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    mode = _get(strategy.extended, "_in_multi_worker_mode", "to see whether workers share a step")
    return mode()


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """A model and all layers below it, at any depth."""
    return list(_get(model, "_flatten_layers", "to find layers that compile badly")())


def compiled_metrics(model: keras.Model):
    """What holds the metrics given to `compile`, or `None`."""
    return _get(model, "_compile_metrics", "to see whether metrics have their variables")


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Whether a callback profiles single training steps."""
    return bool(_get(callback, "_should_trace", "to see whether single steps are profiled"))


def validates(fit_arguments: dict) -> bool:
    """Whether a call of `evaluate` is that of `fit`, on validation data that it has cached.

    Args:
        fit_arguments: The extra keyword arguments that `evaluate` got.
    """
    for name in fit_arguments:
        if name.startswith("_") and name != _CACHED:
            what = f"the argument `{_CACHED}` of `evaluate`, and has `{name}`"
            raise ChangedInternalsError(_message(what, "to check validation data once"))
    return bool(fit_arguments.get(_CACHED))


_CACHED = "_use_cached_eval_dataset"


def forget_graph_seed():
    """Has the random operations of the current graph depend on their own seeds alone."""
    graph = tf.compat.v1.get_default_graph()
    _get(graph, "seed", "to make the order of streamed data a function of its seed")
    graph.seed = None


def apply_gradients(optimizer: keras.optimizers.Optimizer, gradients, weights):
    """Has an optimizer apply gradients, without leaving the graph that this is traced in for good.

    Whatever the strategy, Keras has TensorFlow sum gradients over its replicas, and that registers
    a gradient of the sum, which nobody asks for and whose registry keeps the whole graph until the
    process ends.

    Args:
        optimizer: Of Keras.
        gradients: As many as there are weights.
        weights: Variables.
    """
    ops = _module("tensorflow.python.framework.ops", _GRAPHS)
    registered = _get(_get(ops, "gradient_registry", _GRAPHS), "_registry", _GRAPHS)
    before = set(registered)
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    new = [name for name in set(registered) - before if name.startswith("CustomGradient-")]
    # Several would be another thread's, too, of which some may be needed.
    if len(new) == 1 and tf.distribute.get_strategy().num_replicas_in_sync == 1:
        registered.pop(new[0], None)


@contextlib.contextmanager
def global_seed_generator() -> Iterator[keras.random.SeedGenerator | None]:
    """The generator that Keras draws from where no seed is given, or `None` if there is none yet.

    Until Keras makes it, it is lent one here, which is taken back, so that it makes its own later.
    """
    name = "global_seed_generator"
    state = _global_state()
    generator = state.get_global_attribute(name)
    if generator is not None:
        yield generator
        return
    state.set_global_attribute(name, keras.random.SeedGenerator(0, name="lent"))
    try:
        yield None
    finally:
        state.set_global_attribute(name, None)


@contextlib.contextmanager
def other_eager_noise(seed: int) -> Iterator[None]:
    """Lets TensorFlow's operations outside graphs draw other numbers, and then as if none had.

    It is the operations without a seed that do, and the global generator if there is one yet. An
    operation with the same seeds as one before goes on where that one stopped, which nothing takes
    back; so those inside get seeds of their own.

    Args:
        seed: Int. Of what is drawn inside.
    """
    context = _module("tensorflow.python.eager.context", _PICTURES).context()
    random_ops = _module("tensorflow.python.ops.stateful_random_ops", _PICTURES)
    # Without a global seed operations draw from the system, and there is nothing to put back.
    is_seeded = _get(context, "_seed", _PICTURES) is not None
    seeds = _get(context, "_rng", _PICTURES) if is_seeded else None
    generator = _get(random_ops, "global_generator", _PICTURES)
    numbers = None if generator is None else generator.state.numpy()
    if is_seeded:
        context._rng = random.Random(seed)
    try:
        yield
    finally:
        if is_seeded:
            context._rng = seeds
        if generator is not None and not (generator.state.numpy() == numbers).all():
            generator.state.assign(numbers)


def weights_file(model: keras.Model) -> bytes:
    """The content of the file that `model.save_weights` writes, for `model.load_weights`.

    Keras has HDF5 write to the disk itself, where a full one ends the process. What is not built
    has no weights and is left out.
    """
    saving = _module("keras.src.saving.saving_lib", _WEIGHTS)
    buffer = io.BytesIO()
    store = _get(saving, "H5IOStore", _WEIGHTS)(buffer, mode="w")
    # As `save_weights_only` does, but for the file.
    _get(saving, "_save_state", _WEIGHTS)(model, store, None, "", set())
    store.close()
    return buffer.getvalue()


class BuildsWithoutData(keras.Model):
    """A model that Keras does not feed a batch of data merely to build what is built already.

    Under a strategy Keras begins to iterate over the data before the first epoch, and where a
    resumed run goes on in the order of its data, that batch would be lost to training.
    """

    def __init__(self, *args, **kwargs):
        # Where Keras no longer calls it, what overrides it would do nothing.
        _get(keras.Model, "_maybe_symbolic_build", _FIRST_BATCH)
        super().__init__(*args, **kwargs)

    def prepare_to_train(self):
        """Makes what training needs of a built model, in the scope of its strategy."""

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        metrics = compiled_metrics(self)
        if not self.built or not (metrics is None or metrics.built):
            super()._maybe_symbolic_build(iterator, data_batch)
            return
        self.prepare_to_train()


def _global_state():
    global_state = _module("keras.src.backend.common.global_state", _PICTURES)
    for name in ("get_global_attribute", "set_global_attribute"):
        _get(global_state, name, _PICTURES)
    return global_state


_DATA = "to know what a data set was made of"
_GRAPHS = "to give up the graphs of models that are given up"
_FIRST_BATCH = "to keep the data's first batch"
_PICTURES = "to draw pictures without disturbing the noise of training"
_WEIGHTS = "to write weights to a full disk without a crash"


def _module(name, purpose):
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ChangedInternalsError(_message(f"the module `{name}`", purpose)) from None


def _get(owner, name, purpose):
    try:
        return getattr(owner, name)
    except AttributeError:
        kind = getattr(owner, "__name__", type(owner).__name__)
        raise ChangedInternalsError(_message(f"`{kind}.{name}`", purpose)) from None


def _message(what, purpose):
    return (
        f"Keras {keras.__version__} with TensorFlow {tf.__version__} has no longer {what}, which "
        f"keras_vae uses {purpose}. Install versions that keras_vae was made for (`pip install "
        "--upgrade keras-vae` installs them with it), and tell its maintainers."
    )
