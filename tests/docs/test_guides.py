"""The guides run as they are printed, but for the number of epochs."""

import re
from pathlib import Path

import pytest

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))


def test_there_are_guides_and_each_is_on_the_front_page():
    front = (GUIDES[0].parents[1] / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^guides/(\w+)$", front, re.M)
    assert sorted(listed) == [guide.stem for guide in GUIDES]


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=[guide.stem for guide in GUIDES])
def test_the_code_of_a_guide_runs_and_its_assertions_hold(guide, tmp_path, monkeypatch):
    text = guide.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert blocks
    # Of two digits: what counts them exactly says so with one.
    code = re.sub(r"\bepochs=\d\d\b", "epochs=1", "\n".join(blocks))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(guide), "exec"), {"__name__": "guide"})
    # What it says it writes is there.
    written = re.findall(r'(?:save|explore)\("([\w/.]+)"', code)
    written += [f"{folder}/" for folder in re.findall(r'"(runs/\w+)"', code)]
    assert all((tmp_path / name).exists() for name in written)
