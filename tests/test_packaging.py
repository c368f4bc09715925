"""Tests of what an installation consists of, and of what importing it costs."""

import importlib
import importlib.metadata
import importlib.resources
import inspect

import pytest

import keras_vae


def test_the_callbacks_are_a_package_of_keras_vae():
    callbacks = importlib.import_module("keras_vae.callbacks")
    assert callbacks.__package__ == "keras_vae.callbacks"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("keras_vae.no_such_package")


def test_the_saved_models_are_found_as_resources():
    folder = importlib.resources.files("keras_vae.saved_models")
    assert folder.is_dir()
    assert folder.joinpath("__init__.py").is_file()


def test_the_distribution_carries_the_version_of_the_package():
    assert importlib.metadata.version("keras-vae") == keras_vae.__version__


def test_every_public_name_exists_and_is_documented():
    for name in keras_vae.__all__:
        assert inspect.getdoc(getattr(keras_vae, name)), name
    assert {"VAE", "datasets", "distributions", "networks"} <= set(keras_vae.__all__)


def test_importing_loads_neither_tensorflow_datasets_nor_pyplot(run_python):
    # Keras loads pyplot by itself where it is installed: only what comes on top counts.
    printed = run_python(
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import keras_vae\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = printed.split()
    assert "keras_vae.vae" in loaded
    assert not {"tensorflow_datasets", "matplotlib.pyplot"} & set(loaded)


def test_another_backend_is_refused_in_words(run_python):
    printed = run_python(
        "import keras\n"
        "keras.backend.backend = lambda: 'jax'\n"
        "try:\n    import keras_vae\nexcept ImportError as error:\n    print(error)"
    )
    assert "KERAS_BACKEND=tensorflow" in printed and "Received: backend 'jax'" in printed
