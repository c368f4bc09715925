"""Keras networks as plain steps and arrays, which `static/layers.js` runs.

A network is `{"steps": [...], "outputs": ...}`. Value 0 is its input, value i + 1 what step i
makes; a step says by `op` what it does, by `from` of which values, and the outputs are values, or a
dict of them. What a page cannot run is refused, by name.
"""

from collections.abc import Callable

import keras
import numpy as np

from keras_vae.networks import PositiveScale

_FUNCTIONS = {
    getattr(keras.activations, name): name
    for name in (
        "elu",
        "exponential",
        "gelu",
        "leaky_relu",
        "linear",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softplus",
        "softsign",
        "tanh",
    )
}
# What passes its input on outside training.
IDENTITIES = (
    keras.layers.InputLayer,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout2D,
)


class _Refused(Exception):
    """Why a page cannot run a layer."""


def describe(network: keras.Model, argument: str, instead: str) -> dict:
    """A network as steps and arrays.

    Args:
        network: A functional or sequential model of one input.
        argument: What it is called in errors: `"encoder"` or `"decoder"`.
        instead: What may be done where it cannot run, a sentence.

    Returns:
        `{"steps": [...], "outputs": ...}`, with NumPy arrays for weights.

    Raises:
        ValueError: If the page has no such layer, or a weight is not finite.
    """
    trace = _Trace(argument, instead)
    outputs = trace.run(network, [0])
    return {"steps": trace.steps, "outputs": outputs}


class _Trace:
    """Follows a value through networks, and notes the steps."""

    def __init__(self, argument, instead):
        self.argument, self.instead, self.steps = argument, instead, []

    def run(self, layer, inputs):
        """The values that a layer, or a network of them, makes of others."""
        if isinstance(layer, keras.Sequential):
            for inner in layer.layers:
                inputs = [self.run(inner, inputs)]
            return inputs[0]
        config = layer.get_config() if isinstance(layer, keras.Model) else {}
        if {"layers", "input_layers", "output_layers"} <= config.keys():
            return self._functional(layer, config, inputs)
        return self._single(layer, inputs)

    def _functional(self, network, config, inputs):
        """A graph of layers, of which only what leads to an output is run."""
        nodes = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
        known = dict(zip(map(tuple, _histories(config["input_layers"])), inputs, strict=True))

        def value(history):
            name, node, index = history
            if (name, node, 0) not in known and (name, node, index) not in known:
                sources = [value(source) for source in _tensors(nodes[name][node])]
                made = keras.tree.flatten(self.run(network.get_layer(name), sources))
                known.update({(name, node, i): one for i, one in enumerate(made)})
            return known[name, node, index]

        return _each_history(config["output_layers"], value)

    def _single(self, layer, inputs):
        if isinstance(layer, IDENTITIES):
            return inputs[0]
        try:
            describe_layer = LAYERS.get(type(layer))
            if describe_layer is None:
                raise _Refused("")
            step = describe_layer(layer)
        except _Refused as reason:
            raise ValueError(
                f"`{self.argument}` has a layer that a page cannot run: {layer.name!r} "
                f"({type(layer).__name__}){reason}. It runs models of: {', '.join(names())}. "
                f"{self.instead}"
            ) from None
        for weight in layer.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise ValueError(
                    f"`{self.argument}` has weights that are not finite, in its layer "
                    f"{layer.name!r}: a training that diverged left them. Load the weights from "
                    "before; `StopOnNonFinite` keeps them."
                )
        self.steps.append({"from": list(inputs), **step})
        return len(self.steps)


def names() -> list[str]:
    """The layers that a page runs."""
    return sorted(layer.__name__ for layer in (*LAYERS, *IDENTITIES))


def _histories(structure):
    found = []
    _each_history(structure, found.append)
    return found


def _each_history(structure, function: Callable):
    """A structure in which every `[layer, node, index]` gave way to what a function makes of it."""
    if isinstance(structure, dict):
        return {name: _each_history(value, function) for name, value in structure.items()}
    if isinstance(structure[0], str):
        return function(tuple(structure))
    return [_each_history(value, function) for value in structure]


def _tensors(node):
    """The histories of all tensors that a layer was called with."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [tuple(node["config"]["keras_history"])]
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [history for value in node for history in _tensors(value)]
    return []


# One function a layer: what it is in the page ---------------------------------------------------


def _function(activation) -> dict:
    """An activation, as a step or a part of one."""
    if isinstance(activation, keras.layers.Layer) and type(activation) in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[type(activation)](activation)
    if activation not in _FUNCTIONS:
        name = getattr(activation, "__name__", type(activation).__name__)
        raise _Refused(f", with the activation {name!r}")
    return {"name": _FUNCTIONS[activation]}


def _relu(layer):
    return {
        "name": "relu_between",
        "maximum": None if layer.max_value is None else float(layer.max_value),
        "slope": float(layer.negative_slope),
        "threshold": float(layer.threshold),
    }


_ACTIVATION_LAYERS = {
    keras.layers.Activation: lambda layer: _function(layer.activation),
    keras.layers.ELU: lambda layer: {"name": "elu", "alpha": float(layer.alpha)},
    keras.layers.LeakyReLU: lambda layer: {
        "name": "leaky_relu",
        "slope": float(layer.negative_slope),
    },
    keras.layers.ReLU: _relu,
}


def _activation(layer):
    return {"op": "activation", "activation": _ACTIVATION_LAYERS[type(layer)](layer)}


def _weights(layer):
    """Kernel and bias, as they count: what a layer adds to its kernel is in it."""
    kernel = keras.ops.convert_to_numpy(layer.kernel).astype(np.float32)
    bias = layer.bias if layer.use_bias else None
    return {
        "kernel": kernel,
        "bias": None if bias is None else keras.ops.convert_to_numpy(bias).astype(np.float32),
    }


def _dense(layer):
    return {"op": "dense", **_weights(layer), "activation": _function(layer.activation)}


def _convolution(layer, op):
    if layer.data_format != "channels_last":
        raise _Refused(f", with data_format={layer.data_format!r}")
    if getattr(layer, "groups", 1) != 1:
        raise _Refused(f", with groups={layer.groups}")
    return {
        "op": op,
        **_weights(layer),
        "strides": list(layer.strides),
        "padding": layer.padding,
        "dilation": list(layer.dilation_rate),
        "activation": _function(layer.activation),
    }


def _conv2d(layer):
    return _convolution(layer, "conv2d")


def _conv2d_transpose(layer):
    if layer.output_padding is not None:
        raise _Refused(f", with output_padding={layer.output_padding}")
    if tuple(layer.dilation_rate) != (1, 1):
        raise _Refused(f", with dilation_rate={layer.dilation_rate}")
    return _convolution(layer, "conv2d_transpose")


def _batch_normalization(layer):
    """Outside training it scales and shifts every channel."""
    if layer.axis not in (-1, layer.input_spec.ndim - 1):
        raise _Refused(f", over axis {layer.axis}")
    mean, variance = (
        keras.ops.convert_to_numpy(part).astype(np.float64)
        for part in (layer.moving_mean, layer.moving_variance)
    )
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * keras.ops.convert_to_numpy(layer.gamma)
    offset = -mean * scale
    if layer.center:
        offset = offset + keras.ops.convert_to_numpy(layer.beta)
    return {"op": "affine", "scale": scale, "offset": offset}


def _rescaling(layer):
    scale, offset = (np.asarray(part, np.float64) for part in (layer.scale, layer.offset))
    if scale.ndim > 1 or offset.ndim > 1:
        raise _Refused(", with arrays of more than one axis")
    scale, offset = np.broadcast_arrays(scale.reshape(-1), offset.reshape(-1))
    return {"op": "affine", "scale": scale, "offset": offset}


def _up_sampling(layer):
    if layer.interpolation != "nearest" or layer.data_format != "channels_last":
        raise _Refused(
            f", with interpolation={layer.interpolation!r} and data_format={layer.data_format!r}"
        )
    return {"op": "up_sampling", "size": list(layer.size)}


def _concatenate(layer):
    if layer.axis != -1:
        raise _Refused(f", along axis {layer.axis}")
    return {"op": "concatenate"}


def _positive_scale(layer):
    return {
        "op": "positive_scale",
        "parameterization": layer.parameterization,
        "minimum": layer.minimum,
    }


LAYERS = {
    **dict.fromkeys(_ACTIVATION_LAYERS, _activation),
    keras.layers.Add: lambda layer: {"op": "add"},
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Concatenate: _concatenate,
    keras.layers.Conv2D: _conv2d,
    keras.layers.Conv2DTranspose: _conv2d_transpose,
    keras.layers.Dense: _dense,
    keras.layers.Flatten: lambda layer: {"op": "reshape", "shape": [-1]},
    keras.layers.Rescaling: _rescaling,
    keras.layers.Reshape: lambda layer: {"op": "reshape", "shape": list(layer.target_shape)},
    keras.layers.UpSampling2D: _up_sampling,
    PositiveScale: _positive_scale,
}
