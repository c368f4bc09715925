"""How coarsely a network's weights may be rounded before it shows."""

from collections.abc import Callable

import keras
import numpy as np

from keras_vae.explorer.packing import FINEST, restored

_COARSEST = 12


def fewest_bits(network: keras.Model, outcome: Callable, tolerance: float) -> int:
    """The least number of bits a weight with which a network does almost what it does.

    Only kernels are rounded: biases and the like are few.

    Args:
        network: A built network.
        outcome: Maps a network of that kind to what counts, an array.
        tolerance: Float. By how much any number of it may differ.

    Returns:
        12 to 24, at which weights are as exact as in single precision.
    """
    exact = outcome(network)
    weights = network.get_weights()
    copy = keras.models.clone_model(network)
    for bits in range(_COARSEST, FINEST):
        copy.set_weights([restored(w, bits) if w.ndim > 1 else w for w in weights])
        if np.max(np.abs(outcome(copy) - exact)) <= tolerance:
            return bits
    return FINEST
