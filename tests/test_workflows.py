"""Tests of the workflows: that they can be read, pin what they use, and call what there is."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What a machine that runs them has, this one or not.
THEIRS = {"grep", "python", "sed", "test", "twine"}


def steps(name):
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


def test_there_are_a_gate_and_a_release():
    assert WORKFLOWS.keys() == {"ci", "release"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_of_a_known_owner_and_pinned_to_a_major_version(name):
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert any(action.startswith("actions/checkout@") for action in used)
    for action in used:
        assert re.fullmatch(r"(actions|pypa)/[a-z-]+@(release/)?v\d+", action), action


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_ends_some_time_and_may_do_no_more_than_it_needs(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for title, job in WORKFLOWS[name]["jobs"].items():
        assert "timeout-minutes" in job or title == "publish"
        assert job.get("permissions", {}).keys() <= {"id-token"}
        assert ("permissions" in job) == (title == "publish")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_command_calls_something_that_there_is(name):
    found = 0
    for step in steps(name):
        for line in step.get("run", "").splitlines():
            # Without what is set for a command, or to what one prints.
            line = re.sub(r"^\w+=\$\((.*)\)$", r"\1", line)
            words = [word for word in shlex.split(line) if not re.match(r"\w+=", word)]
            if words:
                found += 1
                assert words[0] in THEIRS or shutil.which(words[0]), line
            for path in re.findall(r"(?<=bash )\S+|\S+\.(?:py|md)\b", line):
                assert (ROOT / path).is_file(), path
    assert found >= 1


def test_the_gate_runs_on_every_python_that_the_package_takes():
    matrix = WORKFLOWS["ci"]["jobs"]["gate"]["strategy"]["matrix"]["python"]
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert matrix == named
    first, last = matrix[0], int(matrix[-1].partition(".")[2])
    assert PROJECT["requires-python"] == f">={first},<3.{last + 1}"


def test_only_what_was_built_and_passed_the_gate_is_published():
    publish = WORKFLOWS["release"]["jobs"]["publish"]
    assert set(publish["needs"]) == {"build", "gate"}
    assert publish["permissions"] == {"id-token": "write"}
    # PyYAML takes the key `on` for true.
    assert WORKFLOWS["release"][True]["push"] == {"tags": ["v*"]}
