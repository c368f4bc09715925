"""Tests of the messages that bad input gets: every one of `examples/bad_input.py`."""

import importlib.util
import linecache
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def load_example():
    spec = importlib.util.spec_from_file_location("bad_input", ROOT / "examples/bad_input.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bad_input = load_example()
CASES = [(area, case) for area, cases in bad_input.CASES.items() for case in cases]


@pytest.mark.parametrize(
    "case", [case for _, case in CASES], ids=[f"{area}: {case.what}" for area, case in CASES]
)
def test_a_message_says_what_was_expected_what_came_and_what_to_do(case, tmp_path):
    error = bad_input.error_of(case, tmp_path)
    assert isinstance(error, ValueError | OSError), repr(error)
    for part in (case.expected, case.received, case.advice):
        assert part in str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    assert Path(last.filename).is_relative_to(ROOT), f"raised by {last.filename}"
    assert linecache.getline(last.filename, last.lineno).strip().startswith("raise ")


def test_the_page_of_messages_has_them_all():
    rows = (ROOT / "docs/bad_input.md").read_text().splitlines()
    rows = [row for row in rows if row.startswith("| ") and row != "| mistake | message |"]
    told = "Write it anew: python examples/bad_input.py > docs/bad_input.md"
    assert len(rows) == len(CASES), told
    for row, (_, case) in zip(rows, CASES, strict=True):
        assert row.startswith(f"| {case.what} | "), told
        for part in (case.expected, case.received, case.advice):
            assert bad_input.cell(part) in row, told


def test_there_are_thirty_cases_and_more_and_no_two_alike():
    names = [(area, case.what) for area, case in CASES]
    assert len(set(names)) == len(names) >= 30


def test_a_mistake_that_goes_unnoticed_is_an_error(tmp_path):
    case = bad_input.Case("none", lambda folder: None, "", "")
    with pytest.raises(RuntimeError, match="Nothing is said of: none"):
        bad_input.error_of(case, tmp_path)
