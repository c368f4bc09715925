"""Networks that fit a table: an encoder that sees counts as logarithms, a decoder that knows means.

They are plain functional Keras models, as those of `keras_vae.networks`.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from keras_vae import networks


@keras.saving.register_keras_serializable(package="keras_vae")
class LogCounts(layers.Layer):
    """log(1 + x) of some columns; the others stay as they are, and NaN stays NaN.

    Args:
        columns: Ints. Which of the last axis.

    Input and output shape:
        `[batch, columns]`.
    """

    def __init__(self, columns: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.columns = [int(column) for column in columns]

    def call(self, inputs):
        """The values, counts as logarithms."""
        is_count = np.isin(np.arange(inputs.shape[-1]), self.columns)
        # Of others 0 is taken, whose gradient is finite, as of made-up rows with negative counts.
        # Not by what is *not* less than 0: TensorFlow's graphs make `>=` of that, which NaN is not.
        counts = ops.where(np.logical_not(is_count) | (inputs < 0), ops.zeros_like(inputs), inputs)
        return ops.where(is_count, ops.log1p(counts), inputs)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "columns": self.columns}


def encoder(
    table, latent_dim: int, hidden_sizes: Sequence[int], activation, missing: bool
) -> keras.Model:
    """A fully connected encoder of a table's rows; see `keras_vae.networks.mlp_encoder`."""
    inputs = layers.Input((table.width,), name="row")
    features = inputs
    if table.count_columns():
        features = LogCounts(table.count_columns(), name="log_counts")(features)
    means, variances = table.encoder_moments()
    if means.any() or (variances != 1).any():
        standardise = layers.Normalization(
            mean=means.tolist(), variance=variances.tolist(), name="standardise"
        )
        features = standardise(features)
    mlp = networks.mlp_encoder(
        (table.width,), latent_dim, hidden_sizes, activation, scale="log_variance", missing=missing
    )
    return keras.Model(inputs, mlp(features), name="table_encoder")


def decoder(
    table, likelihood, latent_dim: int, hidden_sizes: Sequence[int], activation
) -> keras.Model:
    """A fully connected decoder that begins with each column's own mean and spread."""
    mlp = networks.mlp_decoder(
        (table.width,), latent_dim, hidden_sizes, activation, likelihood=likelihood
    )
    # Logarithms of large counts, or of rare categories, would be far to go for an optimizer.
    mlp.get_layer("pixels").bias.assign(table.first_parameters())
    return mlp
