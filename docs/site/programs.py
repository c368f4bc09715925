"""Python files of the repository as pages of the site, where something links to them."""

import importlib
import importlib.util
import inspect
import posixpath
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).parents[2]
# Set beside the pages of the repository, the file's own path below it.
FOLDER = "programs"


def link_programs(app, doctree):
    """Has links to Python files, which would else be downloaded, lead to pages that show them."""
    for node in list(doctree.findall(addnodes.download_reference)):
        path = posixpath.normpath(
            posixpath.join(posixpath.dirname(app.env.docname), node["reftarget"])
        )
        if path.endswith(".py"):
            node.replace_self(_reference(app, app.env.docname, path, *node.children))


def find_in_package(app, env, node, contnode):
    """Leads a name of the package that no page of the API has to the file that it is in."""
    target = node.get("reftarget", "")
    if node.get("refdomain") == "py" and target.startswith("keras_vae."):
        path = defined_in(target)
        if path:
            return _reference(app, node["refdoc"], path, contnode)
    return None


def defined_in(name: str) -> str | None:
    """Where in the repository the module is that a full name is that of, or that has it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if path := module_path(module):
            subject = importlib.import_module(module)
            for part in parts[count:]:
                if not hasattr(subject, part):
                    return None
                subject = getattr(subject, part)
            return path
    return None


def module_path(name: str) -> str | None:
    """Where in the repository a module is, if there is such a one."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return repository_path(found.origin) if found else None


def repository_path(file: str) -> str:
    """The path of a file below the repository, through no link."""
    return Path(file).resolve().relative_to(ROOT).as_posix()


def _reference(app, docname, path, *children):
    uri = app.builder.get_relative_uri(docname, _show(app.env, path))
    return nodes.reference("", "", *children, internal=True, refuri=uri)


def _show(env, path):
    """The name of the page of a file, which will be made."""
    if not hasattr(env, "shown_programs"):
        env.shown_programs = set()
    env.shown_programs.add(path)
    return f"{FOLDER}/{path.removesuffix('.py')}"


def source_of(env, docname: str, module: str, name: str) -> str | None:
    """Where a public name is defined, as an address from the page that documents it.

    Args:
        env: Of Sphinx.
        docname: That page.
        module: A public module.
        name: The name in it, perhaps that of a method.
    """
    subject = importlib.import_module(module)
    for part in name.split("."):
        subject = inspect.getattr_static(subject, part, None) or getattr(subject, part, None)
    subject = inspect.unwrap(getattr(subject, "fget", None) or subject)
    subject = getattr(subject, "__func__", subject)
    try:
        path = repository_path(inspect.getsourcefile(subject))
        line = inspect.getsourcelines(subject)[1]
    except (TypeError, ValueError, OSError):
        # A constant, or what Python itself has made.
        return None
    page = f"{_show(env, path)}.html"
    return f"{posixpath.relpath(page, posixpath.dirname(docname))}#L-{line}"


def add_source_links(app, doctree):
    """Sets a link to its source behind the name of each function and class."""
    for description in doctree.findall(addnodes.desc):
        for signature in description.findall(addnodes.desc_signature, descend=True):
            if signature.parent is not description or not signature.get("module"):
                continue
            uri = source_of(app.env, app.env.docname, signature["module"], signature["fullname"])
            if uri:
                link = nodes.reference("", "source", internal=True, refuri=uri)
                signature += nodes.inline("", " ")
                signature += nodes.inline("", "", link, classes=["source-link"])


def show_programs(app):
    """The pages: name, context and template of each."""
    for path in sorted(getattr(app.env, "shown_programs", ())):
        text = (ROOT / path).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(text, "python", lineanchors="L")
        body = f"<h1><code>{path}</code></h1>\n{code}"
        yield f"{FOLDER}/{path.removesuffix('.py')}", {"title": path, "body": body}, "page.html"


def setup(app):
    """Comes before Sphinx collects what is to be downloaded."""
    app.connect("doctree-read", link_programs, priority=100)
    app.connect("doctree-read", add_source_links, priority=101)
    app.connect("missing-reference", find_in_package)
    app.connect("html-collect-pages", show_programs)
    return {"parallel_read_safe": False}
