"""Classes, one-hot on the last axis."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.distributions.likelihoods.likelihood import Likelihood, check_one_array
from keras_vae.requirements import Requirement, is_one_hot


@keras.saving.register_keras_serializable(package="keras_vae")
class Categorical(Likelihood):
    """p(x|z) = prod_i softmax(logits_i)[class of x_i], for classes that are one-hot.

    The last axis of an event is one class of several, one-hot: `[K]` is one class of K, `[3, K]`
    three of them, `[28, 28, K]` an image of them. Of class numbers from 0 that is what
    `keras.utils.to_categorical(numbers, K)` gives. Missing is a class whose K numbers are all NaN.

    The decoder returns logits `[batch, *event]`. The mean is the probability of every class.

    Raises:
        ValueError: If images have a last axis of 1, where there would be one class.
    """

    lower, upper = 0.0, 1.0

    def parameters_shape(self, event_shape):
        """A logit for every class."""
        _check_several_classes(event_shape)
        return tuple(event_shape)

    def build(self, input_shape):
        """Looks at how many classes there are."""
        _check_several_classes(input_shape)
        self.built = True

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from logits `[batch, *event]`."""
        logits = tf.cast(parameters, tf.float32)
        classes = tfd.OneHotCategorical(logits=logits, dtype=tf.float32)
        return tfd.Independent(classes, reinterpreted_batch_ndims=logits.shape.rank - 2)

    def requirements(self):
        """One 1 and zeros."""
        advice = "Of class numbers make them by `keras.utils.to_categorical`, float32."
        return [Requirement("one-hot on the last axis", is_one_hot, advice)]

    def check_parameters(self, parameters):
        """Refuses a dict, and the probabilities of a softmax."""
        check_one_array(parameters)
        total = parameters.sum(axis=-1)
        if parameters.min() >= 0 and abs(total - 1).max() < 1e-3:
            raise ValueError(
                "`decoder` must return logits, any real numbers, to which the likelihood applies "
                "the softmax itself. Received: numbers that are positive and sum to 1, as of a "
                "softmax in the last layer. Remove that activation."
            )


def _check_several_classes(shape):
    if shape[-1] < 2:
        raise ValueError(
            "A categorical likelihood needs two classes or more on the last axis of an image, "
            f"one-hot. Received: shape {tuple(shape)}. For class numbers use "
            "`keras.utils.to_categorical`; for 0 and 1 the likelihood 'bernoulli'."
        )
