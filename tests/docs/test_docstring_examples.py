"""The examples in docstrings run as they are printed, on little data and for one epoch."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_vae

ROOT = Path(__file__).parents[2]
# Ten thousand codes of a model by nine metrics take minutes; tests/disentanglement has fewer.
TAKE_MINUTES = {"keras_vae.disentanglement.evaluate.evaluate"}


def examples():
    """`(module, name of what is documented, examples)` of every docstring that has some."""
    parser = doctest.DocTestParser()
    rooms = [("keras_vae", ROOT / "keras_vae"), ("keras_vae.callbacks", ROOT / "callbacks")]
    for package, room in rooms:
        for path in sorted(room.rglob("*.py")):
            parts = [package, *path.relative_to(room).with_suffix("").parts]
            module = ".".join(parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    found = parser.get_examples(ast.get_docstring(node) or "")
                    if found:
                        yield module, node.name, found


EXAMPLES = {
    f"{module}.{name}": (module, found)
    for module, name, found in examples()
    if f"{module}.{name}" not in TAKE_MINUTES
}


def an_encoder(images):
    return keras_vae.networks.mlp_encoder(images.shape[1:], 3, [5])


def a_decoder(images):
    return keras_vae.networks.mlp_decoder(images.shape[1:], 3, [5])


def a_vae(images):
    vae = keras_vae.VAE(an_encoder(images), a_decoder(images))
    vae.compile(keras.optimizers.Adam(), jit_compile=False)
    return vae


def test_most_callbacks_have_an_example():
    assert len(EXAMPLES) > 20
    assert sum(name.startswith("keras_vae.callbacks.") for name in EXAMPLES) > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, tmp_path, monkeypatch):
    module, found = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    source = "".join(example.source for example in found)
    # Those are of 64 pixels.
    side = 64 if "sprites" in source else 28
    images = np.random.default_rng(0).random((80, side, side, 1), dtype=np.float32)

    def load(name, split, batch_size, start=0):
        return keras_vae.datasets.from_arrays(images, batch_size=batch_size, start=start)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    names = {
        **vars(importlib.import_module(module)),
        "keras": keras,
        "keras_vae": keras_vae,
        "images": images,
        "held_out": images[:10],
        "test_images": images,
        "labels": np.arange(80) % 10,
        "test_labels": np.arange(80) % 10,
        **vars(keras_vae.callbacks),
        **vars(keras_vae.networks),
    }
    for word, make in GIVEN.items():
        if re.search(rf"\b{word}\b", source) and not re.search(rf"^{word} = ", source, re.M):
            names[word] = make(images)
    for example in found:
        code = re.sub(r"\bepochs=\d+\b", "epochs=1", example.source)
        if example.want:
            assert eval(code, names) == ast.literal_eval(example.want)
        else:
            exec(compile(code, name, "exec"), names)


def a_frame(images):
    import pandas as pd

    return pd.DataFrame({"size": images.mean(axis=(1, 2, 3)), "count": np.arange(80) % 7 + 20})


def a_vqvae(images):
    networks = keras_vae.networks
    return keras_vae.quantized.VQVAE(
        networks.vq_encoder((28, 28, 1), code_dim=4, width=4),
        networks.vq_decoder((28, 28, 1), code_dim=4, width=4),
        num_codes=8,
    )


# What examples take for given.
GIVEN = {
    "encoder": an_encoder,
    "decoder": a_decoder,
    "model": a_vae,
    "vae": a_vae,
    "vqvae": a_vqvae,
    "frame": a_frame,
}
