"""What pyproject.toml cannot say: the README as the package index shows it.

In the repository its links are relative, so that they work in a checkout, a fork and at any commit.
On the index they would lead nowhere: in a distribution's metadata they lead to the tag of its
version, below the address that `[project.urls]` gives.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PICTURES = {".gif", ".png", ".svg"}


def read(name: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def readme() -> str:
    """README.md, its links to files of the repository made absolute."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    (version,) = re.findall(r'^__version__ = "(.+)"$', read("keras_vae/__init__.py"), re.M)

    def absolute(link: re.Match) -> str:
        shown_as = "raw" if Path(link[1]).suffix in PICTURES else "blob"
        return f"]({project['urls']['Repository']}/{shown_as}/v{version}/{link[1]})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", absolute, read("README.md"))


setup(long_description=readme(), long_description_content_type="text/markdown")
