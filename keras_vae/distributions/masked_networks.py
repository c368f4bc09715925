"""Networks of which every output sees only the inputs before it."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops


class MaskedDense(keras.layers.Dense):
    """A fully connected layer some of whose connections are cut.

    Args:
        mask: What the kernel is multiplied by, `[inputs, units]`, zeros and ones.
        **kwargs: As `keras.layers.Dense` takes them, but for `units`.
    """

    def __init__(self, mask: np.ndarray, **kwargs):
        super().__init__(mask.shape[1], **kwargs)
        self._mask = mask

    def call(self, inputs):
        """The product with the kernel that is left, the bias, and the activation."""
        kernel = self.kernel * ops.cast(self._mask, self.compute_dtype)
        return self.activation(ops.matmul(inputs, kernel) + self.bias)


def masked_network(
    num_inputs: int,
    num_context: int,
    hidden_sizes: Sequence[int],
    reverse: bool = False,
    name: str = "masked",
) -> keras.Sequential:
    """A network of two numbers an input that depend on those before it and on a context.

    Every input has its place as its degree, the context 0, and hidden units one below the last
    place by turns; a unit sees what has at most its own degree, an output what has less (Germain et
    al., "MADE: masked autoencoder for distribution estimation", 2015, section 4). At the start its
    outputs are zeros.

    Args:
        num_inputs: Int.
        num_context: Int. Numbers that all outputs see.
        hidden_sizes: Units of the hidden layers.
        reverse: Bool. Whether the last input comes first. Defaults to `False`.
        name: Of the network. Defaults to `"masked"`.

    Returns:
        `[batch, num_inputs + num_context] -> [batch, 2 * num_inputs]`.
    """
    places = np.arange(1, num_inputs + 1)
    places = places[::-1] if reverse else places
    degrees = np.concatenate([places, np.zeros(num_context, int)])
    layers = [keras.layers.Input((num_inputs + num_context,))]
    for size in hidden_sizes:
        units = np.arange(size) % num_inputs
        layers.append(MaskedDense(degrees[:, None] <= units, activation="relu"))
        degrees = units
    of_outputs = degrees[:, None] < np.tile(places, 2)
    layers.append(MaskedDense(of_outputs, kernel_initializer="zeros"))
    return keras.Sequential(layers, name=name)
