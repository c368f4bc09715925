"""A tree of values as one HTML file: the template, style and modules of `static/`, put together.

Modules cannot import each other from `file://`, so they are joined to one script, each as a
function that is called in the order of `MODULES` and returns what it exports: no name of one is
seen in another that does not import it. A policy in the page lets no other script run, and nothing
be fetched.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import os
import re
from pathlib import Path

from keras_vae.explorer.packing import Packer, pack
from keras_vae.files import write_whole

# A module stands behind all that it imports.
MODULES = (
    "arrays",
    "layers",
    "model",
    "elements",
    "jobs",
    "picture",
    "state",
    "sliders",
    "map",
    "drawing_pad",
    "walk",
    "traversals",
    "samples",
    "card",
    "link",
    "main",
)
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_IFRAME_HEIGHT = 860


class Page:
    """An explorer: HTML that a browser opens from a file, and a notebook shows where it stands.

    Args:
        html: The whole page.
    """

    def __init__(self, html: str):
        self.html = html

    def write(self, path: str | os.PathLike) -> Path:
        """Writes the file, whole or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        write_whole(path, self.html)
        return Path(path)

    def _repr_html_(self) -> str:
        # A frame of its own: the page's style and names stay apart from the notebook's.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" title="Latent explorer" '
            f'style="width: 100%; height: {_IFRAME_HEIGHT}px; border: 0" '
            'sandbox="allow-scripts allow-downloads"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Page of {len(self.html) / 1e6:.2f} MB; a notebook shows it>"


def assembled(tree: dict) -> Page:
    """The page of a tree of values, as `description.describe` gives it."""
    packer = Packer()
    data = pack(tree, packer)
    script = program()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "title": html.escape(tree["title"]),
        "script-hash": f"sha256-{digest}",
        "style": static("style.css"),
        "data": as_json(data),
        "arrays": packer.text(),
        "script": script,
    }
    # In one pass: what is put in is not looked at again.
    text = re.sub(r"\{\{([a-z-]+)\}\}", lambda found: parts[found[1]], static("index.html"))
    return Page(text)


def program(names=MODULES) -> str:
    """Modules of `static/` as one script."""
    return "const modules = {};\n" + "".join(map(_as_function, names))


def _as_function(name):
    """A module as a function that is called at once."""
    # The browser reads carriage returns as line feeds, and would find another digest.
    text = static(f"{name}.js").replace("\r\n", "\n")
    text = re.sub(
        r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', r"const \1 = modules.\2;", text, flags=re.M
    )
    exports = re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.M)
    text = re.sub(r"^export ", "", text, flags=re.M)
    returned = f"return {{ {', '.join(exports)} }};\n" if exports else ""
    return f"modules.{name} = (() => {{\n{text}{returned}}})();\n"


def as_json(data) -> str:
    """JSON that ends no element of HTML, whatever its strings say."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def static(name: str) -> str:
    """A file of `static/`."""
    return (importlib.resources.files(__package__) / "static" / name).read_text(encoding="utf-8")
