"""Writes `docs/bad_input.md`, what `keras_vae` says to bad input, from `tests/bad_input/`.

Each file there is a list of mistakes: what is done, how, and the whole message that it gets, to
which `tests/test_bad_input.py` holds the code. After a message has changed, `--accept` makes every
mistake anew and writes what it was told into those files, to be read in the diff.
"""

import argparse
import os
import re
import runpy
import sys
import tempfile
import tomllib
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

from keras_vae.files import write_whole

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "bad_input"
PAGE = ROOT / "docs" / "bad_input.md"
HEADER = """# What it says to bad input

Written by `python tools/bad_input_page.py` from `tests/bad_input/`, where each mistake stands with
the code that makes it. A test makes every one of them and compares the whole message.
"""


def names() -> dict:
    """What the code of a mistake may use, by name."""
    # The tests have stand-ins for what is not on this machine.
    sys.path.insert(0, str(ROOT / "tests"))
    return runpy.run_path(str(CASES / "subjects.py"))


def message_of(how: str, names: dict, folder: Path) -> str:
    """What a mistake is told: the kind of error, and its whole message.

    Args:
        how: The code that makes it.
        names: What that code may use.
        folder: Where it may write.

    Raises:
        RuntimeError: If it is told nothing.
        Exception: What is no `ValueError`, `OSError` or `ImportError` was not meant for the reader.
    """
    try:
        exec(how, {**names, "folder": folder})
    except (ValueError, OSError, ImportError) as error:
        return normalised(f"{type(error).__name__}: {error}", folder)
    raise RuntimeError(f"Nothing is said of: {how}")


def normalised(message: str, folder: Path) -> str:
    """A message without what differs from machine to machine and from run to run."""
    message = message.replace(str(folder), "runs").replace(str(ROOT), "keras_vae")
    # What Keras adds to an error inside a layer, partly in bold, is worded otherwise by the next
    # version.
    message = re.sub(r"\x1b\[\d*m", "", message)
    message = re.sub(r"Exception encountered when calling .*\n\n", "", message)
    message = re.sub(r"\n\nArguments received by .*(\n  •.*)*", "", message)
    return re.sub(r"\b[0-9a-f]{64}\b", "0123abcd...", message)


def accept():
    """Makes every mistake, and writes what it is told into the file that it stands in."""
    known = names()
    for path in sorted(CASES.glob("*.toml")):
        room = tomllib.loads(path.read_text(encoding="utf-8"))
        text = f"title = {quoted(room['title'])}\n"
        for case in room["case"]:
            with tempfile.TemporaryDirectory() as folder:
                case["message"] = message_of(case["how"], known, Path(folder))
            pairs = (f"{key} = {quoted(case[key])}\n" for key in ("what", "how", "message"))
            text += "\n[[case]]\n" + "".join(pairs)
        write_whole(path, text)


def quoted(text: str) -> str:
    """Text as TOML, with as few escapes as can be."""
    if "\n" in text:
        return f"'''\n{text}'''"
    if not re.search(r'["\\]', text):
        return f'"{text}"'
    return f"'{text}'" if "'" not in text else f"'''{text}'''"


def page() -> str:
    """All mistakes and their messages, in Markdown."""
    text = HEADER
    for path in sorted(CASES.glob("*.toml")):
        room = tomllib.loads(path.read_text(encoding="utf-8"))
        text += f"\n## {room['title']}\n\n| mistake | message |\n|---|---|\n"
        for case in room["case"]:
            message = " ".join(case["message"].split()).replace("|", r"\|")
            text += f"| {case['what']} | {message} |\n"
    return text


def main():
    """Writes the page, or checks it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    does = parser.add_mutually_exclusive_group()
    does.add_argument(
        "--accept", action="store_true", help="make all mistakes and take their messages as right"
    )
    does.add_argument(
        "--check", action="store_true", help="write nothing; fail if the page is not up to date"
    )
    arguments = parser.parse_args()
    if arguments.check:
        if PAGE.read_text(encoding="utf-8") != page():
            sys.exit(f"{PAGE} is not up to date. Run `python tools/bad_input_page.py`.")
        return
    if arguments.accept:
        accept()
    write_whole(PAGE, page())


if __name__ == "__main__":
    main()
