"""Fixtures for the whole suite: tiny images, tiny models, fresh interpreters."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a process a core already.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import collections
import contextlib
import ctypes
import gc
import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp
from tensorflow.python.framework import ops

import keras_vae

# What was imported stays: the collector need not look at it again.
gc.collect()
gc.freeze()

IMAGE_SHAPE = (4, 4, 1)


def pytest_xdist_auto_num_workers():
    """One process more than cores: some tests wait for a process that they have started."""
    # Who sets this knows better; pytest-xdist reads it where nothing is returned.
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ:
        return (os.process_cpu_count if hasattr(os, "process_cpu_count") else os.cpu_count)() + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Files with the most to do come first, so that none of them is what the others wait for."""
    work = collections.Counter()
    for item in items:
        is_long = any(map(item.get_closest_marker, ("slow", "exhaustive")))
        work[item.path] += 10 if is_long else 1
    items.sort(key=lambda item: -work[item.path])


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module", autouse=True)
def forgotten_graphs():
    """Has TensorFlow forget what a module traced.

    Every optimizer registers a gradient for each graph that it is traced in, and the registry keeps
    the graphs for good: thousands of them slow Python's collector down, and fill the memory.
    """
    yield
    registered = ops.gradient_registry._registry
    # TFP traces this function once for all, and its graph is asked for its gradient again.
    kept = {
        operation.get_attr("_gradient_op_type").decode()
        for traced in tfp.math.lbeta._list_all_concrete_functions()
        for operation in traced.graph.get_operations()
        if operation.type == "IdentityN"
    }
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        if name not in kept:
            del registered[name]
    gc.collect()
    give_back_freed_memory()


def give_back_freed_memory():
    """Returns to the system what training has had the allocator keep, where it is glibc's."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def images():
    """Twenty grey images of 4x4 pixels; batches of eight leave a ragged last one of four."""
    images = np.random.default_rng(0).random((20, *IMAGE_SHAPE), dtype=np.float32)
    images.setflags(write=False)
    return images


@pytest.fixture
def make_vae():
    """Builds a tiny compiled VAE; two calls with the same arguments give the same weights."""

    def make(
        cls=keras_vae.VAE,
        image_shape=IMAGE_SHAPE,
        latent_dim=2,
        optimizer=None,
        eager=False,
        **kwargs,
    ):
        compile_kwargs = kwargs.pop("compile_kwargs", {})
        keras.utils.set_random_seed(1)
        vae = cls(
            encoder=keras_vae.networks.mlp_encoder(image_shape, latent_dim, hidden_sizes=[5]),
            decoder=keras_vae.networks.mlp_decoder(image_shape, latent_dim, hidden_sizes=[5]),
            **{"seed": 3, **kwargs},
        )
        vae.compile(
            optimizer=optimizer or keras.optimizers.Adam(1e-2),
            **{"run_eagerly": eager, "jit_compile": False, **compile_kwargs},
        )
        return vae

    return make


@pytest.fixture
def steps_one_by_one(monkeypatch):
    """Spares a test the compilation of a loop over steps, which costs more than its steps do."""
    monkeypatch.setattr("keras_vae.training.term_trainer.loop_pays", lambda model: False)


@pytest.fixture(scope="session")
def load_program():
    """Loads a program of this repository, such as `"examples/mnist.py"`, as a module of its own."""

    def load(path):
        path = Path(__file__).parents[1] / path
        spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            # Where Python looks first when it runs a program: its neighbours are imported from it.
            patch.syspath_prepend(path.parent)
            # Data classes look up the module that they are defined in.
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def run_python(tmp_path):
    """Runs a program in a fresh interpreter, in a temporary folder; returns what it printed."""

    def run(program, **environment):
        finished = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run
