"""Tests of what an installation consists of, and of what importing it costs."""

import datetime
import email
import fnmatch
import inspect
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import keras_vae

ROOT = Path(__file__).parents[1]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
URLS = BUILD["project"]["urls"]
SOURCES = (
    "keras_vae",
    "callbacks",
    "saved_models",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
)
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
    # Of the tests one, to see that a distribution leaves it out.
    (folder / "tests").mkdir()
    shutil.copy(__file__, folder / "tests")
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
def source_distribution(checkout, tmp_path_factory):
    """The names in the source distribution of that checkout, below its only folder."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    shutil.copytree(checkout, source, symlinks=True, dirs_exist_ok=True)
    build = "import sys, setuptools.build_meta as build; build.build_sdist(sys.argv[1])"
    python("-c", build, folder, folder=source)
    (path,) = folder.glob("keras_vae-*.tar.gz")
    with tarfile.open(path) as archive:
        names = [Path(member.name) for member in archive if member.isfile()]
    assert {name.parts[0] for name in names} == {f"keras_vae-{keras_vae.__version__}"}
    return {Path(*name.parts[1:]).as_posix() for name in names}


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


def files_of_the_package():
    """All that an installation holds, and a check that it is not nothing."""
    modules = {f"keras_vae/{path}" for path in files_below(ROOT / "keras_vae", "*.py")}
    models = {f"keras_vae/saved_models/{name}.{kind}" for name in cards() for kind in KINDS}
    pages = {f"keras_vae/explorer/static/{path}" for path in files_below(STATIC, "*.*")}
    features = {f"{FEATURES}/mnist_features.{kind}" for kind in KINDS}
    assert {"keras_vae/explorer/static/index.html", "keras_vae/explorer/static/map.js"} <= pages
    assert {"keras_vae/callbacks/helpers/guard.py", "keras_vae/drawing/chart.py"} <= modules
    assert len(models) == 2 * len(cards()) >= 26
    return modules | models | pages | features | {"keras_vae/py.typed"}


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == files_of_the_package()


@pytest.mark.slow
def test_a_source_distribution_holds_the_package_what_builds_it_and_nothing_else(
    source_distribution,
):
    made = {name for name in source_distribution if ".egg-info/" in name}
    made |= {"PKG-INFO", "setup.cfg"}
    files = {name for name in SOURCES if (ROOT / name).is_file()}
    assert source_distribution - made == files_of_the_package() | files


@pytest.mark.slow
def test_a_wheel_says_its_version_and_its_page_leads_to_files_of_that_version(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Version"] == keras_vae.__version__
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Project-URL")) == {f"{kind}, {url}" for kind, url in URLS.items()}
    page = metadata.get_payload()
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert [link for link in links if not link.startswith("https://")] == []
    into = re.compile(rf"{URLS['Repository']}/(raw|blob)/v{keras_vae.__version__}/([^#]+)")
    found = [match.groups() for match in map(into.fullmatch, links) if match]
    assert ("raw", "docs/images/mnist_traversal.png") in found
    assert ("blob", "docs/tables.md") in found
    assert len(found) == len([link for link in links if URLS["Repository"] in link]) > 10
    for shown_as, path in found:
        assert (ROOT / path).is_file(), path
        assert (shown_as == "raw") == (Path(path).suffix in {".png", ".gif"}), path


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


def test_the_changelog_tells_of_this_version_and_the_citation_names_it():
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    version, _, date = heads[1].partition(" - ")
    assert (heads[0], version) == ("Unreleased", keras_vae.__version__)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert citation["date-released"] == datetime.date.fromisoformat(date)


def test_the_citation_says_what_its_format_demands_and_what_the_package_says():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    # What Citation File Format 1.2.0 demands; all else is optional.
    assert {"message", "title", "authors"} <= citation.keys()
    project = BUILD["project"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in project["authors"]
    ]
    assert citation["license"] == project["license"]
    assert citation["repository-code"] == URLS["Repository"]


def test_all_addresses_of_the_project_are_below_that_of_its_repository():
    assert {url.removeprefix(URLS["Repository"])[:1] for url in URLS.values()} == {"", "/"}


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
    late = {"tensorflow_datasets", "matplotlib.pyplot", "keras_vae.explorer"}
    assert not {*late, "huggingface_hub", "kagglehub", "yaml"} & set(loaded)


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
    (tested,) = (entry for entry in extras["test"] if entry.startswith("keras-vae["))
    assert tested == "keras-vae[tensorboard,disentanglement,anomaly,tables,huggingface,kaggle]"


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


@pytest.fixture
def import_with(tmp_path):
    """Imports the package in a fresh interpreter with flags of its own."""

    def run(*flags):
        command = [sys.executable, *flags, "-c", "import keras_vae; print(keras_vae.VAE)"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


# Python compiles all of TensorFlow anew for it.
@pytest.mark.exhaustive
def test_it_imports_without_assertions(import_with):
    assert import_with("-O").returncode == 0


@pytest.mark.slow
def test_it_imports_where_warnings_are_errors_and_says_what_needs_docstrings(import_with):
    assert import_with("-W", "error").returncode == 0
    assert "docstrings, and `python -OO` removes them. Use `python -O`" in import_with("-OO").stderr
