"""Tests of writing: whole or not at all."""

import os

import pytest

from keras_vae import files


def test_write_whole_makes_folders_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    files.write_whole(path, "één")
    files.write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file.txt"]


def test_failed_write_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    files.write_whole(path, "old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        files.write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_check_writable_leaves_nothing(tmp_path):
    files.check_writable(tmp_path / "not" / "yet")
    assert os.listdir(tmp_path) == []


def test_check_writable_refuses_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Cannot write into the folder .*is not a folder.*Choose"):
        files.check_writable(tmp_path / "file" / "run")
