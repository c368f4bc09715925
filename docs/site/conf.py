"""How Sphinx makes the site; `python tools/build_site.py` calls it.

The source folder is the repository itself, so that a link means the same in the site as on a code
host, and each page of the repository is there once.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# What is documented is what stands beside this file, whatever else is installed.
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "tools")]

import keras_vae  # noqa: E402

project = "keras_vae"
author = copyright = "The keras_vae authors"
version = release = keras_vae.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # Those of this folder.
    "api",
    "docstrings",
    "explorers",
    "programs",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "saved_models/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [".*", "build", "dist", "runs", "tests", "keras_vae", "**/__pycache__"]

# A reference that leads nowhere is a warning, and a warning is an error.
nitpicky = True
nitpick_ignore_regex = [
    # Names of other packages, which are not looked up in a network.
    (r"py:.*", r"(?!keras_vae\.).*"),
]
# What docstrings put into backticks is a link where it is the name of something here.
default_role = "py:obj"

autodoc_default_options = {
    "members": True,
    "imported-members": True,
    "no-value": True,
}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Input shape", "Output shape"]
add_module_names = False
python_maximum_signature_line_length = 72
toc_object_entries_show_parents = "hide"

myst_heading_anchors = 3
myst_enable_extensions = ["fieldlist"]

# Blocks without a language are commands and what they print.
highlight_language = "none"
pygments_style = "default"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "keras_vae"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5"},
    "dark_css_variables": {"color-brand-primary": "#7cb8f0", "color-brand-content": "#7cb8f0"},
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# They would be fetched, which browsers forbid pages that are opened from a file.
html_show_search_summary = False
templates_path = ["templates"]
# The front page stands among the others; who opens the folder is led there.
html_additional_pages = {"index": "to_front_page.html"}
