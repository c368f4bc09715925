"""Every program says what it does and what each of its options means, and starts without noise."""

import argparse
import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("examples", "tools", "benchmarks")


def programs():
    """Files that parse a command line, by their own source."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if "ArgumentParser" in path.read_text(encoding="utf-8"):
                yield path.relative_to(ROOT).as_posix()


PROGRAMS = [*programs(), "keras_vae/__main__.py"]


class Parsed(Exception):
    """Ends a program where it parses its command line."""


@pytest.fixture(scope="module")
def parsers():
    """The parsers of all programs, which are run up to where they ask them."""

    def stop(parser, *_, **__):
        raise Parsed(parser)

    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setenv("COLUMNS", "80")
        for program in PROGRAMS:
            patch.setattr(sys, "argv", [program])
            patch.setattr(sys, "path", [str((ROOT / program).parent), *sys.path])
            with pytest.raises(Parsed) as stopped:
                runpy.run_path(str(ROOT / program), run_name="__main__")
            (found[program],) = stopped.value.args
    return found


def options_of(parser):
    """All that a command line may have, of subcommands, too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options_of(inner)
        elif action.help != argparse.SUPPRESS:
            yield action


@pytest.mark.slow
def test_every_option_of_every_program_is_explained(parsers):
    unexplained = [
        f"{program}: {action.option_strings or action.dest}: {action.help}"
        for program, parser in parsers.items()
        for action in options_of(parser)
        # What it is by default stands in brackets, and alone explains nothing.
        if not re.search(r"[A-Za-z]{2}", re.sub(r"\([^)]*\)?", "", action.help or ""))
    ]
    assert unexplained == []


@pytest.mark.slow
def test_every_program_says_what_it_does(parsers):
    assert len(parsers) > 40
    for program, parser in parsers.items():
        assert len(parser.description or "") > 20, program
        # What is printed as it stands is no wider than the code.
        lines = f"{parser.description}\n{parser.epilog}".splitlines()
        assert max(map(len, lines)) <= 100, program


def imports(path):
    """Top modules in the order in which a program imports them, and the line of each."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names or [alias.name for alias in node.names]:
                yield name.partition(".")[0], node.lineno


@pytest.mark.parametrize("path", [path for path in PROGRAMS if path.startswith("examples/")])
def test_an_example_asks_for_a_quiet_start_before_it_imports_anything_of_tensorflow(path):
    found = {}
    for name, line in imports(path):
        found.setdefault(name, line)
    source = (ROOT / path).read_text(encoding="utf-8")
    asked = source[: source.index('os.environ.setdefault("KERAS_VAE_QUIET", "1")')].count("\n") + 1
    loads = {found[name] for name in ("keras", "tensorflow") if name in found}
    if "keras_vae" in found:
        assert asked < found["keras_vae"] < min(loads, default=1e9)
    else:
        assert not loads
