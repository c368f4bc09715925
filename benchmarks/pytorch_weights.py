"""The first weights that PyTorch would draw, for runs that were published with them."""

import keras
import numpy as np


def as_pytorch(vae, seed):
    """Draws the weights of a model's fully connected layers anew, as `torch.nn.Linear` does.

    Kernels and biases alike are uniform within 1 / sqrt(fan_in), where Keras has
    sqrt(6 / (fan_in + fan_out)) and zero. On binarised MNIST a network of 784-400-40 is 0.8 nats
    ahead after 40 epochs by that alone, and level after 500.

    Args:
        vae: Model of a functional encoder and decoder.
        seed: Int. Of the draws.

    Returns:
        The same model.
    """
    random = np.random.default_rng(seed)
    for layer in (*vae.encoder.layers, *vae.decoder.layers):
        if isinstance(layer, keras.layers.Dense):
            limit = 1 / np.sqrt(layer.kernel.shape[0])
            layer.set_weights([random.uniform(-limit, limit, part.shape) for part in layer.weights])
    return vae
