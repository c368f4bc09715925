"""Faults in the middle of a training: it goes on, or goes on from its last save; nothing is lost.

`benchmarks/endurance.py` does the same many times over, to whole processes; it runs here with few.
"""

import csv
import errno
import os
import runpy
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae.callbacks import ELBOLogger, LossCurves, ReconstructionGrid, Resume

ROOT = Path(__file__).parents[1]
EPOCHS = 6
STEPS = 3  # An epoch of the twenty images.


class At(keras.callbacks.Callback):
    """Calls a function at the beginning of an epoch."""

    def __init__(self, epoch, function):
        super().__init__()
        self.epoch, self.function = epoch, function

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.function()


class Killed(Exception):
    """Stands for the end of the process."""


def kill():
    raise Killed


@pytest.fixture
def train(make_vae, images):
    """Trains as a program would that is started again by the same command."""

    def run(folder, *faults):
        resume = Resume(folder)
        batches = keras_vae.datasets.from_arrays(images, batch_size=8, seed=1, start=resume.step)
        vae = make_vae()
        watchers = [
            ELBOLogger(folder, frequency=1, print_table=False),
            LossCurves(folder),
            ReconstructionGrid(images[:2], folder),
        ]
        vae.fit(batches, epochs=EPOCHS, verbose=0, callbacks=[resume, *faults, *watchers])
        return vae

    return run


def assert_same_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def files(folder):
    """Every file but the lock, and what is in it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def assert_same_files(one, other):
    ours, theirs = files(one), files(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


@pytest.fixture
def full_disk(monkeypatch):
    """Two functions: one fills the disk, the other makes room again."""
    whole = Path.open

    def no_room(path, mode="r", *arguments, **settings):
        if mode[0] in "wa":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, mode, *arguments, **settings)

    return (
        lambda: monkeypatch.setattr(Path, "open", no_room),
        lambda: monkeypatch.setattr(Path, "open", whole),
    )


def test_a_full_disk_is_a_warning_and_the_tables_catch_up(train, tmp_path, full_disk):
    fill, drain = full_disk
    unbroken = train(tmp_path / "unbroken")
    with pytest.warns(UserWarning) as warned:
        disturbed = train(tmp_path / "run", At(2, fill), At(4, drain))
    text = [str(one.message) for one in warned]
    for who in ("Resume", "ELBOLogger", "LossCurves", "ReconstructionGrid"):
        assert len([line for line in text if f"{who} could not" in line and "space" in line]) == 1
    assert_same_weights(unbroken, disturbed)
    ours, theirs = files(tmp_path / "run"), files(tmp_path / "unbroken")
    # A picture is of its moment: those of the two epochs are not drawn again.
    missing = {f"reconstructions/epoch_{epoch:04d}.png" for epoch in (3, 4)}
    assert ours == {name: theirs[name] for name in theirs.keys() - missing}


def test_killed_while_the_disk_is_full_it_goes_on_from_the_last_save(train, tmp_path, full_disk):
    fill, drain = full_disk
    train(tmp_path / "unbroken")
    with pytest.warns(UserWarning, match="Resume could not save"), pytest.raises(Killed):
        train(tmp_path / "run", At(2, fill), At(4, kill))
    drain()
    assert Resume(tmp_path / "run").epoch == 2
    train(tmp_path / "run")
    assert_same_files(tmp_path / "unbroken", tmp_path / "run")


def test_a_folder_that_is_removed_is_made_again(train, tmp_path):
    unbroken = train(tmp_path / "unbroken")
    disturbed = train(tmp_path / "run", At(3, lambda: shutil.rmtree(tmp_path / "run")))
    assert_same_weights(unbroken, disturbed)
    ours, theirs = files(tmp_path / "run"), files(tmp_path / "unbroken")
    # Of the table there is what came after.
    rows = theirs["elbo.csv"].splitlines()
    assert ours["elbo.csv"].splitlines() == [rows[0], *rows[1 + 3 * STEPS :]]
    state = f"resume/step_{EPOCHS * STEPS:08d}.npz"
    assert ours[state] == theirs[state]


def test_a_folder_that_cannot_be_written_any_more_is_a_warning(train, tmp_path):
    # A file in its place, because the superuser may write where permissions forbid it.
    folder = tmp_path / "run"

    def take_away():
        shutil.rmtree(folder)
        folder.touch()

    unbroken = train(tmp_path / "unbroken")
    with pytest.warns(UserWarning, match="Resume could not save"):
        disturbed = train(folder, At(3, take_away))
    assert_same_weights(unbroken, disturbed)
    with pytest.raises(OSError, match="is not a folder"):
        train(folder)


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_killed_when_some_callbacks_have_seen_the_epochs_end(train, tmp_path, epoch):
    class KillAtEnd(keras.callbacks.Callback):
        def on_epoch_end(self, number, logs=None):
            if number == epoch:
                raise Killed

    train(tmp_path / "unbroken")
    with pytest.raises(Killed):
        train(tmp_path / "run", KillAtEnd())
    assert Resume(tmp_path / "run").epoch == epoch
    train(tmp_path / "run")
    assert_same_files(tmp_path / "unbroken", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux only")
def test_killed_processes_end_as_unbroken_ones(tmp_path):
    table = tmp_path / "table.csv"
    program = [sys.executable, ROOT / "benchmarks/endurance.py", "--seed", "1", "--table", table]
    counts = ["--kills", "2", "--terminations", "1", "--saves", "10"]
    finished = subprocess.run([*program, *counts], capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with table.open(newline="") as file:
        rows = {row["fault"].split()[0] + row["tries"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["SIGKILL10", "SIGKILL2", "SIGTERM1"]
    assert "nothing" in rows["SIGKILL2"]["lost"]


# A worker of several that is lost ----------------------------------------------------------------


@pytest.fixture
def multi_worker():
    return runpy.run_path(str(ROOT / "examples/multi_worker.py"))


class Cluster:
    """A resolver of two workers, of which this process is the first."""

    task_type, task_id = "worker", 0

    def __init__(self, address):
        self.address = address

    def cluster_spec(self):
        return self

    def as_dict(self):
        return {"worker": ["127.0.0.1:1", self.address]}


def test_a_worker_that_answers_no_more_ends_the_others(multi_worker, monkeypatch):
    other = socket.create_server(("127.0.0.1", 0))
    watch = multi_worker["PeerWatch"](
        Cluster(f"127.0.0.1:{other.getsockname()[1]}"), interval=0.01, patience=3
    )
    left = threading.Event()
    reasons = []

    def leave(reason):
        reasons.append(reason)
        left.set()

    monkeypatch.setitem(type(watch).run.__globals__, "leave", leave)
    watch.start()
    assert not left.wait(0.2)
    other.close()
    assert left.wait(10)
    watch.stop()
    watch.join()
    assert reasons[0].startswith("worker 1 at 127.0.0.1:")


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        ([], [[0, 0]], 0),
        ([1], [[0, 0]], 0),
        ([1], [[1, 0]], 1),
        ([2, 1], [[1, 0]], 1),
        ([3, 2], [[3, 2], [2, 1]], 2),
        ([5, 4], [[0, 0]], None),
    ],
)
def test_workers_go_on_from_the_last_epoch_that_all_have(
    train, tmp_path, monkeypatch, own, others, expected
):
    from keras_vae.callbacks import resume

    states = [{"epoch": epoch, "step": epoch * STEPS} for epoch in own]
    monkeypatch.setattr(resume, "_several_workers", lambda strategy: True)
    monkeypatch.setattr(resume, "_of_all_workers", lambda numbers: [numbers, *others])
    monkeypatch.setattr(Resume, "_read", lambda self: states)
    if expected is None:
        with pytest.raises(ValueError, match=r"no saved epoch in common: they have \[\[5, 4\]"):
            Resume(tmp_path)
    else:
        assert Resume(tmp_path).epoch == expected
