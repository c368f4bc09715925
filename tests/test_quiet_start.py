"""Tests of what a program that asks is spared, and that nobody else is, nor anything else."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from keras_vae import quiet_start

ROOT = Path(__file__).parents[1]
GREETINGS = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795625862.117710   13617 port.cc:153] oneDNN custom operations are on.",
    "E0000 00:00:1795626183.9 1 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)",
]
NEWS = [
    "E0000 00:00:1795626183.9 1 cuda_platform.cc:52] failed call to cuInit: MISMATCH (803)",
    "E0000 00:00:1795626183.9 1 any.cc:1] any other error",
    "F0000 00:00:1795626183.9 1 cpu.cc:1] the processor lacks AVX",
    "Traceback (most recent call last):",
    "Images were opened.",
]


def written(program, folder, **environment):
    """What a program writes to standard error that begins with the lines of a stub of Keras."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=folder,
        env={**kept, "PYTHONPATH": f"{folder}:{ROOT}", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stderr.splitlines(), done.returncode


@pytest.fixture
def stub(tmp_path):
    """A folder with a Keras that writes greetings and news, and aborts."""
    (tmp_path / "keras.py").write_text(
        f"import os\nfor line in {[*GREETINGS, *NEWS]!r}:\n"
        "    os.write(2, line.encode() + b'\\n')\nos.abort()\n",
        encoding="utf-8",
    )
    return tmp_path


def test_greetings_are_left_out_and_news_comes_through_even_of_an_abort(stub):
    lines, status = written("import keras_vae", stub, KERAS_VAE_QUIET="1")
    assert status != 0
    assert lines == NEWS


@pytest.mark.parametrize("environment", [{}, {"KERAS_VAE_QUIET": "0"}])
def test_who_does_not_ask_gets_all(stub, environment):
    lines, _ = written("import keras_vae", stub, **environment)
    assert lines == [*GREETINGS, *NEWS]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["-m", "keras_vae"], True),
        (["-W", "error", "-m", "keras_vae", "explore", "x"], True),
        (["-mkeras_vae"], True),
        (["-m", "my_program", "keras_vae"], False),
        (["my_program.py", "-m", "keras_vae"], False),
    ],
)
def test_the_command_of_the_package_is_told_from_others(monkeypatch, arguments, asked):
    # As Python has them while it looks for the module.
    position = next(i for i, word in enumerate(arguments) if word.startswith(("-m", "my_")))
    is_module = arguments[position].startswith("-m")
    rest = arguments[position + 1 + (arguments[position] == "-m") :]
    monkeypatch.setattr(sys, "orig_argv", ["python", *arguments])
    monkeypatch.setattr(sys, "argv", ["-m" if is_module else arguments[position], *rest])
    monkeypatch.delenv(quiet_start.VARIABLE, raising=False)
    assert quiet_start.is_asked_for() is asked


@pytest.mark.slow
def test_a_program_that_asks_starts_in_silence_and_its_errors_are_heard(tmp_path):
    program = """
        import keras_vae
        import tensorflow as tf
        tf.config.list_physical_devices()
        tf.constant(1.0) + 1.0
        raise SystemExit("an error of its own")
    """
    lines, status = written(program, tmp_path, KERAS_VAE_QUIET="1")
    assert (lines, status) == (["an error of its own"], 1)
