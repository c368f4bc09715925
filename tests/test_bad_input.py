"""Tests of what bad input is told: every mistake in `bad_input/`, and the page that shows them."""

import re
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    for path in sorted((ROOT / "tests/bad_input").glob("*.toml"))
}
CASES = [pytest.param(case, id=f"{room}: {case['what']}") for room in ROOMS for case in ROOMS[room]]


@pytest.fixture(scope="module")
def program(load_program):
    return load_program("tools/bad_input_page.py")


@pytest.fixture(scope="module")
def names(program):
    return program.names()


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_the_whole_message(program, names, tmp_path, case):
    assert program.message_of(case["how"], names, tmp_path) == case["message"]


def test_no_two_mistakes_of_a_room_are_alike():
    for room, cases in ROOMS.items():
        assert len({case["what"] for case in cases}) == len(cases), room
        assert len({case["how"] for case in cases}) == len(cases), room


def test_the_page_shows_them_all_as_the_tool_writes_it(program):
    told = "Run `python tools/bad_input_page.py`"
    assert (ROOT / "docs/bad_input.md").read_text(encoding="utf-8") == program.page(), told
    rows = re.findall(r"^\| (.+?) \| \w+Error: ", program.page(), re.MULTILINE)
    assert rows == [case["what"] for cases in ROOMS.values() for case in cases]


def test_a_mistake_that_goes_unnoticed_is_an_error(program, tmp_path):
    with pytest.raises(RuntimeError, match="Nothing is said of: 1 \\+ 1"):
        program.message_of("1 + 1", {}, tmp_path)


def test_an_error_that_was_not_meant_for_the_reader_is_no_message(program, tmp_path):
    with pytest.raises(AttributeError, match="no_such_method"):
        program.message_of("''.no_such_method()", {}, tmp_path)


def test_a_message_is_the_same_on_every_machine(program, tmp_path):
    message = program.normalised(f"\x1b[1m{tmp_path}/a\x1b[0m: {'f' * 64}", tmp_path)
    assert message == "runs/a: 0123abcd..."


def test_a_message_is_the_same_with_every_version_of_keras(program, tmp_path):
    class Refusing(keras.layers.Layer):
        def call(self, inputs):
            raise ValueError("Too many.")

    with pytest.raises(ValueError) as caught:
        Refusing()(np.zeros((1, 2)))
    assert "Exception encountered" in str(caught.value)
    assert program.normalised(str(caught.value), tmp_path) == "Too many."


@pytest.fixture
def copy(program, tmp_path, monkeypatch):
    """The tool upon a single mistake, of which it knows an old message."""
    (tmp_path / "cases").mkdir()
    monkeypatch.setattr(program, "CASES", tmp_path / "cases")
    monkeypatch.setattr(program, "PAGE", tmp_path / "page.md")
    (tmp_path / "cases/subjects.py").write_text("said = 'It\\'s \"so\"\\nnow'\n")
    (tmp_path / "cases/room.toml").write_text(
        'title = "A room"\n\n[[case]]\nwhat = "a mistake"\nhow = \'\'\'\n'
        "import os\nraise ValueError(said)\n'''\nmessage = \"ValueError: old | older\"\n"
    )
    return tmp_path


def run(program, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bad_input_page.py", *arguments])
    program.main()


def test_without_accept_the_messages_stay_as_they_are(program, copy, monkeypatch):
    before = (copy / "cases/room.toml").read_text()
    run(program, monkeypatch)
    assert (copy / "cases/room.toml").read_text() == before
    page = (copy / "page.md").read_text()
    assert "## A room" in page and "| a mistake | ValueError: old \\| older |" in page


def test_accept_changes_the_message_and_nothing_else(program, copy, monkeypatch):
    before = (copy / "cases/room.toml").read_text()
    run(program, monkeypatch, "--accept")
    after = (copy / "cases/room.toml").read_text()
    (case,) = tomllib.loads(after)["case"]
    assert case["message"] == 'ValueError: It\'s "so"\nnow'
    assert after.partition("message = ")[0] == before.partition("message = ")[0]
    assert '| a mistake | ValueError: It\'s "so" now |' in (copy / "page.md").read_text()


def test_check_fails_where_the_page_is_out_of_date_and_writes_nothing(program, copy, monkeypatch):
    (copy / "page.md").write_text("old")
    with pytest.raises(SystemExit, match="is not up to date"):
        run(program, monkeypatch, "--check")
    assert (copy / "page.md").read_text() == "old"
    run(program, monkeypatch)
    run(program, monkeypatch, "--check")
