"""Many training steps in one compiled call: what makes `steps_per_execution` fast under XLA.

Keras calls a compiled step once a batch, from a loop that XLA does not see, and on small images
the calls cost as much as the arithmetic. Here the host stacks batches, and one compiled loop trains
on the stack; or a data set lends its examples, and the loop takes its batches from them. The body
of either loop is the model's own `train_step`: weights, logs and randomness are those of Keras's
loop, to the rounding of float32.
"""

import math
import warnings
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_vae.keras_internals import all_layers, compiled_metrics
from keras_vae.training.allocator import keep_freed_memory
from keras_vae.training.lent_examples import LentIterator

# What a stack of batches may take, in bytes: enough to hide the cost of a call, and little beside
# what training needs anyway.
_STACK_BYTES = 2**26

# How many batches are on a stack where nobody says.
STACK_LENGTH = 64

# For how many lent sets of differing sizes loops are compiled. Further ones come on stacks, for
# which one loop serves.
_LENT_SETS = 2

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def loop_pays(model: keras.Model) -> bool:
    """Whether a compiled loop over steps makes a model's training faster on this machine.

    It does wherever XLA can compile the model, with one exception: on a CPU, convolutions inside a
    compiled loop miss the library that runs them outside, and take ten times as long.
    """
    layers = all_layers(model)
    if not all(layer.supports_jit for layer in layers):
        return False
    return not convolves_on_cpu(model)


def convolves_on_cpu(model: keras.Model) -> bool:
    """Whether a model has convolutions, and this machine nothing but CPUs."""
    return on_cpu() and any(isinstance(layer, _CONVOLUTIONS) for layer in all_layers(model))


def on_cpu() -> bool:
    """Whether this machine has nothing but CPUs."""
    return all(device.device_type == "CPU" for device in tf.config.list_physical_devices())


def compiled_loop(model):
    """A function that trains a model on a stack of batches, compiled by XLA.

    Args:
        model: A Keras model whose variables, the optimizer's and the metrics' included, are there:
            they cannot be made inside a compiled loop.

    Returns:
        A `tf.function` of a stack, which has the structure of a batch with one more leading axis,
        and of how many batches on it count.
    """

    @tf.function(jit_compile=True, reduce_retracing=True, autograph=False)
    def train_on_stack(stack, count):
        def step(index):
            batch = keras.tree.map_structure(lambda part: part[index], stack)
            model.train_step(batch)
            return (index + 1,)

        tf.while_loop(lambda index: index < count, step, (0,))

    return train_on_stack


def compiled_lent_loop(model: keras.Model, take: Callable, length: int):
    """A function that trains a model on batches of lent examples, compiled by XLA.

    Args:
        model: A Keras model as `compiled_loop` takes it.
        take: Function of arrays, places and a number: a batch.
        length: Int. Examples a batch.

    Returns:
        A `tf.function` of the arrays, the epoch's order, and int64 `[3]`: the place in it of the
        first batch, that batch's number, and how many batches there are.
    """

    @tf.function(jit_compile=True, autograph=False)
    def train_on_examples(arrays, order, which):
        place, number, count = tf.unstack(which)

        def step(index):
            # Not by a slice, whose beginning XLA would compile in.
            rows = tf.gather(order, place + index * length + tf.range(length, dtype=tf.int64))
            model.train_step(take(arrays, rows, number + index))
            return (index + 1,)

        tf.while_loop(lambda index: index < count, step, (tf.constant(0, tf.int64),))

    return train_on_examples


class CompiledSteps:
    """Trains several steps in one call, by a compiled loop over stacks or lent examples.

    Args:
        model: A Keras model whose steps log `model.get_metrics_result()`.
        one_by_one: Keras's train function, which serves until model, optimizer and metrics have
            their variables, for data that cannot be stacked, and for what XLA cannot compile.
        stack_length: Int. How many batches are on a stack, if they are small.
    """

    def __init__(self, model: keras.Model, one_by_one: Callable, stack_length: int):
        self._model = model
        self._one_by_one = one_by_one
        self._stack_length = stack_length
        self._compiles: bool | None = None
        self._lent_loops: dict = {}
        self._lent_specs: list = []
        train_on_stack = compiled_loop(model)

        @tf.function(reduce_retracing=True, autograph=False)
        def train(iterator, steps):
            def not_done(done, upcoming):
                return (done < steps) & upcoming.has_value()

            def stack_and_train(done, upcoming):
                stack, count, upcoming = _stacked(iterator, upcoming, done, steps, stack_length)
                train_on_stack(stack, count)
                return done + count, upcoming

            first = iterator.get_next_as_optional()
            done, _ = tf.while_loop(not_done, stack_and_train, (0, first), parallel_iterations=1)
            return done, model.get_metrics_result()

        @tf.function(reduce_retracing=True, autograph=False)
        def train_one(iterator):
            alone = tf.nest.map_structure(lambda part: part[None], iterator.get_next())
            train_on_stack(alone, tf.constant(1))
            return model.get_metrics_result()

        self._train = train
        self._train_one = train_one

    def takes(self, iterator) -> bool:
        """Whether the steps that an iterator feeds can be compiled, which is said once if not.

        Args:
            iterator: What Keras iterates over.
        """
        model = self._model
        metrics = compiled_metrics(model)
        parts = [model, model.optimizer, *([metrics] if metrics is not None else [])]
        if not all(part.built for part in parts) or not is_stackable(iterator):
            return False
        if self._compiles is None:
            self._compiles = all(map(_is_known, all_layers(model))) or self._can_compile(iterator)
        return self._compiles

    def __call__(self, iterator, steps: int):
        """Trains that many steps, or as many as the iterator has.

        Args:
            iterator: What Keras iterates over.
            steps: Int.

        Returns:
            How many steps were trained, and the logs after the last.

        Raises:
            StopIteration: If the iterator has nothing left.
        """
        # Told once it has no lasting effect: compiling, in between, moves the heaps about.
        keep_freed_memory()
        if self._takes_examples(iterator):
            return self._train_on_examples(iterator, steps)
        done, logs = self._train(batches_of(iterator), tf.constant(steps))
        done = int(done)
        if done == 0:
            raise StopIteration
        return done, logs

    def one(self, iterator) -> dict:
        """Trains one step, for which there is a loop of its own: filling a stack takes longer.

        Args:
            iterator: What Keras iterates over.

        Returns:
            The logs after it.

        Raises:
            StopIteration or tf.errors.OutOfRangeError: If the iterator has nothing left.
        """
        keep_freed_memory()
        if self._takes_examples(iterator):
            return self._train_on_examples(iterator, 1)[1]
        return self._train_one(batches_of(iterator))

    def train_function(self, iterator) -> dict:
        """What `fit` calls in place of Keras's own function: a stack's steps, and their logs."""
        if not self.takes(iterator):
            return self._one_by_one(batches_of(iterator))
        return self(iterator, self._stack_length)[1]

    def _takes_examples(self, iterator):
        """Whether an iterator is one whose examples are lent, and a loop may take them."""
        is_lent = isinstance(iterator, LentIterator) and not iterator.is_read
        return is_lent and self._has_loop(iterator.examples)

    def _has_loop(self, examples):
        """Whether loops are, or may be, compiled for lent examples of this kind."""
        specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, examples.arrays)
        specs = (examples.take, examples.batch_size, specs)
        if specs not in self._lent_specs:
            if len(self._lent_specs) == _LENT_SETS:
                return False
            self._lent_specs.append(specs)
        return True

    def _train_on_examples(self, iterator, steps):
        """As `__call__`, of an iterator whose examples are lent."""
        examples, done, logs = iterator.examples, 0, None
        while done < steps and (some := iterator.next_batches(steps - done)) is not None:
            batches, length = some
            count = batches.stop - batches.first
            which = batches.first * examples.batch_size, examples.draw_of(batches), count
            train = self._lent_loop(examples.take, length)
            logs = train(examples.arrays, batches.order, tf.constant(which, tf.int64))
            done += count
        if not done:
            raise StopIteration
        return done, logs

    def _lent_loop(self, take, length):
        """A function that trains on lent examples and returns the logs, made when first needed."""
        if (take, length) not in self._lent_loops:
            train_on_examples = compiled_lent_loop(self._model, take, length)

            @tf.function(autograph=False)
            def train(arrays, order, which):
                train_on_examples(arrays, order, which)
                return self._model.get_metrics_result()

            self._lent_loops[take, length] = train
        return self._lent_loops[take, length]

    def _can_compile(self, iterator):
        """Whether XLA knows all operations of a step; asked before any batch is read."""

        def spec(part):
            # Their number is one of those that XLA compiles for: any will do here.
            sizes = [1 if size is None else size for size in part.shape]
            return tf.TensorSpec([1, *sizes], part.dtype)

        train_on_stack = compiled_loop(self._model).python_function

        @tf.function(jit_compile=True, autograph=False)
        def loop(count, *parts):  # TensorFlow shows no program of arguments that are tuples.
            train_on_stack(tf.nest.pack_sequence_as(iterator.element_spec, parts), count)

        parts = map(spec, tf.nest.flatten(iterator.element_spec))
        try:
            loop.experimental_get_compiler_ir(tf.TensorSpec([], tf.int32), *parts)(stage="hlo")
        except (tf.errors.OpError, NotImplementedError, ValueError) as error:
            warnings.warn(
                f"XLA cannot compile the steps of {type(self._model).__name__}, so they run one by "
                "one, which is slower. `compile(..., jit_compile=False)` says so without this "
                f"warning. The reason: {str(error).splitlines()[0]}",
                stacklevel=2,
            )
            return False
        return True


def evaluation_loop(model: keras.Model) -> Callable:
    """A function that evaluates several batches in one call.

    XLA makes no difference to it: there is no optimizer, whose many small operations it unites.

    Args:
        model: A Keras model whose steps log `model.get_metrics_result()`.

    Returns:
        A function of an iterator and a number of steps: the logs after each, which are those after
        the last. It raises `StopIteration` if the iterator has nothing left.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def evaluate(iterator, steps):
        def not_done(done, upcoming):
            return (done < steps) & upcoming.has_value()

        def step(done, upcoming):
            model.test_step(upcoming.get_value())
            more = tf.cond(done + 1 < steps, iterator.get_next_as_optional, lambda: upcoming)
            return done + 1, more

        first = iterator.get_next_as_optional()
        done, _ = tf.while_loop(not_done, step, (0, first), parallel_iterations=1)
        return done, model.get_metrics_result()

    def run(iterator, steps):
        done, logs = evaluate(iterator, tf.constant(steps))
        if done == 0:
            raise StopIteration
        return [logs] * int(done)

    return run


def _is_known(layer):
    """Whether a layer is one of Keras or of this package, all of which say what they support."""
    return type(layer).__module__.split(".")[0] in ("keras", "keras_vae")


def batches_of(iterator):
    """What TensorFlow's functions can read of what Keras iterates over."""
    return iterator.reader() if isinstance(iterator, LentIterator) else iterator


def is_stackable(iterator) -> bool:
    """Whether an iterator yields dense batches whose sizes are known but for the first axis."""
    if not isinstance(iterator, tf.data.Iterator | LentIterator):
        return False
    return all(
        isinstance(spec, tf.TensorSpec) and spec.shape.rank and None not in spec.shape[1:]
        for spec in tf.nest.flatten(iterator.element_spec)
    )


def _stacked(iterator, upcoming, done, steps, stack_length):
    """Reads batches until there is one of another size, a full stack, or no step left to do.

    Args:
        iterator: Whose batches are read.
        upcoming: Optional of the batch that was read ahead.
        done: Int scalar, how many batches this call has trained on.
        steps: Int scalar, how many it may.
        stack_length: Int. How many fit on a stack if they are small.

    Returns:
        The stack, of the structure of a batch with one more leading axis, padded with zeros to the
        same length whenever batches have the same size, so that it compiles once; how many batches
        are in it; and the next optional, which is stale when no step is left to do.
    """
    first = tf.nest.flatten(upcoming.get_value())
    batch_size = tf.shape(first[0])[0]
    batch_bytes = batch_size * sum(math.prod(part.shape[1:]) * part.dtype.size for part in first)
    length = tf.clip_by_value(_STACK_BYTES // tf.maximum(batch_bytes, 1), 1, stack_length)
    most = tf.minimum(length, steps - done)

    def same_size(count, upcoming, *_):
        def fits():
            return tf.shape(tf.nest.flatten(upcoming.get_value())[0])[0] == batch_size

        return (count < most) & tf.cond(upcoming.has_value(), fits, lambda: False)

    def read(count, upcoming, *arrays):
        parts = tf.nest.flatten(upcoming.get_value())
        arrays = [array.write(count, part) for array, part in zip(arrays, parts, strict=True)]
        more = tf.cond(done + count + 1 < steps, iterator.get_next_as_optional, lambda: upcoming)
        return count + 1, more, *arrays

    arrays = [
        tf.TensorArray(part.dtype, size=length, element_shape=[None, *part.shape[1:]])
        for part in first
    ]
    count, upcoming, *arrays = tf.while_loop(
        same_size, read, (0, upcoming, *arrays), parallel_iterations=1
    )

    def padded(array):
        part = array.gather(tf.range(count))
        return tf.pad(part, [[0, length - count], *[[0, 0]] * (part.shape.rank - 1)])

    parts = [tf.cond(count == length, array.stack, lambda a=array: padded(a)) for array in arrays]
    return tf.nest.pack_sequence_as(iterator.element_spec, parts), count, upcoming
