"""Which columns or pixels make an example strange."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.anomaly.own_likelihood import check_own_likelihood
from keras_vae.held_out import check_built, over_batches


def attribution(model, data, reference=None, progress: bool = True) -> np.ndarray:
    """What each column or pixel adds to the reconstruction term, -log p(x_i|z) at the mean of z.

    Without a reference they add up to `reconstruction_term`. Columns differ in how well they can be
    reconstructed at all; a reference takes that out.

    Args:
        model: A built `keras_vae.VAE` whose p(x|z) factorises over the columns or pixels.
        data: Examples `[n, *event]`, or a data set of batches of them, with labels for a
            conditional model.
        reference: Examples that are not strange, whose mean attribution, over those of them that
            have the value, is subtracted. Defaults to `None`: nothing is.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `[n, *event]`, float64, in nats; greater is stranger, and 0 where a value is missing.

    Raises:
        ValueError: If p(x|z) does not factorise, there are no examples, they do not fit the model,
            or a value is not finite.
    """
    check_built(model)
    check_own_likelihood(model)

    def by_element(noise_seed, examples, *condition):
        del noise_seed  # Nothing here is random.
        likelihood = model.decode(model.encode(examples, *condition).mean(), *condition)
        if not isinstance(likelihood, tfd.Independent):
            raise ValueError(
                "Attribution needs a p(x|z) that is a product over columns or pixels. "
                f"Received: a model with p(x|z) {type(likelihood).__name__}"
            )
        # Where values may be missing, of what is there.
        log_prob = getattr(likelihood, "log_prob_by_value", likelihood.distribution.log_prob)
        values, is_there = -log_prob(examples), ~tf.math.is_nan(examples)
        # One value may be several numbers, as a one-hot class is.
        while is_there.shape.rank > values.shape.rank:
            is_there = tf.reduce_all(is_there, axis=-1)
        return values, is_there

    found = over_batches(by_element, model, data, 0, progress)
    if reference is None:
        return found[0]
    return beyond_usual(*found, *over_batches(by_element, model, reference, 0, progress))


def beyond_usual(values, is_there, usual, usual_is_there) -> np.ndarray:
    """Values less the mean of those usual ones that are there; 0 stays where one is missing.

    Args:
        values: `[n, ...]`, 0 where one is missing.
        is_there: `[n, ...]`, 1 where it is not.
        usual: `[reference, ...]`.
        usual_is_there: `[reference, ...]`.
    """
    mean = usual.sum(axis=0) / np.maximum(usual_is_there.sum(axis=0), 1)
    return values - is_there * mean
