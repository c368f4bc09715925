"""Follows every link of a folder of HTML: to a page, a heading, a picture or any other file.

What leads to other hosts is counted, and not asked for: no network is needed.
"""

import argparse
import re
import sys
from functools import cache
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

TARGETS = re.compile(r"<[a-z][^<>]*?\s(?:href|src)=\"([^\"]*)\"")
ANCHORS = re.compile(r"<[a-z][^<>]*?\s(?:id|name)=\"([^\"]*)\"")


class Followed(NamedTuple):
    """What became of the links of a folder.

    Attributes:
        pages: Int. Pages that were read.
        links: Int. Links within the folder that were followed.
        elsewhere: Addresses on other hosts.
        broken: `page: link`, of those that lead nowhere.
    """

    pages: int
    links: int
    elsewhere: set[str]
    broken: list[str]


def follow(folder: Path) -> Followed:
    """Follows the links of all pages.

    Args:
        folder: Of the site. A link out of it is broken.
    """
    folder = folder.resolve()
    pages = sorted(folder.rglob("*.html"))
    links, elsewhere, broken = 0, set(), []
    for page in pages:
        for target in sorted(set(map(unescape, TARGETS.findall(read(page))))):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if parts.scheme in ("http", "https"):
                    elsewhere.add(target)
                continue
            links += 1
            there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not _is_there(folder, there, unquote(parts.fragment)):
                broken.append(f"{page.relative_to(folder)}: {target}")
    return Followed(len(pages), links, elsewhere, broken)


def _is_there(folder, path, fragment):
    if not path.is_relative_to(folder) or not path.is_file():
        return False
    return not fragment or path.suffix != ".html" or fragment in anchors(path)


@cache
def read(page: Path) -> str:
    """The text of a page without its programs, in which there may be anything."""
    return re.sub(r"<script\b.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.S)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What in a page may be linked to."""
    return frozenset(map(unescape, ANCHORS.findall(read(page))))


def main():
    """Prints how many there are, and those that lead nowhere."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("build/site"), help="of the site (build/site)"
    )
    followed = follow(parser.parse_args().folder)
    print(
        f"{followed.pages} pages, {followed.links} links followed, {len(followed.elsewhere)} to "
        f"other hosts, {len(followed.broken)} broken"
    )
    if followed.broken:
        sys.exit("\n".join(followed.broken))


if __name__ == "__main__":
    main()
