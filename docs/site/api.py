"""The pages of the API: what autodoc needs to know, and that no public name is missing."""

import importlib
import inspect

from public_names import comment, docstring, is_constant, named, public_modules
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.inspect import stringify_signature
from sphinx.util.nodes import make_refnode

LOGGER = logging.getLogger(__name__)


def share_comments(app):
    """Has a module that imports a constant have its comment, too, where autodoc looks for it."""
    for module in public_modules():
        imported = importlib.import_module(module)
        for name in imported.__all__:
            if is_constant(getattr(imported, name)) and (text := comment(module, name)):
                analyzer = ModuleAnalyzer.for_module(module)
                analyzer.analyze()
                analyzer.attr_docs["", name] = [*text.splitlines(), ""]


def skip_numbered_fields(app, what, name, obj, skip, options):
    """Leaves out what Python itself writes of a named tuple's fields."""
    return (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") or None


def arguments_of_init(app, what, name, obj, options, signature, returns):
    """The arguments of a Keras class, which its `__new__` hides."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    _, *parameters = inspect.signature(obj.__init__).parameters.values()
    return stringify_signature(inspect.Signature(parameters), unqualified_typehints=True), returns


def find_class(app, env, node, contnode):
    """Has the bare name of a public class, such as `VAE`, lead to it from whatever room."""
    target = node.get("reftarget", "")
    if node.get("reftype") != "obj" or not target[:1].isupper():
        return None
    objects = env.domaindata["py"]["objects"].items()
    found = {
        entry.docname: (entry, name)
        for name, entry in objects
        if entry.objtype == "class" and not entry.aliased and name.endswith(f".{target}")
    }
    if len(found) != 1:
        return None
    ((entry, name),) = found.values()
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)


def check(app, env):
    """Warns of each public name without a docstring or without a place."""
    documented = env.domaindata["py"]["objects"]
    # The object that a name stands for may be documented in another room.
    found = {id(named(name)) for name in documented}
    for module in public_modules():
        for name in importlib.import_module(module).__all__:
            full = f"{module}.{name}"
            if not docstring(module, name):
                LOGGER.warning("%s has no docstring", full)
            if full not in documented and id(named(full)) not in found:
                LOGGER.warning("%s is on no page of the API", full)


def setup(app):
    """Checks when all pages are read."""
    app.connect("builder-inited", share_comments)
    app.connect("autodoc-skip-member", skip_numbered_fields)
    app.connect("autodoc-process-signature", arguments_of_init)
    app.connect("missing-reference", find_class)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}
