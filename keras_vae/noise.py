"""Noise that is the same number for the same seed, with XLA and without."""

import contextlib
import math
import random

import tensorflow as tf


def random_bits(shape, seed: tf.Tensor) -> tf.Tensor:
    """Draws 32 random bits a number: a function of the seed alone.

    Args:
        shape: Of the result, integers or scalar tensors.
        seed: int32 or int64 `[2]`.

    Returns:
        uint32 of that shape.
    """
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )


def standard_normal(shape, seed: tf.Tensor) -> tf.Tensor:
    """Draws from N(0, 1) by Box and Muller's method: a function of the seed alone.

    TensorFlow's own normal generator turns the same random bits into other numbers under XLA.

    Args:
        shape: Of the result, integers or scalar tensors.
        seed: int32 `[2]`.

    Returns:
        float32 of that shape.
    """
    bits = random_bits([2, *shape], seed)
    # The upper 24 bits, which a float32 holds exactly; half a unit keeps the logarithm from 0.
    uniform = (tf.cast(bits // 256, tf.float32) + 0.5) * 2.0**-24
    return tf.sqrt(-2.0 * tf.math.log(uniform[0])) * tf.cos(2.0 * math.pi * uniform[1])


@contextlib.contextmanager
def python_seed(seed: int):
    """Seeds the generator that Keras draws the seeds of first weights from, and puts it back."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
