"""Tests of writing: whole or not at all, and never an exception in mid-training."""

import os

import pytest

from keras_vae.callbacks import output


def test_write_whole_makes_folders_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    output.write_whole(path, "één")
    output.write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file.txt"]


def test_failed_write_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    output.write_whole(path, "old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        output.write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_check_writable_leaves_nothing(tmp_path):
    output.check_writable(tmp_path / "not" / "yet")
    assert os.listdir(tmp_path) == []


def test_check_writable_refuses_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Cannot write into the folder .*is not a folder.*Choose"):
        output.check_writable(tmp_path / "file" / "run")


def test_guard_warns_once():
    guard = output.Guard("Painter")
    with pytest.warns(UserWarning, match="Painter could not draw.*ZeroDivisionError") as warned:
        for _ in range(3):
            with guard("draw"):
                1 / 0  # noqa: B018
    assert len(warned) == 1


def test_guard_lets_interrupts_through():
    with pytest.raises(KeyboardInterrupt), output.Guard("Painter")("draw"):
        raise KeyboardInterrupt
