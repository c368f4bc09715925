"""Every call in the code of README and of the pages fits the signature of what it calls.

The guides run as they are printed. Other pages show lines that need a trained model, or a hub; of
those, each function and method is looked up here, and the arguments are bound to it.
"""

import ast
import builtins
import inspect
import re
from pathlib import Path

import keras
import pytest

import keras_vae
from keras_vae import anomaly, callbacks, tables
from keras_vae.datasets import factors

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
UNKNOWN = (None, False)


def blocks(page):
    """`(number of the first line, code)` of every Python block."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        yield text[: found.start()].count("\n") + 2, found[1]


def beginning():
    """What a page may speak of without having made it: `{name: (value, whether an instance)}`."""
    modules = {"keras": keras, "keras_vae": keras_vae, "anomaly": anomaly, "factors": factors}
    names = {name: getattr(callbacks, name) for name in callbacks.__all__}
    names |= modules | {"Table": tables.Table, "layers": keras.layers}
    return {name: (value, False) for name, value in names.items()} | {"vae": (keras_vae.VAE, True)}


def meaning(node, known):
    """What an expression stands for, or the class that it is an instance of, and which of both."""
    if isinstance(node, ast.Name):
        return known.get(node.id, (getattr(builtins, node.id, None), False))
    if isinstance(node, ast.Attribute):
        owner, is_instance = meaning(node.value, known)
        if owner is None:
            return UNKNOWN
        assert hasattr(owner, node.attr), f"{ast.unparse(node)}: {owner} has none"
        return getattr(owner, node.attr), is_instance
    if isinstance(node, ast.Call):
        made, of_instance = meaning(node.func, known)
        if inspect.isclass(made) and not of_instance:
            return made, True
        if isinstance(node.func, ast.Attribute):
            # A class method gives an instance of its class, as `fit` does but for Keras's.
            owner, _ = meaning(node.func.value, known)
            is_fluent = of_instance and node.func.attr == "fit"
            is_fluent = is_fluent and not issubclass(owner, keras.Model)
            if inspect.isclass(owner) and (inspect.ismethod(made) or is_fluent):
                return owner, True
    return UNKNOWN


def check_call(call, known):
    """Binds the arguments of a call; returns whether it is known what is called."""
    function, of_instance = meaning(call.func, known)
    if not callable(function) or (of_instance and inspect.isclass(function)):
        return False
    try:
        signature = inspect.signature(function)
    except ValueError:  # Of a builtin that tells none.
        return False
    is_method = of_instance and inspect.isfunction(function)
    signature.bind(*[None] * (len(call.args) + is_method), **{k.arg: None for k in call.keywords})
    return True


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_call_of_a_page_fits_what_it_calls(page):
    known, checked = beginning(), 0
    for line, code in blocks(page):
        for statement in ast.parse(code).body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    space = {}
                    exec(ast.unparse(node), space)
                    known |= {name: (value, False) for name, value in space.items()}
                if isinstance(node, ast.Call):
                    try:
                        checked += check_call(node, known)
                    except (AssertionError, TypeError) as error:
                        pytest.fail(f"{page.name}:{line + node.lineno - 1}: {error}")
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found = meaning(statement.value, known)
                if found != UNKNOWN or statement.targets[0].id not in beginning():
                    known[statement.targets[0].id] = found
            if isinstance(statement, ast.ClassDef | ast.FunctionDef):
                known[statement.name] = UNKNOWN
    assert checked or not list(blocks(page))


def test_what_does_not_fit_is_found():
    known = beginning()

    def check(code):
        return check_call(ast.parse(code, mode="eval").body, known)

    assert check("vae.sample(16, seed=1)")
    assert check("keras_vae.VAE.for_data(x, latent_dim=2).fit(x, epochs=1)")
    assert not check("whatever.sample(16)")
    for wrong in ("vae.sample(16, sed=1)", "ELBOLogger()"):
        with pytest.raises(TypeError):
            check(wrong)
    with pytest.raises(AssertionError):
        check("keras_vae.VAE.for_dta(x).fit(x)")
