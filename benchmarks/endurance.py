"""What faults cost a training: kills, signals, a full disk and others, counted.

    python benchmarks/endurance.py --kills 100 --saves 1000 --terminations 20 --faults
    python benchmarks/endurance.py --workers 4 --repeats 3

Trains a small VAE with `Resume` and its logs, schedule and pictures over and over, does something
to it, starts it again by the same program until it ends, and compares every file that it leaves
with those of a run to which nothing was done: byte for byte (but for the date that Keras writes
into a model), so weights, optimizer, metrics, CSVs and pictures. After every kill it reads every
file in the folder. Prints a table, which `--table` also writes as CSV, and ends with status 1 if
work was lost that should not have been.

Each training is a process of its own, forked from this one, which has imported TensorFlow and run
nothing: so a kill takes seconds, and falls on all that a run does but importing. Moments are drawn
uniformly over the life of an unbroken run, from `--seed`. Linux only. The full disk is a small
tmpfs, and the folder that cannot be written has the attribute `i`, which stops root too; only root
may make either, and for others they are left out.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import mmap
import os
import re
import runpy
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path

# One thread each: a fork takes along only the thread that calls it.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.callbacks import BetaSchedule, ELBOLogger, LossCurves, ReconstructionGrid, Resume
from keras_vae.files import write_whole

import keras
import numpy as np
from PIL import Image

EPOCHS, STEPS, BATCH = 24, 12, 16
PHASES = ("start-up", "steps", "drawing", "saving", "finishing")
INTERRUPTED = 130  # What a shell says of Ctrl-C.
PATIENCE = 600  # Seconds after which a process that should have ended is a failure.


def main():
    """Runs the parts that the command line asks for and prints what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--kills", type=int, default=0, metavar="N", help="SIGKILL trainings so many times")
    add("--saves", type=int, default=0, metavar="N", help="SIGKILL the writing of a file")
    add("--terminations", type=int, default=0, metavar="N", help="SIGTERM trainings")
    add("--faults", action="store_true", help="full, read-only and removed folder; two runs in one")
    add("--workers", type=int, default=0, metavar="N", help="SIGKILL one worker of two")
    add("--repeats", type=int, default=0, metavar="N", help="train with the same seed N times")
    add("--seed", type=int, default=0, help="of the moments (0)")
    add("--table", type=Path, help="where to write the table as CSV")
    options = parser.parse_args()
    if len(_threads()) > 1:
        parser.error(f"importing has started threads, which a fork would lose: {_threads()}")

    rng = np.random.default_rng(options.seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), rng)
        if options.saves:
            rows.append(bench.kill_saves(options.saves))
        if options.kills:
            rows.append(bench.interrupt("SIGKILL", signal.SIGKILL, options.kills))
        if options.terminations:
            rows.append(bench.interrupt("SIGTERM", signal.SIGTERM, options.terminations))
        if options.faults:
            rows += [bench.two_runs(), bench.folder_removed(), *bench.disks()]
        if options.repeats:
            rows += bench.repeat(options.repeats)
        if options.workers:
            rows.append(bench.lose_worker(options.workers))
    print_table(rows)
    if options.table:
        options.table.parent.mkdir(parents=True, exist_ok=True)
        with options.table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("fault", "tries", "outcome", "lost"))
            writer.writerows(rows)
    sys.exit(int(bench.failed))


class Failure(Exception):
    """Work was lost, or a process did what it should not have."""


class Progress:
    """What a training process tells the one that watches it: phase and step, in shared memory."""

    def __init__(self):
        self._memory = mmap.mmap(-1, 8)

    def set(self, phase=None, step=None):
        """Notes the phase, the step or both."""
        old_phase, old_step = struct.unpack("ii", self._memory)
        phase = old_phase if phase is None else PHASES.index(phase)
        self._memory[:] = struct.pack("ii", phase, old_step if step is None else step)

    def get(self) -> tuple[str, int]:
        """The phase and the steps that are done."""
        phase, step = struct.unpack("ii", self._memory)
        return PHASES[phase], step


class WatchedResume(Resume):
    """Tells when it saves."""

    def __init__(self, folder, progress):
        super().__init__(folder)
        self.progress = progress
        progress.set("start-up", self.step)

    def _save(self, epoch, **final):
        self.progress.set("saving")
        super()._save(epoch, **final)
        self.progress.set("steps")


class Watch(keras.callbacks.Callback):
    """Tells of steps and drawing, and does a fault's work at the beginning of its epoch."""

    def __init__(self, progress, start, at_epoch):
        super().__init__()
        self.progress, self.step, self.at_epoch = progress, start, at_epoch

    def on_epoch_begin(self, epoch, logs=None):
        """Does the fault's work."""
        self.at_epoch.get(epoch, lambda: None)()

    def on_train_batch_begin(self, batch, logs=None):
        """A step begins."""
        self.progress.set("steps", self.step)

    def on_train_batch_end(self, batch, logs=None):
        """A step has ended."""
        self.step += 1
        self.progress.set("steps", self.step)

    def on_epoch_end(self, epoch, logs=None):
        """The other callbacks draw and write."""
        self.progress.set("drawing")


def train(folder, progress, at_epoch):
    """The program that is killed and started again.

    Args:
        folder: Where it writes everything.
        progress: Where it tells how far it is.
        at_epoch: `{epoch: function}`, called at the beginning of that epoch, from 0.
    """
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(1).random((STEPS * BATCH, 16, 16, 1), dtype=np.float32)
    resume = WatchedResume(folder, progress)
    batches = keras_vae.datasets.from_arrays(images, batch_size=BATCH, seed=2, start=resume.step)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder((16, 16, 1), 4, [256]),
        keras_vae.networks.mlp_decoder((16, 16, 1), 4, [256]),
        seed=3,
    )
    vae.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    vae.fit(
        batches.repeat(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        verbose=0,
        callbacks=[
            resume,
            Watch(progress, resume.step, at_epoch),
            BetaSchedule("cyclical", warmup_steps=EPOCHS * STEPS // 2),
            ELBOLogger(folder, frequency=1, print_table=False),
            LossCurves(folder),
            ReconstructionGrid(images[:8], folder),
        ],
    )
    progress.set("finishing")
    vae.save_to_preset(folder / "model")


def train_once(network: str, xla: bool, threads: int, watched: bool, folder: Path) -> str:
    """Trains a VAE of the usual size for 30 steps.

    Args:
        network: `"mlp"` or `"conv"`.
        xla: Whether to compile with XLA.
        threads: Of one TensorFlow operation.
        watched: Whether with callbacks.
        folder: Where these write.

    Returns:
        The SHA-256 of the weights.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(1).random((1280, 28, 28, 1), dtype=np.float32)
    encoder = getattr(keras_vae.networks, f"{network}_encoder")((28, 28, 1), 10)
    decoder = getattr(keras_vae.networks, f"{network}_decoder")((28, 28, 1), 10)
    vae = keras_vae.VAE(encoder, decoder, seed=3)
    vae.compile(keras.optimizers.Adam(1e-3), jit_compile=xla)
    callbacks = [
        ELBOLogger(folder, print_table=False),
        LossCurves(folder),
        ReconstructionGrid(images[:8], folder),
        Resume(folder),
    ]
    batches = keras_vae.datasets.from_arrays(images, batch_size=128, seed=2)
    vae.fit(batches, epochs=3, verbose=0, callbacks=callbacks if watched else None)
    shutil.rmtree(folder, ignore_errors=True)
    return hashlib.sha256(b"".join(value.tobytes() for value in vae.get_weights())).hexdigest()


class Bench:
    """Runs trainings as processes and does things to them.

    Args:
        folder: Where they may write.
        rng: A NumPy generator, which draws the moments.
    """

    def __init__(self, folder: Path, rng: np.random.Generator):
        self.folder, self.rng = folder, rng
        self.failed = False
        self.progress = Progress()
        self._unbroken = None
        self._life = None

    # Faults ----------------------------------------------------------------------------------

    def interrupt(self, name: str, number: int, count: int) -> tuple:
        """Sends a signal at random moments, as often as asked, over as many trainings as needed."""
        self._train_unbroken()
        phases, replayed, trainings, equal = Counter(), [], 0, 0
        while sum(phases.values()) < count:
            folder = self.folder / f"{name}_{trainings}"
            trainings += 1
            process = self._start(folder)
            while process is not None:
                moment = time.monotonic() + self.rng.uniform(0, self._life)
                if sum(phases.values()) < count:
                    while process.running() and time.monotonic() < moment:
                        time.sleep(0.002)
                if sum(phases.values()) == count or not process.running():
                    self._expect(process.wait() == 0, f"{folder.name} ended by {process.status}")
                    break
                process.send(number)
                status = process.wait()
                allowed = {-number, INTERRUPTED} if number == signal.SIGTERM else {-number}
                if status == 0:  # It was faster than the signal.
                    break
                self._expect(status in allowed, f"status {status} after {name}")
                phase, step = self.progress.get()
                phases[phase] += 1
                replayed.append(max(0, step - self._check_files(folder)))
                print(f"{name} {sum(phases.values())}: {phase}, step {step}", flush=True)
                process = self._start(folder)
            equal += self._compare(folder)
            shutil.rmtree(folder)
        spread = ", ".join(f"{phases[phase]} {phase}" for phase in PHASES)
        return (
            f"{name} at a random moment ({spread})",
            count,
            f"{equal} of {trainings} trainings, of {EPOCHS * STEPS} steps, end with the files of "
            "an unbroken one; all files whole after every kill",
            f"nothing that was logged; {np.mean(replayed):.1f} steps to do again on average, "
            f"{max(replayed)} at most, of {STEPS} between saves",
        )

    def kill_saves(self, count: int) -> tuple:
        """SIGKILLs a process that does nothing but write the same file over and over."""
        path = self.folder / "saves" / "state"
        writing, temporaries = 0, 0
        for _ in range(count):
            shared = mmap.mmap(-1, 8)
            process = Process(lambda shared=shared: _write_for_ever(path, shared))
            while not struct.unpack("ii", shared)[0]:
                time.sleep(0.001)
            time.sleep(self.rng.uniform(0, 0.02))
            process.send(signal.SIGKILL)
            process.wait()
            done, is_writing = struct.unpack("ii", shared)
            writing += is_writing
            content = path.read_bytes()
            version = struct.unpack("i", content[:4])[0]
            whole = content == _content(version) and version in (done, done + is_writing)
            self._expect(whole, f"a file of version {version} when {done} was written")
            left = list(path.parent.glob(".*.tmp"))
            temporaries += len(left)
            for leftover in left:
                leftover.unlink()
        shutil.rmtree(path.parent)
        return (
            f"SIGKILL while a file is written ({writing} in the middle of it)",
            count,
            "the file is the one before or the new one, whole, every time",
            f"nothing; {temporaries} temporary files were left beside it",
        )

    def two_runs(self) -> tuple:
        """Starts a second training in a folder where one trains."""
        self._train_unbroken()
        folder = self.folder / "two_runs"
        first = self._start(folder)
        while self.progress.get() == ("start-up", 0) and first.running():
            time.sleep(0.01)
        first.send(signal.SIGSTOP)  # So that it is still there.
        second = Process(lambda: train(folder, Progress(), {}))
        self._expect(second.wait() == 1, f"the second run ended by {second.status}")
        self._expect("Another process is training in" in second.errors, second.errors)
        first.send(signal.SIGCONT)
        self._expect(first.wait() == 0, f"the first run ended by {first.status}")
        self._expect(self._compare(folder) == 1, "the first run was disturbed")
        shutil.rmtree(folder)
        return (
            "a second run in the same folder",
            1,
            "the second refuses before its first step; the first ends as it would have",
            "nothing",
        )

    def folder_removed(self) -> tuple:
        """Removes the folder of the run from under it."""
        self._train_unbroken()
        folder = self.folder / "removed"
        process = self._start(folder, {EPOCHS // 2: lambda: shutil.rmtree(folder)})
        self._expect(process.wait() == 0, process.errors)
        self._compare_state(folder)
        epochs = sorted((folder / "reconstructions").glob("*.png"))
        self._expect(len(epochs) == EPOCHS - EPOCHS // 2, f"pictures {epochs}")
        shutil.rmtree(folder)
        return (
            "the folder is removed during training",
            1,
            "training ends with the same weights, in a new folder",
            "what was removed: logs and pictures from before",
        )

    def disks(self) -> list[tuple]:
        """Fills the disk, and makes the folder read-only; for a while, and until a kill."""
        self._train_unbroken()
        if os.geteuid():
            print("only root may fill a disk of its own and make a folder immutable: left out")
            return []
        disk, folder = self.folder / "disk", self.folder / "immutable"
        disk.mkdir()
        _call("mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk)
        try:
            full = self._no_writing(
                "the disk is full", disk / "run", lambda: _fill(disk), lambda: _drain(disk)
            )
        finally:
            _call("umount", disk)
        read_only = self._no_writing(
            "the folder is read-only",
            folder,
            lambda: _call("chattr", "-R", "+i", folder),
            lambda: _call("chattr", "-R", "-i", folder),
        )
        return [full, read_only]

    def _no_writing(self, name, folder, begin, end):
        first, last = EPOCHS // 3, 2 * EPOCHS // 3
        process = self._start(folder, {first: begin, last: end})
        self._expect(process.wait() == 0, process.errors)
        warned = set(re.findall(r"UserWarning: (?:Watched)?(\w+) could not", process.errors))
        self._expect("Resume" in warned, f"warnings {warned}: {process.errors}")
        self._compare_state(folder)
        self._compare_tables(folder)
        missing = EPOCHS - len(list((folder / "reconstructions").glob("*.png")))
        shutil.rmtree(folder)

        process = self._start(folder, {first: begin, last: lambda: os.kill(os.getpid(), 9)})
        self._expect(process.wait() == -signal.SIGKILL, process.errors)
        end()
        saved = self._check_files(folder)
        process = self._start(folder)
        self._expect(process.wait() == 0, process.errors)
        self._expect(self._compare(folder) == 1, "differs after the restart")
        shutil.rmtree(folder)
        return (
            f"{name} for {last - first} epochs; the same, and killed meanwhile",
            2,
            f"one warning each from {', '.join(sorted(warned))}; training ends with the same "
            "weights and tables; killed meanwhile, it goes on from the last state before and ends "
            "as an unbroken one",
            f"{missing} pictures; killed, {last * STEPS - saved} steps to do again",
        )

    def lose_worker(self, count: int) -> tuple:
        """SIGKILLs one worker of two, in turn each, and starts both again."""
        unbroken = Workers(self.folder / "workers").wait()
        self._expect(unbroken.statuses == [0, 0], unbroken.errors)
        seconds = []
        for turn in range(count):
            workers = Workers(self.folder / f"workers_{turn}")
            workers.wait_for_save(1 + turn % 3)
            victim = turn % 2
            workers.processes[victim].kill()
            start = time.monotonic()
            workers.wait()
            seconds.append(time.monotonic() - start)
            survivor = 1 - victim
            self._expect(workers.statuses[survivor] not in (0, None), "the survivor ended well")
            self._expect("Another worker is gone" in workers.errors, workers.errors)
            again = Workers(workers.folder).wait()
            self._expect(again.statuses == [0, 0], again.errors)
            for one, other in zip(unbroken.states(), again.states(), strict=True):
                self._expect(one == other, f"{workers.folder} differs")
        return (
            "SIGKILL of one worker of two, in turn the chief and the other",
            count,
            f"the survivor stops and says why within {max(seconds):.0f} s; both started again end "
            "with the state of an unbroken run, bit by bit",
            "the steps since the last save, which are done again",
        )

    def repeat(self, count: int) -> list[tuple]:
        """Trains again with the same seed, in every way that may matter, and compares weights."""
        rows = []
        for network in ("mlp", "conv"):
            digests = {}
            for xla in (False, True):
                for threads in (1, 2):
                    for watched in (False, True):
                        for _ in range(count):
                            found = digests.setdefault((xla, threads), set())
                            found.add(self._digest(network, xla, threads, watched))
            for setting, found in digests.items():
                self._expect(len(found) == 1, f"{network}, XLA and threads {setting}: {found}")
            without, with_xla = (_equal(digests[xla, 1], digests[xla, 2]) for xla in (False, True))
            rows.append(
                (
                    f"the same seed again, {network}, with and without callbacks",
                    8 * count,
                    "weights equal bit by bit for the same threads, with XLA and without it",
                    f"nothing; one thread and two: {without} without XLA, {with_xla} with",
                )
            )
        return rows

    def _digest(self, network, xla, threads, watched):
        path = self.folder / "digest"
        process = Process(
            lambda: path.write_text(train_once(network, xla, threads, watched, self.folder / "run"))
        )
        self._expect(process.wait() == 0, process.errors)
        return path.read_text()

    # Processes and files ---------------------------------------------------------------------

    def _start(self, folder, at_epoch=None):
        self.progress.set("start-up", 0)
        return Process(lambda: train(folder, self.progress, at_epoch or {}))

    def _train_unbroken(self):
        if self._unbroken is None:
            self._unbroken = self.folder / "unbroken"
            start = time.monotonic()
            process = self._start(self._unbroken)
            if process.wait():
                raise Failure(process.errors)
            self._life = time.monotonic() - start
            self._check_files(self._unbroken)
            print(f"an unbroken training takes {self._life:.1f} s", flush=True)

    def _expect(self, condition, message):
        if not condition:
            self.failed = True
            print(f"FAILED: {message}", flush=True)

    def _check_files(self, folder):
        """Reads every file of a run that was stopped; returns the step that it has saved."""
        saved = 0
        for path in sorted(folder.rglob("*")):
            is_temporary = path.name.endswith((".tmp", ".tmp.keras")) or _is_hidden(path, folder)
            if path.is_dir() or is_temporary:
                continue
            try:
                _read(path)
            except Exception as error:
                self._expect(False, f"{path}: {type(error).__name__}: {error}")
            if path.name == "state.json":
                saved = json.loads(path.read_text())["states"][0]["step"]
        return saved

    def _compare(self, folder):
        """1 if the files of a run are those of the unbroken one, else 0."""
        ours, theirs = (
            {
                path.relative_to(run): _comparable(path)
                for path in run.rglob("*")
                if path.is_file() and not _is_hidden(path, run)
            }
            for run in (folder, self._unbroken)
        )
        for name in sorted(ours.keys() | theirs.keys()):
            self._expect(ours.get(name) == theirs.get(name), f"{folder.name}/{name} differs")
        return int(ours == theirs)

    def _compare_state(self, folder):
        name = f"resume/step_{EPOCHS * STEPS:08d}.npz"
        same = (folder / name).read_bytes() == (self._unbroken / name).read_bytes()
        self._expect(same, f"{folder.name}/{name} differs")

    def _compare_tables(self, folder):
        for name in ("elbo.csv", "losses.csv"):
            same = (folder / name).read_bytes() == (self._unbroken / name).read_bytes()
            self._expect(same, f"{folder.name}/{name} differs")


class Process:
    """A function in a forked process; status 1 if it raised, 130 if it was interrupted.

    Attributes:
        status: Its exit status, the negative number of a signal if one killed it; `None` before.
        errors: What it wrote on its standard error; empty before it ended.
    """

    def __init__(self, function):
        self._stderr = os.memfd_create("stderr")
        self.status = None
        self.errors = ""
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(function)

    def _run(self, function):
        os.dup2(self._stderr, 2)
        status = 1
        try:
            warnings.simplefilter("always")
            function()
            status = 0
        except KeyboardInterrupt:
            status = INTERRUPTED
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def running(self) -> bool:
        """Whether it has not ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                self.errors = _text(self._stderr)
                os.close(self._stderr)
        return self.status is None

    def send(self, number: int):
        """Sends a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit status, the negative number of a signal if one killed it."""
        deadline = time.monotonic() + PATIENCE
        while self.running():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise Failure(f"a process did not end within {PATIENCE} s")
            time.sleep(0.005)
        return self.status


class Workers:
    """Two processes of `examples/multi_worker.py`, started as on two machines."""

    def __init__(self, folder: Path):
        self.folder = folder
        program = Path(__file__).parents[1] / "examples" / "multi_worker.py"
        ports = runpy.run_path(str(program))["free_ports"](2)
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        command = [sys.executable, program, "--output-dir", folder, "--dataset", "typeset_digits"]
        command += ["--steps", "96", "--steps-between-saves", "16"]
        self.processes, self._outputs = [], []
        for index in range(2):
            task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
            output = os.memfd_create(f"worker_{index}")
            self._outputs.append(output)
            self.processes.append(
                subprocess.Popen(command, env=environment, stdout=output, stderr=output)
            )

    @property
    def statuses(self) -> list:
        """Their exit statuses."""
        return [process.returncode for process in self.processes]

    @property
    def errors(self) -> str:
        """What they printed."""
        return "\n".join(map(_text, self._outputs))

    def wait(self):
        """Waits until both have ended."""
        for process in self.processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return self

    def wait_for_save(self, epoch: int):
        """Waits until the chief has saved that epoch."""
        card = self.folder / "resume" / "state.json"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if card.exists() and json.loads(card.read_text())["states"][0]["epoch"] >= epoch:
                return
            time.sleep(0.01)
        raise Failure(self.errors)

    def states(self) -> list[bytes]:
        """The last states that they saved."""
        folders = self.folder / "resume", self.folder / "worker_1" / "resume"
        return [max(folder.glob("*.npz")).read_bytes() for folder in folders]


def _threads():
    """The names of this process's threads but jemalloc's, which it starts anew in a fork."""
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return [name for name in names if name != "jemalloc_bg_thd"]


def _read(path):
    """Reads a file wholly, as what it is."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            for name in arrays.files:
                arrays[name]
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            picture.load()
    elif path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():
                raise ValueError("a part of it is damaged")
    elif path.suffix == ".csv":
        text = path.read_text()
        lengths = {len(row) for row in csv.reader(io.StringIO(text))}
        if not text.endswith("\n") or len(lengths) != 1:
            raise ValueError("it ends in the middle of a line")
    elif path.name != "lock":
        raise ValueError("unexpected")


def _is_hidden(path, folder):
    """Whether a file is temporary, by its own name or that of a folder that a kill left behind."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _comparable(path):
    """What is in a file, without the date that Keras notes in a model and the hash of it."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in ("config.json", "model.weights.h5")]
    if path.name == "model.json":
        return {**json.loads(path.read_text()), "sha256": None}
    return path.read_bytes()


def _text(descriptor):
    return os.pread(descriptor, 2**20, 0).decode(errors="replace")


def _content(version):
    return struct.pack("i", version) * 2**18


def _write_for_ever(path, shared):
    version = 0
    while True:
        version += 1
        content = _content(version)
        shared[4:] = struct.pack("i", 1)
        write_whole(path, content)
        shared[:] = struct.pack("ii", version, 0)


def _fill(disk):
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**12))


def _drain(disk):
    (disk / "ballast").unlink()


def _equal(one, other):
    return "equal" if one == other else "not equal"


def _call(*command):
    subprocess.run(command, check=True)


def print_table(rows: list[tuple]):
    """Prints the table as Markdown."""
    print("\n| fault | tries | what happened | what was lost |\n|---|---:|---|---|")
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")


if __name__ == "__main__":
    main()
