"""Every public name of the package, and what is written about it."""

import ast
import importlib
import inspect
import re
from pathlib import Path

API = Path(__file__).parents[1] / "api"


def public_modules() -> list[str]:
    """The modules that the API has a page of, which is named after its module."""
    return sorted(path.stem for path in API.glob("keras_vae*.md"))


def is_constant(subject) -> bool:
    """Whether a public object has no docstring of its own."""
    return not (inspect.ismodule(subject) or inspect.isroutine(subject) or inspect.isclass(subject))


def docstring(module: str, name: str) -> str:
    """What is written about a public name: its docstring, or the comment above a constant.

    Args:
        module: A public module.
        name: One of its `__all__`.

    Returns:
        `""` where nothing is.
    """
    subject = getattr(importlib.import_module(module), name)
    return comment(module, name) if is_constant(subject) else inspect.getdoc(subject) or ""


def comment(module: str, name: str) -> str:
    """The lines that begin with `#:` above a constant, from the module where it is defined."""
    source = inspect.getsource(importlib.import_module(module))
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return comment(node.module, name)
    found = re.search(rf"((?:^#:.*\n)+){name} = ", source, re.M)
    return re.sub(r"^#: ?", "", found[1], flags=re.M).strip() if found else ""


def named(full: str):
    """The object of a full name, be it that of a module, a class or a method; or `None`."""
    first, *parts = full.split(".")
    subject = importlib.import_module(first)
    for part in parts:
        subject = getattr(subject, part, None)
    return subject
