"""Every public name has its place in the site, or the site is not built."""

import ast
import importlib
import inspect
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
API = Path(__file__).parents[1] / "api"


def public_modules() -> list[str]:
    """The modules that the API has a page of, which is named after its module."""
    return sorted(path.stem for path in API.glob("keras_vae*.md"))


def docstring(module: str, name: str) -> str | None:
    """What is written about a public name: its docstring, or the comment `#:` above a constant.

    Args:
        module: A public module.
        name: One of its `__all__`.
    """
    subject = getattr(importlib.import_module(module), name)
    if not _is_constant(subject):
        return inspect.getdoc(subject)
    return "\n".join(_comment(module, name)).strip() or None


def _is_constant(subject):
    return not (
        inspect.ismodule(subject) or inspect.isroutine(subject) or inspect.isclass(subject)
    )


def _comment(module, name):
    """The lines of the comment above a constant, from the module where it is defined."""
    source = inspect.getsource(importlib.import_module(module))
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _comment(node.module, name)
    return ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name), [])


def share_comments(app):
    """Has a module that imports a constant have its comment, too, where autodoc looks for it."""
    for module in public_modules():
        imported = importlib.import_module(module)
        for name in imported.__all__:
            if _is_constant(getattr(imported, name)) and (lines := _comment(module, name)):
                analyzer = ModuleAnalyzer.for_module(module)
                analyzer.analyze()
                analyzer.attr_docs["", name] = lines


def skip_numbered_fields(app, what, name, obj, skip, options):
    """Leaves out what Python itself writes of a named tuple's fields."""
    return (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") or None


def check(app, env):
    """Warns of each public name without a docstring or without a place."""
    documented = env.domaindata["py"]["objects"]
    # The object that a name stands for may be documented in another room.
    found = {id(_named(name)) for name in documented}
    for module in public_modules():
        for name in importlib.import_module(module).__all__:
            full = f"{module}.{name}"
            if not docstring(module, name):
                LOGGER.warning("%s has no docstring", full)
            if full not in documented and id(_named(full)) not in found:
                LOGGER.warning("%s is on no page of the API", full)


def _named(full):
    """The object of a name, be it of a module, a class or a method."""
    parts = full.split(".")
    subject = importlib.import_module(parts[0])
    for part in parts[1:]:
        subject = getattr(subject, part, None)
    return subject


def setup(app):
    """Checks when all pages are read."""
    app.connect("builder-inited", share_comments)
    app.connect("autodoc-skip-member", skip_numbered_fields)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}
