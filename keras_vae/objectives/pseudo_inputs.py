"""Images that are trained with the networks, whose posteriors make a prior."""

import keras
import tensorflow as tf


def add_pseudo_inputs(model, count: int, event_shape: tuple[int, ...]):
    """A variable of uniformly grey images, `[count, *event_shape]`, of a model that is built."""
    return model.add_weight(
        shape=(count, *event_shape),
        initializer=keras.initializers.RandomUniform(0.0, 1.0),
        dtype="float32",
        autocast=False,
        name="pseudo_inputs",
    )


def within_support(model) -> tf.Tensor:
    """The pseudo-inputs of a model, as far as its likelihood has such images."""
    likelihood = model.likelihood
    return tf.clip_by_value(model.pseudo_inputs.value, likelihood.lower, likelihood.upper)
