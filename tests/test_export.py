"""What a SavedModel serves, in a process that has only TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

import keras_vae

SHAPE = (4, 4, 1)

SERVE = """
import sys
import numpy as np
import tensorflow as tf

served = tf.saved_model.load(sys.argv[1]).signatures
arrays = np.load(sys.argv[2])
assert "keras_vae" not in sys.modules and "tensorflow_probability" not in sys.modules

def only(outputs):
    (value,) = outputs.values()
    return value.numpy()

images, codes = tf.constant(arrays["images"]), tf.constant(arrays["codes"])
np.savez(
    sys.argv[3],
    default=only(served["serving_default"](images=images)),
    reconstruct=only(served["reconstruct"](images=images)),
    decode=only(served["decode"](codes=codes)),
    sample=only(served["sample"](n=tf.constant(5), seed=tf.constant(3))),
    **{name: value.numpy() for name, value in served["encode"](images=images).items()},
)
"""


@pytest.fixture
def vae():
    return keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 2, [8]),
        keras_vae.networks.mlp_decoder(SHAPE, 2, [8]),
        seed=0,
    )


def test_a_saved_model_serves_the_same_numbers_without_this_package(vae, tmp_path):
    images = np.random.default_rng(0).random((7, *SHAPE), dtype=np.float32)
    codes = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", images=images, codes=codes)
    vae.export(tmp_path / "served", verbose=False)

    arguments = [tmp_path / "served", tmp_path / "inputs.npz", tmp_path / "outputs.npz"]
    subprocess.run([sys.executable, "-c", SERVE, *map(str, arguments)], check=True)

    served = np.load(tmp_path / "outputs.npz")
    posterior = vae.encode(images)
    expected = {
        "default": vae.reconstruct(images),
        "reconstruct": vae.reconstruct(images),
        "decode": vae.decode(codes).mean(),
        "sample": vae.sample(5, seed=3),
        "loc": posterior.mean(),
        "scale": posterior.stddev(),
    }
    assert set(served.files) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(served[name], value, atol=1e-6, err_msg=name)
