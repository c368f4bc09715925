"""Trains models of generated configurations, some steps each, to finite numbers and reloads them.

A configuration is drawn whole: images, networks, likelihood, objective, dtype policy, data and how
they are given. Some of them hold one mistake besides, for which a clear error of this package is
due: nothing of TensorFlow's or of Keras's inside.

The suite tries twenty configurations, always the same ones. More:

    KERAS_VAE_FUZZ=500 pytest -s tests/test_fuzz.py

With `-s` it prints how many there were of each mistake.
"""

import collections
import json
import math
import os
import re
import traceback
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import keras_vae
from keras_vae import networks, objectives
from keras_vae.distributions import Gaussian

ROOT = Path(__file__).parents[1]
NUM_EXAMPLES = int(os.environ.get("KERAS_VAE_FUZZ", "12"))

SHAPES = {
    "mlp": [(1,), (7,), (3, 5), (4, 6, 1), (5, 4, 3), (2, 3, 2, 2)],
    "conv": [(4, 8, 1), (8, 4, 3), (2, 2, 1), (12, 4, 2)],
}
LIKELIHOODS = {
    "bernoulli": lambda scale: "bernoulli",
    "continuous_bernoulli": lambda scale: "continuous_bernoulli",
    "gaussian": lambda scale: "gaussian",
    "fixed_gaussian": lambda scale: Gaussian(scale),
    "learned_gaussian": lambda scale: Gaussian(max(scale, Gaussian.minimum_scale), True),
    "gaussian_of_pixels": lambda scale: "gaussian",
}
BETAS = [0.0, 1e-6, 0.5, 1.0, 4.0, 1e3, 1e6]
POSTERIORS = ["diagonal_normal"] * 4 + ["full_covariance_normal", "coupling_flow"]
PRIORS = ["standard_normal"] * 4 + ["gaussian_mixture"]
# What classes need besides, or in a size for a few pixels.
ARGUMENTS = {
    "ConditionalVAE": {"condition_dim": 9},
    "FactorVAE": {"discriminator_sizes": (4,)},
    "VampPriorVAE": {"num_pseudo_inputs": 4},
}
INPUTS = ["array", "tensor", "labels", "weights", "dataset", "pairs", "triples", "generator"]

# What is wrong with a configuration: the settings that it replaces, drawn from these.
MISTAKES = {
    "beta": [-1.0, -1e-9, math.nan, math.inf, -math.inf, "large", "", None, [1.0, 2.0]],
    "reduction": ["max", "", None, 1],
    "seed": [-1, 2**31, -(2**40)],
    "likelihood": ["cauchy", None, 3, tf.nn.relu],
    "prior": ["laplace", None, 3],
    "latent_dim": [0, -1, 1.5, "2", None, True],
    "hidden_sizes": [[0], [-2], [2.5], 5, "55", None, ["a"]],
    "scale": ["sigmoid", "", None, 2],
    "activation": ["rleu", 7],
    "decoder_latent_dim": [6, 7],
    "decoder_shape": [(3, 3, 3), (2,)],
    "values": [math.nan, math.inf, -math.inf],
    "dtype": ["uint8", "int64", "bool", "complex64", "<U3"],
    "event": [(9, 9, 9), (), (11,)],
    "num_images": [0],
    "loss": ["mse"],
    "sample_weights": [math.nan, -1.0, math.inf],
}


@st.composite
def configurations(draw):
    network = draw(st.sampled_from(sorted(SHAPES)))
    shape = draw(st.sampled_from(SHAPES[network]))
    family = sorted(getattr(objectives, "__all__", []))
    settings = {
        "class": draw(st.sampled_from(["VAE"] * 6 + family)),
        "network": network,
        "shape": shape,
        "latent_dim": draw(st.integers(1, 5)),
        "hidden_sizes": draw(st.lists(st.integers(1, 5), max_size=2)),
        "activation": draw(st.sampled_from(["relu", "tanh", "silu"])),
        "scale": draw(st.sampled_from(networks.SCALES)),
        "likelihood": draw(st.sampled_from(sorted(LIKELIHOODS))),
        "gaussian_scale": 10.0 ** draw(st.integers(-3, 3)),
        "beta": draw(st.sampled_from(BETAS)),
        "reduction": draw(st.sampled_from(["sum", "mean"])),
        "seed": draw(st.sampled_from([None, 0, 1, 2**31 - 1])),
        "policy": draw(st.sampled_from(["float32"] * 3 + ["mixed_float16", "mixed_bfloat16"])),
        "dtype": draw(st.sampled_from(["float32", "float64", "float16"])),
        "num_images": draw(st.integers(1, 5)),
        "batch_size": draw(st.integers(2, 5)),
        "content": draw(st.sampled_from(["grey", "black", "white", "binary"])),
        "input": draw(st.sampled_from(INPUTS)),
        "validation": draw(st.booleans()),
        "optimizer": draw(st.sampled_from(["adam", "sgd_clipped", "accumulating"])),
        "steps_per_execution": draw(st.integers(1, 3)),
        # Tracing takes ten times as long as a step without.
        "run": draw(st.sampled_from(["eager"] * 14 + ["graph", "xla"])),
    }
    mistake = None
    if draw(st.booleans()):
        mistake = draw(st.sampled_from(sorted(MISTAKES)))
        settings[mistake] = draw(st.sampled_from(MISTAKES[mistake]))
    if settings["class"] == "VAE":
        settings.setdefault("prior", draw(st.sampled_from(PRIORS)))
        settings["posterior"] = draw(st.sampled_from(POSTERIORS))
    if mistake == "sample_weights":
        settings["input"] = "triples"
    elif settings["class"] == "ConditionalVAE":
        settings["input"] = draw(st.sampled_from(["labels", "pairs", "triples"]))
    if settings["class"] == "IWAE" and mistake != "reduction":
        # A bound on log p(x) is a sum.
        settings["reduction"] = "sum"
    if settings.get("posterior") == "coupling_flow" and mistake != "latent_dim":
        settings["latent_dim"] = max(2, settings["latent_dim"])
    return settings, mistake


def build(settings):
    sizes, latent_dim = settings["hidden_sizes"], settings["latent_dim"]
    posterior = settings.get("posterior", "diagonal_normal")
    common = {"hidden_sizes": sizes, "activation": settings["activation"]}
    if settings["network"] == "conv":
        common["filters"] = (2,)
    make = {
        half: getattr(networks, f"{settings['network']}_{half}") for half in ("encoder", "decoder")
    }
    encoder = make["encoder"](
        settings["shape"],
        latent_dim,
        scale=settings["scale"],
        **({"full_covariance": True} if posterior == "full_covariance_normal" else {}),
        **common,
    )
    arguments = ARGUMENTS.get(settings["class"], {})
    decoder_latent_dim = settings.get("decoder_latent_dim", latent_dim)
    if "decoder_latent_dim" not in settings:
        decoder_latent_dim += arguments.get("condition_dim", 0)
    decoder_shape = settings.get("decoder_shape", settings["shape"])
    if decoder_shape != settings["shape"]:
        make["decoder"] = networks.mlp_decoder
        common.pop("filters", None)
    decoder = make["decoder"](decoder_shape, decoder_latent_dim, **common)
    if settings["likelihood"] == "gaussian_of_pixels":
        raw = keras.layers.Dense(decoder_shape[-1], dtype="float32")(decoder.output)
        scale = networks.PositiveScale(settings["scale"], dtype="float32")(raw)
        decoder = keras.Model(decoder.input, {"loc": decoder.output, "scale": scale})
    likelihood = settings["likelihood"]
    if isinstance(likelihood, str) and likelihood in LIKELIHOODS:
        likelihood = LIKELIHOODS[likelihood](settings["gaussian_scale"])
    vae = (getattr(keras_vae, settings["class"], None) or getattr(objectives, settings["class"]))(
        encoder,
        decoder,
        likelihood=likelihood,
        prior=settings.get("prior", "standard_normal"),
        posterior=posterior,
        beta=settings["beta"],
        reduction=settings["reduction"],
        seed=settings["seed"],
        **arguments,
    )
    vae.compile(
        optimizer={
            "adam": lambda: keras.optimizers.Adam(1e-3),
            "sgd_clipped": lambda: keras.optimizers.SGD(1e-3, clipnorm=1.0),
            "accumulating": lambda: keras.optimizers.Adam(1e-3, gradient_accumulation_steps=2),
        }[settings["optimizer"]](),
        loss=settings.get("loss"),
        run_eagerly=settings["run"] == "eager",
        jit_compile=settings["run"] == "xla",
        steps_per_execution=settings["steps_per_execution"],
    )
    return vae


def arrays(settings):
    """Images, labels and sample weights."""
    generator = np.random.default_rng(0)
    shape = (settings["num_images"], *settings.get("event", settings["shape"]))
    images = {
        "grey": lambda: generator.random(shape),
        "black": lambda: np.zeros(shape),
        "white": lambda: np.ones(shape),
        "binary": lambda: generator.integers(0, 2, shape).astype(float),
    }[settings["content"]]()
    if images.size:
        images.flat[-1] = settings.get("values", images.flat[-1])
    weights = generator.random(settings["num_images"]).astype("float32")
    weights[-1:] = settings.get("sample_weights", 0.5)
    return images.astype(settings["dtype"]), np.arange(settings["num_images"]), weights


def given(settings):
    """The arguments of `fit` that give the data."""
    images, labels, weights = arrays(settings)
    batch_size, kind = settings["batch_size"], settings["input"]
    if kind == "array":
        return {"x": images, "batch_size": batch_size}
    if kind == "tensor":
        return {"x": tf.constant(images), "batch_size": batch_size}
    if kind == "labels":
        return {"x": images, "y": labels, "batch_size": batch_size}
    if kind == "weights":
        return {"x": images, "sample_weight": weights, "batch_size": batch_size}
    if kind == "generator":
        starts = range(0, len(images), batch_size)
        return {"x": (images[start : start + batch_size] for start in starts)}
    parts = {"dataset": images, "pairs": (images, labels), "triples": (images, labels, weights)}
    return {"x": tf.data.Dataset.from_tensor_slices(parts[kind]).batch(batch_size)}


def train(settings):
    """Builds and trains a model of these settings."""
    vae = build(settings)
    arguments = given(settings)
    if settings["validation"]:
        arguments["validation_data"] = arrays(settings)[:2]
    return vae, vae.fit(**arguments, verbose=0).history


def check_trained(settings, vae, history, path):
    """Everything is finite, the loss is the sum of its terms, and the file gives the same model."""
    assert history["loss"]
    for name, values in history.items():
        assert np.isfinite(values).all(), (name, values)
    for weight in vae.weights:
        assert np.isfinite(keras.ops.convert_to_numpy(weight)).all(), weight.path
    logs = vae.step_logs(1)
    if type(vae) is keras_vae.VAE:
        total = logs["reconstruction_loss"] + logs["beta"] * logs["kl_loss"]
        assert logs["loss"] == pytest.approx(total, rel=1e-4, abs=1e-3)
    images, labels, _ = arrays(settings)
    expected = vae.reconstruct(images).numpy()
    assert expected.shape == images.shape and np.isfinite(expected).all()
    vae.save(path)
    again = keras.saving.load_model(path)
    np.testing.assert_array_equal(again.reconstruct(images).numpy(), expected)
    # As JSON, in which tuples are lists.
    assert json.dumps(again.get_config(), default=str) == json.dumps(vae.get_config(), default=str)
    assert float(again.beta.value) == float(vae.beta.value)
    for one, other in zip(again.get_weights(), vae.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    first, second = (
        model.evaluate(images, labels, verbose=0, return_dict=True) for model in (vae, again)
    )
    assert first == pytest.approx(second, rel=1e-5)


def check_clear(error):
    """The error is one of this package, which says what was expected or what came."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    told = "".join(traceback.format_exception(error))
    assert type(error) in (ValueError, TypeError), told
    assert Path(last.filename).is_relative_to(ROOT / "keras_vae"), told
    assert re.search("Expected|Received|must", str(error)), told


@pytest.mark.exhaustive
def test_configurations_train_and_reload_or_are_refused_clearly(tmp_path):
    tried = collections.Counter()

    @hypothesis.settings(
        max_examples=NUM_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(configurations())
    def run(configuration):
        settings, mistake = configuration
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(settings["policy"])
        try:
            if mistake is None:
                check_trained(settings, *train(settings), tmp_path / "model.keras")
            else:
                with pytest.raises(Exception) as caught:
                    train(settings)
                check_clear(caught.value)
        finally:
            keras.config.set_dtype_policy("float32")
            keras.backend.clear_session()
        tried[mistake or "none"] += 1

    run()
    print(f"\n{sum(tried.values())} configurations, by mistake: {dict(tried)}")
    assert sum(tried.values()) >= NUM_EXAMPLES
    assert tried["none"] >= NUM_EXAMPLES / 4
