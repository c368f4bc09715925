"""Many training steps in one compiled call: what makes `steps_per_execution` fast under XLA.

Keras calls a compiled step once a batch, from a loop that XLA does not see, and on small images
the calls cost as much as the arithmetic. Here the host stacks batches, and one compiled loop trains
on the stack. The body of that loop is the model's own `train_step`: weights, logs and randomness
are those of Keras's loop, to the rounding of float32.
"""

import functools
import math

import keras
import tensorflow as tf

from keras_vae.keras_internals import all_layers, compiled_metrics
from keras_vae.training.allocator import keep_freed_memory

# What a stack of batches may take, in bytes: enough to hide the cost of a call, and little beside
# what training needs anyway.
_STACK_BYTES = 2**26

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
    on_cpu = all(device.device_type == "CPU" for device in tf.config.list_physical_devices())
    return not (on_cpu and any(isinstance(layer, _CONVOLUTIONS) for layer in layers))


def compiled_train_function(model, one_by_one):
    """What `fit` calls with its iterator, in place of Keras's own train function.

    Args:
        model: A Keras model compiled with XLA, whose steps log `model.get_metrics_result()`.
        one_by_one: Keras's train function, which serves until model, optimizer and metrics have
            their variables (they cannot be made inside a compiled loop), and data that cannot be
            stacked.

    Returns:
        A function that trains `model.steps_per_execution` steps, or as many as the iterator has,
        and returns the logs. It raises `StopIteration` on an iterator with nothing left.
    """

    @tf.function(jit_compile=True, reduce_retracing=True)
    def train_on_stack(stack, count):
        def step(index):
            batch = keras.tree.map_structure(lambda part: part[index], stack)
            model.train_step(batch)
            return (index + 1,)

        tf.while_loop(lambda index: index < count, step, (0,))

    @tf.function(reduce_retracing=True)
    def train(iterator):
        def not_done(done, upcoming):
            return (done < model.steps_per_execution) & upcoming.has_value()

        def stack_and_train(done, upcoming):
            stack, count, upcoming = _stacked(iterator, upcoming, done, model.steps_per_execution)
            train_on_stack(stack, count)
            return done + count, upcoming

        first = iterator.get_next_as_optional()
        done, _ = tf.while_loop(not_done, stack_and_train, (0, first), parallel_iterations=1)
        return done, model.get_metrics_result()

    @functools.wraps(one_by_one)
    def train_function(iterator):
        metrics = compiled_metrics(model)
        parts = [model, model.optimizer, *([metrics] if metrics is not None else [])]
        if not all(part.built for part in parts) or not _stackable(iterator):
            return one_by_one(iterator)
        # Told once it has no lasting effect: compiling, in between, moves the heaps about.
        keep_freed_memory()
        done, logs = train(iterator)
        if done == 0:
            raise StopIteration
        return logs

    return train_function


def _stackable(iterator):
    """Whether an iterator yields dense batches whose sizes are known but for the first axis."""
    if not isinstance(iterator, tf.data.Iterator):
        return False
    return all(
        isinstance(spec, tf.TensorSpec) and spec.shape.rank and None not in spec.shape[1:]
        for spec in tf.nest.flatten(iterator.element_spec)
    )


def _stacked(iterator, upcoming, done, steps):
    """Reads batches until there is one of another size, a full stack, or no step left to do.

    Args:
        iterator: Whose batches are read.
        upcoming: Optional of the batch that was read ahead.
        done: Int scalar, how many batches this call has trained on.
        steps: Int, how many it may.

    Returns:
        The stack, of the structure of a batch with one more leading axis, padded with zeros to the
        same length whenever batches have the same size, so that it compiles once; how many batches
        are in it; and the next optional, which is stale when no step is left to do.
    """
    first = tf.nest.flatten(upcoming.get_value())
    batch_size = tf.shape(first[0])[0]
    batch_bytes = batch_size * sum(math.prod(part.shape[1:]) * part.dtype.size for part in first)
    length = tf.clip_by_value(_STACK_BYTES // tf.maximum(batch_bytes, 1), 1, steps)
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
