"""Images of which something was not observed, beside their reconstructions."""

import tensorflow as tf


def filled_in(x, reconstruction) -> tf.Tensor:
    """Images in float32, with the reconstruction where they are NaN, so that there they agree."""
    x = tf.cast(x, tf.float32)
    return tf.where(tf.math.is_nan(x), reconstruction, x)
