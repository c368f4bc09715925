"""Builds the site of this repository, strictly: whatever is wrong with a page ends it.

A link that leads nowhere, a picture that is not there and a public name without a docstring are
errors. No network is needed, and nothing is trained. `FOLDER/index.html` opens without a server.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import site_links

ROOT = Path(__file__).parents[1]


def build(folder: Path) -> int:
    """Has Sphinx make all pages anew.

    Args:
        folder: Where they will be. A site that is there goes first.

    Returns:
        0 where nothing was wrong.

    Raises:
        FileExistsError: If something else than a site is there.
    """
    from sphinx.cmd.build import build_main

    if folder.exists():
        if any(folder.iterdir()) and not (folder / ".buildinfo").is_file():
            raise FileExistsError(f"{folder} is there, and is no site. Choose another folder.")
        shutil.rmtree(folder)
    cache = folder.with_name(f"{folder.name}.cache")
    shutil.rmtree(cache, ignore_errors=True)
    options = ["--quiet", "--nitpicky", "--fail-on-warning", "--keep-going"]
    places = ["-c", str(ROOT / "docs" / "site"), "-d", str(cache), str(ROOT), str(folder)]
    return build_main([*options, *places])


def main():
    """Builds it, follows its links, and prints how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "site", help="where to (build/site)"
    )
    folder = parser.parse_args().folder
    begin = time.perf_counter()
    if build(folder):
        sys.exit("The site is not whole: see above.")
    followed = site_links.follow(folder)
    if followed.broken:
        sys.exit("Links that lead nowhere:\n" + "\n".join(followed.broken))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{folder / 'index.html'}: {followed.pages} pages, {followed.links} links followed, "
        f"{size / 1e6:.0f} MB, {time.perf_counter() - begin:.0f} s"
    )


if __name__ == "__main__":
    main()
