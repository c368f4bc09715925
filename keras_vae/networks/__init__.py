"""Encoders and decoders: plain functional Keras models, useful on their own.

An encoder maps images `[batch, *event]` to `{"loc": [batch, latent], "scale": [batch, latent]}`,
a decoder maps codes `[batch, latent]` to logits or means `[batch, *event]`. They know nothing of
losses or sampling. The outputs are float32 under any dtype policy.
"""

from keras_vae.networks.burgess import burgess_decoder, burgess_encoder
from keras_vae.networks.causal import Before, causal_transformer
from keras_vae.networks.convolutional import conv_decoder, conv_encoder
from keras_vae.networks.layers import MINIMUM_SCALE, SCALES, PositiveScale, ZerosAndMask
from keras_vae.networks.mlp import mlp_decoder, mlp_encoder
from keras_vae.networks.residual import residual_decoder, residual_encoder
from keras_vae.networks.series import (
    AnyObserved,
    EachStep,
    conv_series_decoder,
    conv_series_encoder,
    gru_series_decoder,
    gru_series_encoder,
)
from keras_vae.networks.vector_quantized import vq_decoder, vq_encoder

__all__ = [
    "MINIMUM_SCALE",
    "SCALES",
    "AnyObserved",
    "Before",
    "EachStep",
    "PositiveScale",
    "ZerosAndMask",
    "burgess_decoder",
    "burgess_encoder",
    "causal_transformer",
    "conv_decoder",
    "conv_encoder",
    "conv_series_decoder",
    "conv_series_encoder",
    "gru_series_decoder",
    "gru_series_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "residual_decoder",
    "residual_encoder",
    "vq_decoder",
    "vq_encoder",
]
