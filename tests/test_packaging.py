"""Tests of what an installation consists of, and of what importing it costs."""

import fnmatch
import importlib.metadata
import inspect
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import keras_vae

ROOT = Path(__file__).parents[1]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = ("keras_vae", "callbacks", "saved_models", "pyproject.toml", "README.md", "LICENSE")
# Where each part of the package is, one a line.
PLACES = """
import sys, site
if len(sys.argv) > 1:
    site.addsitedir(sys.argv[1])
import keras_vae, keras_vae.callbacks.helpers, keras_vae.saved_models, keras_vae.training
for part in (keras_vae, keras_vae.callbacks, keras_vae.callbacks.helpers, keras_vae.saved_models,
             keras_vae.training, keras_vae.drawing):
    print(part.__file__)
print(keras_vae.presets.folder())
print(keras_vae.VAE.from_preset("mnist_map") and keras_vae.presets.folder() / "mnist_map.keras")
"""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A second checkout of this repository, of what an installation consists of."""
    folder = tmp_path_factory.mktemp("checkout").resolve()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "images")
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="session")
def wheel(checkout, tmp_path_factory):
    """The wheel of that checkout, built without a network."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    # Building leaves files in the source.
    shutil.copytree(checkout, source, symlinks=True, dirs_exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", source, "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A folder with what that wheel installs."""
    folder = tmp_path_factory.mktemp("installed").resolve()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(*arguments, folder, **environment):
    """What a program prints that a fresh interpreter runs in a folder, with no path but its own."""
    paths = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**paths, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def linked(folder, tmp_path):
    """A folder of installed packages with the link that `pip install -e` leaves to a checkout."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/keras_vae.pth").write_text(f"{folder}\n", encoding="utf-8")
    return tmp_path / "site"


def check_one_place(printed, folder):
    places = [Path(line) for line in printed.splitlines()]
    assert len(places) == 8
    assert [place for place in places if not place.is_relative_to(folder)] == []


@pytest.mark.slow
def test_of_two_checkouts_the_working_directory_wins_whole(checkout, tmp_path):
    site = linked(ROOT, tmp_path)
    check_one_place(python("-c", PLACES, site, folder=checkout), checkout)


@pytest.mark.exhaustive
def test_of_two_checkouts_the_working_directory_wins_the_other_way_round(checkout, tmp_path):
    site = linked(checkout, tmp_path)
    check_one_place(python("-c", PLACES, site, folder=ROOT), ROOT)


@pytest.mark.exhaustive
def test_an_installed_checkout_is_found_whole_from_anywhere(checkout, tmp_path):
    site = linked(checkout, tmp_path)
    check_one_place(python("-c", PLACES, site, folder=tmp_path), checkout)


@pytest.mark.exhaustive
def test_a_wheel_makes_pages(installed, tmp_path):
    made = "print(len(keras_vae.VAE.from_preset('mnist_map').explore().html) > 1_000_000)"
    printed = python("-c", f"import keras_vae; {made}", folder=tmp_path, PYTHONPATH=str(installed))
    assert printed.split() == ["True"]


@pytest.mark.slow
def test_a_wheel_is_found_whole_from_anywhere(installed, tmp_path):
    printed = python("-c", PLACES, folder=tmp_path, PYTHONPATH=str(installed))
    check_one_place(printed, installed)


@pytest.mark.exhaustive
def test_beside_a_wheel_the_working_directory_wins_whole(installed):
    check_one_place(python("-c", PLACES, folder=ROOT, PYTHONPATH=str(installed)), ROOT)


@pytest.mark.exhaustive
def test_where_the_working_directory_is_not_looked_at_the_wheel_wins_whole(installed):
    printed = python("-P", "-c", PLACES, folder=ROOT, PYTHONPATH=str(installed))
    check_one_place(printed, installed)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [True, False], ids=["in the repository", "outside"])
def test_the_command_of_a_wheel_lists_the_models(installed, tmp_path, inside):
    folder = ROOT if inside else tmp_path
    printed = python("-m", "keras_vae", folder=folder, PYTHONPATH=str(installed))
    names = [line.split()[0] for line in printed.splitlines()[: len(cards())]]
    assert names == sorted(cards())


def cards():
    return [path.stem for path in (ROOT / "saved_models").glob("*.json")]


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {f"keras_vae/{path}" for path in files_below(ROOT / "keras_vae", "*.py")}
    models = {f"keras_vae/saved_models/{name}.{kind}" for name in cards() for kind in KINDS}
    pages = {f"keras_vae/explorer/static/{path}" for path in files_below(STATIC, "*.*")}
    features = {f"{FEATURES}/mnist_features.{kind}" for kind in KINDS}
    assert found == modules | models | pages | features | {"keras_vae/py.typed"}
    assert {"keras_vae/explorer/static/index.html", "keras_vae/explorer/static/map.js"} <= pages
    assert {"keras_vae/callbacks/helpers/guard.py", "keras_vae/drawing/chart.py"} <= found
    assert len(models) == 2 * len(cards()) >= 26


KINDS = ("keras", "json")
STATIC = ROOT / "keras_vae/explorer/static"
FEATURES = "keras_vae/sample_quality/mnist_features"


def files_below(folder, pattern):
    """Paths below a folder, links to folders followed."""
    for path, _, names in os.walk(folder, followlinks=True):
        for name in fnmatch.filter(names, pattern):
            yield (Path(path) / name).relative_to(folder).as_posix()


def test_the_packages_are_the_folders_with_an_init_file():
    folders = {Path(path).parent for path in files_below(ROOT / "keras_vae", "__init__.py")}
    packages = {".".join(("keras_vae", *folder.parts)) for folder in folders}
    assert sorted(packages) == sorted(BUILD["tool"]["setuptools"]["packages"])
    # A folder without that file would be left out.
    modules = {Path(path).parent for path in files_below(ROOT / "keras_vae", "*.py")}
    assert modules == folders


@pytest.mark.slow
def test_the_callbacks_are_there_when_they_are_asked_for_and_not_before(run_python):
    printed = run_python(
        "import sys, keras_vae\n"
        "print('callbacks' in dir(keras_vae), 'keras_vae.callbacks' in sys.modules)\n"
        "print(keras_vae.callbacks.ELBOLogger.__name__, 'keras_vae.callbacks' in sys.modules)\n"
        "print(hasattr(keras_vae, 'no_such_part'))"
    )
    assert printed.split() == ["True", "False", "ELBOLogger", "True", "False"]


def test_the_distribution_carries_the_version_of_the_package():
    assert importlib.metadata.version("keras-vae") == keras_vae.__version__


def test_every_public_name_exists_and_is_documented():
    for name in keras_vae.__all__:
        assert inspect.getdoc(getattr(keras_vae, name)), name
    assert set(keras_vae.__all__) <= set(dir(keras_vae))
    assert {"VAE", "callbacks", "datasets", "networks"} <= set(keras_vae.__all__)


@pytest.mark.slow
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
    assert not {"tensorflow_datasets", "matplotlib.pyplot", "keras_vae.explorer"} & set(loaded)


@pytest.mark.slow
def test_another_backend_is_refused_in_words(run_python):
    printed = run_python(
        "import keras\n"
        "keras.backend.backend = lambda: 'jax'\n"
        "try:\n    import keras_vae\nexcept ImportError as error:\n    print(error)"
    )
    assert "KERAS_BACKEND=tensorflow" in printed and "Received: backend 'jax'" in printed


def test_the_builders_of_networks_stand_at_the_top():
    for name in ("mlp_encoder", "mlp_decoder", "conv_encoder", "conv_decoder"):
        assert name in keras_vae.__all__
        assert getattr(keras_vae, name) is getattr(keras_vae.networks, name)


def test_tensorboard_is_an_extra_that_the_tests_have():
    extras = BUILD["project"]["optional-dependencies"]
    (requirement,) = extras["tensorboard"]
    assert requirement.startswith("tensorboard>=")
    assert "keras-vae[tensorboard,disentanglement,anomaly,tables]" in extras["test"]


@pytest.mark.slow
def test_scikit_learn_is_an_extra_that_the_tests_have_and_loads_when_it_is_used(run_python):
    extras = BUILD["project"]["optional-dependencies"]
    (requirement,) = extras["disentanglement"]
    assert requirement.startswith("scikit-learn>=") and "<" in requirement
    assert run_python(
        "import sys, numpy as np\n"
        "from keras_vae import disentanglement\n"
        "codes = np.arange(100).reshape(50, 2) % 7\n"
        "disentanglement.mutual_information_gap(codes, codes)\n"
        # Keras loads `sklearn` itself where it is installed, but none of the predictors.
        "print({'sklearn.ensemble', 'sklearn.linear_model'} & set(sys.modules))"
    ).split() == ["set()"]


@pytest.mark.slow
def test_it_imports_where_warnings_are_errors_and_says_what_needs_docstrings(tmp_path):
    def run(*flags):
        command = [sys.executable, *flags, "-c", "import keras_vae; print(keras_vae.VAE)"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert run("-W", "error").returncode == 0
    assert run("-O").returncode == 0
    assert "docstrings, and `python -OO` removes them. Use `python -O`" in run("-OO").stderr
