"""Every public module says what is public, and the site has a page of it."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import keras_vae

ROOT = Path(__file__).parents[2]
PACKAGE = Path(keras_vae.__file__).parent


@pytest.fixture(scope="module")
def public_names(load_program):
    return load_program("docs/site/public_names.py")


MODULES = sorted(path.stem for path in (ROOT / "docs" / "api").glob("keras_vae*.md"))
each_module = pytest.mark.parametrize("module", MODULES)


def test_modules_that_say_what_is_public_have_a_page_and_no_others():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.M):
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            found.add(".".join(["keras_vae", *parts]).removesuffix(".__init__"))
    # Links to the folders at the top of the repository are not followed.
    for path in (ROOT / "callbacks").rglob("__init__.py"):
        found.add(".".join(["keras_vae", *path.parent.relative_to(ROOT).parts]))
    # Parts of a room, whose names it shows itself.
    parts = {"keras_vae.distributions.likelihoods", "keras_vae.tables.columns"}
    assert found - parts == set(MODULES)


@each_module
def test_each_public_name_exists_and_has_a_docstring(module, public_names):
    names = importlib.import_module(module).__all__
    assert len(set(names)) == len(names) > 0
    for name in names:
        assert public_names.docstring(module, name), f"{module}.{name}"


@each_module
def test_the_page_documents_the_module_it_is_named_after(module):
    page = (ROOT / "docs" / "api" / f"{module}.md").read_text(encoding="utf-8")
    (documented,) = re.findall(r"^\.\. automodule:: (\S+)$", page, re.M)
    assert documented == module


def test_the_front_module_shows_only_the_model_for_the_rest_is_public_elsewhere():
    text = (ROOT / "docs" / "api" / "keras_vae.md").read_text(encoding="utf-8")
    assert re.findall(r":members: (.*)", text) == ["VAE"]
    elsewhere = [
        getattr(importlib.import_module(module), name)
        for module in MODULES
        if module != "keras_vae"
        for name in importlib.import_module(module).__all__
    ]
    for name in set(keras_vae.__all__) - {"VAE"}:
        subject = getattr(keras_vae, name)
        assert inspect.ismodule(subject) or any(subject is other for other in elsewhere), name


def test_a_constant_is_told_of_by_the_comment_where_it_is_defined(public_names):
    assert public_names.docstring("keras_vae.networks", "SCALES").startswith("Names of the ways")
    assert public_names.comment("keras_vae.networks", "mlp_encoder") == ""
