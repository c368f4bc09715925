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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
def test_killed_while_the_disk_is_full_it_goes_on_from_the_last_save(train, tmp_path, full_disk):
    fill, drain = full_disk
    train(tmp_path / "unbroken")
    with pytest.warns(UserWarning, match="Resume could not save"), pytest.raises(Killed):
        train(tmp_path / "run", At(2, fill), At(4, kill))
    drain()
    assert Resume(tmp_path / "run").epoch == 2
    train(tmp_path / "run")
    assert_same_files(tmp_path / "unbroken", tmp_path / "run")


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


# In each FOLDER=LEFT trains a model that has LEFT bytes of room from the middle of epoch 2 to that
# of epoch 4, by a limit to files' sizes or by a file that fills the file system, and reads what
# there is then; prints who warned.
NARROW = """
import os, sys, warnings
from pathlib import Path
from PIL import Image
import keras, numpy as np, keras_vae
from keras_vae import callbacks

how = sys.argv[1]
if how == "limit":
    import resource
images = np.random.default_rng(0).random((20, 4, 4, 1), dtype=np.float32)
hidden = {"latent_dim": 2, "hidden_sizes": [50]}

def narrow(folder, left):
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, resource.RLIM_INFINITY))
    else:
        disk = os.statvfs(folder)
        with (folder / "filling").open("wb", buffering=0) as file:
            file.write(bytes(max(disk.f_bavail * disk.f_frsize - left, 0)))

def widen(folder):
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        (folder / "filling").unlink()

class Disk(keras.callbacks.Callback):
    def __init__(self, folder, left, check):
        super().__init__()
        self.folder, self.left, self.check = folder, left, check

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and self.epoch == 1:
            narrow(self.folder, self.left)
        elif batch == 1 and self.epoch == 3:
            widen(self.folder)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            self.check()

def train(folder, left):
    keras.utils.set_random_seed(0)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder((4, 4, 1), **hidden),
        keras_vae.networks.mlp_decoder((4, 4, 1), **hidden),
        seed=3,
    )
    vae.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    twin = keras.models.clone_model(vae)
    twin.build((None, 4, 4, 1))

    def check():
        for path in folder.rglob("*.png"):
            with Image.open(path) as picture:
                picture.load()
        assert callbacks.Resume(folder).epoch >= 1
        twin.load_weights(folder / "last_good.weights.h5")
        for name in ("elbo", "losses", "latent_statistics"):
            lines = (folder / f"{name}.csv").read_text().splitlines()
            assert {line.count(",") for line in lines} == {lines[0].count(",")}, name
        assert not list(folder.rglob("*.tmp"))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae.fit(
            images, batch_size=8, epochs=5, verbose=0,
            callbacks=[
                callbacks.Resume(folder),
                callbacks.StopOnNonFinite(folder),
                callbacks.ELBOLogger(folder, frequency=1, print_table=False, tensorboard=True),
                callbacks.LossCurves(folder, tensorboard=True),
                callbacks.ReconstructionGrid(images[:2], folder, tensorboard=True),
                callbacks.PriorSamples(folder),
                callbacks.LatentTraversal(folder),
                callbacks.LatentStatistics(images, folder=folder),
                Disk(folder, left, check),
            ],
        )
    check()
    assert callbacks.Resume(folder).epoch == 5
    assert int(vae.optimizer.iterations) == 15
    messages = [str(one.message) for one in caught]
    print(sorted({message.split()[0] for message in messages if "could not" in message}))

for argument in sys.argv[2:]:
    folder, left = argument.split("=")
    train(Path(folder), int(left))
"""


def narrow(how, **room):
    """The callbacks that warned, one line a folder."""
    program = [sys.executable, "-c", NARROW, how, *(f"{f}={left}" for f, left in room.items())]
    finished = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, (room, finished.returncode, finished.stderr[-2000:])
    return finished.stdout.splitlines()


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="no limits to the sizes of files")
def test_no_writer_ends_training_where_files_may_not_grow(tmp_path):
    (warned,) = narrow("limit", **{str(tmp_path): 4096})
    for who in ("Resume", "StopOnNonFinite", "LossCurves", "LatentTraversal"):
        assert who in warned


@pytest.mark.slow
def test_no_writer_ends_training_on_a_disk_that_fills_up(tmp_path):
    room, mounted = {}, []
    try:
        for kibibytes in (0, 4, 16, 32, 1500):
            disk = tmp_path / str(kibibytes)
            disk.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk]
            if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
                pytest.skip("needs to mount a small file system")
            mounted.append(disk)
            room[str(disk)] = 1024 * kibibytes
        warned = narrow("filling", **room)
    finally:
        for disk in mounted:
            subprocess.run(["umount", disk], check=True)
    # The state takes some 60 KiB, all files together less than a megabyte.
    assert ["Resume" in line for line in warned] == [True] * 4 + [False]


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
    monkeypatch.setattr(resume, "spans_workers", lambda strategy: True)
    monkeypatch.setattr(resume, "_of_all_workers", lambda numbers: [numbers, *others])
    monkeypatch.setattr(Resume, "_read", lambda self: states)
    if expected is None:
        with pytest.raises(ValueError, match=r"no saved epoch in common: they have \[\[5, 4\]"):
            Resume(tmp_path)
    else:
        assert Resume(tmp_path).epoch == expected
