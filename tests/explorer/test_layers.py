"""Tests of the layers that a page runs: their descriptions, and each beside Keras in a browser."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_vae
from keras_vae.explorer import layers as described
from keras_vae.explorer.packing import Packer, pack
from keras_vae.explorer.page import as_json, program
from keras_vae.networks import SCALES, PositiveScale

IMAGE = (6, 5, 3)


def image(*stack):
    """A network of images [6, 5, 3]."""
    return keras.Sequential([layers.Input(IMAGE), *stack])


def vector(*stack):
    """A network of seven numbers."""
    return keras.Sequential([layers.Input((7,)), *stack])


def branching():
    """One layer twice, a network within, a sum and a row of others."""
    inputs = layers.Input((7,))
    shared = layers.Dense(4, "tanh", name="shared")
    within = keras.Sequential([layers.Input((7,)), layers.Dense(7, "relu")], name="within")
    first, second = shared(inputs), shared(within(inputs))
    total = layers.Add()([first, second, first])
    unused = layers.Dense(3)(inputs)
    assert unused is not None
    return keras.Model(inputs, {"scale": layers.Concatenate()([total, second]), "loc": first})


def normalised():
    """Batch normalization that has seen something."""
    network = image(
        layers.BatchNormalization(), layers.BatchNormalization(center=False, scale=False)
    )
    random = np.random.default_rng(1)
    network.set_weights([random.uniform(0.5, 2, w.shape) for w in network.get_weights()])
    return network


def convolution(**arguments):
    return image(layers.Conv2D(4, **arguments))


def transposed(**arguments):
    return image(layers.Conv2DTranspose(4, **arguments))


ACTIVATIONS = (
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
NETWORKS = {
    **{
        f"activation {name}": lambda name=name: vector(layers.Activation(name))
        for name in ACTIVATIONS
    },
    **{f"scale {name}": lambda name=name: vector(PositiveScale(name, 0.1)) for name in SCALES},
    "ELU": lambda: vector(layers.ELU(0.7)),
    "LeakyReLU": lambda: vector(layers.LeakyReLU(0.1)),
    "ReLU": lambda: vector(layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3)),
    "Dense": lambda: vector(layers.Dense(5, "relu"), layers.Dense(3, use_bias=False)),
    "Dense whose activation is a layer": lambda: vector(layers.Dense(5, layers.LeakyReLU(0.3))),
    "Dense on images": lambda: image(layers.Dense(2)),
    "Dropout and noise": lambda: vector(layers.Dropout(0.5), layers.GaussianNoise(1.0)),
    "Flatten and Reshape": lambda: image(layers.Flatten(), layers.Reshape((3, -1, 5))),
    "Rescaling": lambda: image(layers.Rescaling(2.0, -1.0)),
    "Rescaling by channel": lambda: image(layers.Rescaling([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])),
    "BatchNormalization": normalised,
    "UpSampling2D": lambda: image(layers.UpSampling2D((2, 3))),
    "a graph": branching,
    **{
        f"Conv2D {padding} {kernel} by {strides}": lambda p=padding, k=kernel, s=strides: (
            convolution(padding=p, kernel_size=k, strides=s, activation="relu")
        )
        for padding in ("same", "valid")
        for kernel in (1, 2, (3, 4))
        for strides in (1, 2, (2, 1))
    },
    "Conv2D dilated": lambda: convolution(kernel_size=2, dilation_rate=(2, 3), padding="same"),
    **{
        f"Conv2DTranspose {padding} {kernel} by {strides}": (
            lambda p=padding, k=kernel, s=strides: transposed(
                padding=p, kernel_size=k, strides=s, activation="tanh"
            )
        )
        for padding in ("same", "valid")
        for kernel in (1, 2, 3, (4, 5))
        for strides in (1, 2, (3, 2))
    },
    "mlp_encoder": lambda: keras_vae.mlp_encoder(IMAGE, 3, [5], full_covariance=True),
    "conv_decoder": lambda: keras_vae.conv_decoder((8, 8, 3), 7, filters=[4, 3]),
    "burgess_encoder": lambda: keras_vae.networks.burgess_encoder((8, 8, 1), 3),
    "burgess_decoder": lambda: keras_vae.networks.burgess_decoder((8, 8, 1), 7),
}
HARNESS = """<!doctype html>
<script type="module">{program}
window.modules = modules;</script>"""


@pytest.fixture(scope="module")
def harness(browser, tmp_path_factory):
    """Runs described networks in a page that holds nothing but the layers."""
    path = tmp_path_factory.mktemp("harness") / "harness.html"
    path.write_text(HARNESS.format(program=program(["arrays", "layers"])), encoding="utf-8")
    browser.driver.get(path.as_uri())

    def run(network, inputs):
        packer = Packer()
        data = pack(described.describe(network, "decoder", ""), packer)
        found = browser.driver.execute_async_script(
            """
            const [data, text, shape, rows, done] = arguments;
            const { decompressed, fromBase85, unpackAll } = modules.arrays;
            decompressed(fromBase85(text)).then((bytes) => {
              const run = modules.layers.network(unpackAll(JSON.parse(data), bytes), shape);
              done(rows.map((row) => {
                const outputs = run(Float32Array.from(row));
                if (outputs instanceof Float32Array) return Array.from(outputs);
                const entries = Object.entries(outputs);
                return Object.fromEntries(entries.map(([k, v]) => [k, Array.from(v)]));
              }));
            }).catch((error) => done(String(error.stack)));
            """,
            as_json(data),
            packer.text(),
            list(inputs.shape[1:]),
            inputs.reshape(len(inputs), -1).tolist(),
        )
        assert not isinstance(found, str), found
        return found

    return run


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_does_in_the_page_what_it_does_in_keras(harness, name):
    network = NETWORKS[name]()
    inputs = np.random.default_rng(0).normal(size=(3, *network.input_shape[1:]))
    expected = network(inputs.astype("float32"), training=False)
    found = harness(network, inputs)
    for row in range(3):
        if isinstance(expected, dict):
            assert found[row].keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_allclose(found[row][key], np.ravel(value[row]), atol=2e-5)
        else:
            np.testing.assert_allclose(found[row], np.ravel(expected[row]), atol=2e-5)


def test_every_layer_that_is_told_of_is_among_them():
    told = {layer for layer in (*described.LAYERS, *described.IDENTITIES)}
    used = {type(layer) for make in NETWORKS.values() for layer in make()._flatten_layers()}
    missing = {layer.__name__ for layer in told - used}
    # These are passed through as Dropout and GaussianNoise are.
    assert missing == {"GaussianDropout", "SpatialDropout2D"}


def test_only_what_leads_to_an_output_is_described():
    steps = described.describe(branching(), "encoder", "")["steps"]
    assert [step["op"] for step in steps] == ["dense", "dense", "dense", "add", "concatenate"]
    assert 3 not in {step["kernel"].shape[-1] for step in steps if "kernel" in step}


class Doubled(layers.Dense):
    """A layer of a user's."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs)


class Whole(keras.Model):
    """A network whose graph nobody knows."""

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: vector(Doubled(3, name="mine")), "'mine' (Doubled)."),
        (lambda: vector(layers.LayerNormalization(name="norm")), "'norm' (LayerNormalization)."),
        (lambda: vector(layers.Dense(2, keras.ops.sin)), "(Dense), with the activation 'sin'"),
        (
            lambda: convolution(kernel_size=1, groups=1, data_format="channels_first"),
            "channels_first",
        ),
        (lambda: image(layers.Conv2D(3, 1, groups=3)), "with groups=3"),
        (lambda: transposed(kernel_size=3, output_padding=1, strides=2), "output_padding="),
        (lambda: image(layers.UpSampling2D(interpolation="bilinear")), "'bilinear'"),
        (lambda: image(layers.BatchNormalization(axis=1)), "over axis 1"),
        (lambda: Whole(name="whole"), "'whole' (Whole)."),
    ],
)
def test_what_cannot_run_is_refused_by_name_and_with_what_to_do(network, message):
    with pytest.raises(
        ValueError, match=r"^`decoder` has a layer that a page cannot run"
    ) as caught:
        described.describe(network(), "decoder", "Take another.")
    assert message in str(caught.value)
    assert "Dense, Dropout, " in str(caught.value) and str(caught.value).endswith("Take another.")


def test_weights_that_are_not_finite_are_refused_by_the_name_of_their_layer():
    network = vector(layers.Dense(2, name="lost"))
    network.layers[0].bias.assign([0.0, np.nan])
    with pytest.raises(ValueError, match=r"`encoder` has weights that are not finite.*'lost'"):
        described.describe(network, "encoder", "")


def test_a_description_is_plain():
    data = pack(described.describe(branching(), "encoder", ""), Packer())
    assert json.loads(json.dumps(data)) == data
    assert data["outputs"].keys() == {"loc", "scale"}
