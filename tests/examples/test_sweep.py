"""Sweeps over few settings, of tiny networks on few typeset digits."""

import csv
import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest

from keras_vae.datasets import source, typeset_digits

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.py"
TINY = [
    *("--fix", "dataset=typeset_digits", "--fix", "latent_dim=2", "--fix", "hidden_sizes=[4]"),
    *("--fix", "batch_size=32", "--fix", "jit_compile=false"),
]


@pytest.fixture
def sweep():
    spec = importlib.util.spec_from_file_location("examples_sweep", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """A folder of prepared data: a hundred typeset digits to train on and forty to test on."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typeset_digits, "SPLITS", {"train": 100, "test": 40})
        source.prepared_builder("typeset_digits", folder)
    return folder


@pytest.fixture
def data(sweep, few_digits, monkeypatch):
    """Lets sweeps and their workers find the few digits."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(few_digits))
    builder = functools.partial(sweep.prepared_builder, data_dir=few_digits)
    monkeypatch.setattr(sweep, "prepared_builder", builder)


@pytest.fixture
def main(sweep, monkeypatch):
    """Runs the command in this process; returns its exit status."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sweep.py", *map(str, arguments)])
        try:
            sweep.main()
        except SystemExit as exit:
            return exit.code
        return 0

    return run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def is_alive(process):
    """Whether a process runs; one that has ended may stay listed where nobody asks after it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_values_are_read_as_what_the_parameter_is(sweep):
    asked = sweep.parse(
        ["beta=0,1e-3,.5,4", "hidden_sizes=[100,100],[],(7,)", "train_split=train,train[:10%]"],
        ["latent_dim=3", "scale=exp", "binarize=dynamic", "jit_compile=False"],
    )
    assert asked.varied == {
        "beta": [0.0, 0.001, 0.5, 4.0],
        "hidden_sizes": [[100, 100], [], [7]],
        "train_split": ["train", "train[:10%]"],
    }
    assert {type(beta) for beta in asked.varied["beta"]} == {float}
    fixed = asked.fixed
    assert (fixed["latent_dim"], fixed["scale"], fixed["binarize"]) == (3, "exp", "dynamic")
    assert fixed["jit_compile"] is False
    # What is not given is what the help says, and every point has all of it.
    assert fixed["likelihood"] == "bernoulli"
    assert all(list(point) == list(sweep.PARAMETERS) for point in asked.points.values())


def test_points_are_all_combinations_under_names_that_differ(sweep):
    points = sweep.parse(["train_split=train[:9],train[9:]", "seed=0,1"], []).points
    assert list(points) == [
        "0_train_split=train-9-_seed=0",
        "1_train_split=train-9-_seed=1",
        "2_train_split=train-9-_seed=0",
        "3_train_split=train-9-_seed=1",
    ]
    assert [(p["train_split"], p["seed"]) for p in points.values()] == [
        ("train[:9]", 0),
        ("train[:9]", 1),
        ("train[9:]", 0),
        ("train[9:]", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "betta=0,1"], "Unknown parameter 'betta'. Did you mean 'beta'?"),
        (["--fix", "latent=3"], "Unknown parameter 'latent'. Did you mean 'latent_dim'?"),
        (["--set", "beta"], "Expected --set NAME=VALUE. Received: --set beta"),
        (["--set", "beta=0,0.0"], "--set beta=0,0.0 names 0 twice"),
        (["--set", "beta=0", "--set", "beta=1"], "'beta' is given twice"),
        (["--set", "epochs=1,2", "--epochs", "3"], "'epochs' is given twice"),
        (["--fix", "beta=0,1"], "--fix takes one value. To vary beta: --set beta=0,1"),
        (["--set", "beta=small"], "'beta'. Expected a number. Received: 'small'"),
        (["--set", "beta=NaN"], "'beta'. Expected a number"),
        (["--set", "seed=0,1.5"], "'seed'. Expected an integer. Received: '1.5'"),
        (["--set", "latent_dim=true"], "'latent_dim'. Expected an integer"),
        (["--fix", "hidden_sizes=100"], "'hidden_sizes'. Expected a list such as [100,100]"),
        (["--fix", "scale="], "'scale'. Expected a word. Received: ''"),
        (["--fix", "filters=[8]"], "'filters' changes nothing without network=conv"),
        (["--epochs", "0"], "'epochs'. Expected at least 1. Received: 0"),
        (["--fix", "learning_rate=0"], "'learning_rate'. Expected a positive number"),
        (["--fix", "network=rnn"], "'network'. Expected 'mlp' or 'conv'. Received: 'rnn'"),
        # The library's own refusals, before any work.
        (["--set", "beta=1,-1"], "`beta`. Expected a finite number of at least 0. Received: -1"),
        (["--set", "latent_dim=2,0"], "`latent_dim`. Expected positive integers. Received: 0"),
        (["--set", "reduction=sum,median"], "`reduction`. Expected one of ['sum', 'mean']"),
        (["--fix", "scale=cube"], "`scale`. Expected one of"),
        (["--workers", "0"], "--workers must be at least 1. Received: 0"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_any_work(
    sweep, main, monkeypatch, tmp_path, capsys, arguments, message
):
    monkeypatch.setattr(sweep, "_image_shape", lambda *_: (8, 8, 1))
    assert main(*arguments, "--output-dir", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_an_unknown_split_is_refused(data, main, tmp_path, capsys):
    assert main(*TINY, "--fix", "test_split=tset", "--output-dir", tmp_path / "run") == 2
    assert "Unknown split 'tset' of 'typeset_digits'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_sweep_is_refused_with_what_differs(
    sweep, main, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(sweep, "_image_shape", lambda *_: (8, 8, 1))
    sweep.claim(sweep.parse(["beta=0,1", "seed=0,1"], []), tmp_path)
    before = (tmp_path / "sweep.json").read_bytes()

    assert main("--set", "beta=0,2", "--set", "seed=0,1", "--output-dir", tmp_path) == 2
    error = capsys.readouterr().err
    assert "beta: there [0.0, 1.0], now [0.0, 2.0]" in error
    assert "seed" not in error and "Choose another --output-dir" in error

    assert (tmp_path / "sweep.json").read_bytes() == before


def test_the_order_of_the_parameters_makes_no_other_sweep(sweep, tmp_path):
    asked = sweep.parse(["beta=0,1", "seed=0,1"], ["scale=exp"])
    sweep.claim(asked, tmp_path)
    again = sweep.parse(["seed=0,1", "beta=0,1"], ["scale=exp"])
    sweep.claim(again, tmp_path)
    assert list(asked.points) == list(again.points)


def test_two_sweeps_do_not_share_a_folder(sweep, tmp_path):
    pytest.importorskip("fcntl", reason="folders are not locked on this system")
    with (
        sweep.locked(tmp_path),
        pytest.raises(ValueError, match="Another sweep is at work"),
        sweep.locked(tmp_path),
    ):
        pass
    with sweep.locked(tmp_path):
        assert (tmp_path / ".lock").exists()


def test_a_damaged_point_is_not_taken_for_a_finished_one(sweep, tmp_path):
    asked = sweep.parse([], [])
    ((name, point),) = asked.points.items()
    assert sweep._result(tmp_path, name, point) is None
    path = tmp_path / "points" / f"{name}.json"
    for content in ("{", json.dumps({"parameters": {**point, "beta": 2.0}})):
        sweep.write_whole(path, content)
        with pytest.raises(ValueError, match="is damaged"):
            sweep._result(tmp_path, name, point)


def test_workers_fit_into_memory_and_are_no_more_than_points(sweep, monkeypatch):
    monkeypatch.setattr(sweep, "WORKER_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert sweep._default_workers(100)[0] == 8
    assert sweep._default_workers(3)[0] == 3
    if Path("/proc/meminfo").exists():
        monkeypatch.setattr(sweep, "WORKER_BYTES", 2**60)
        assert sweep._default_workers(100)[0] == 1


def test_ctrl_c_stops_the_workers(sweep, data, main, monkeypatch, tmp_path, capsys):
    started = []

    class Recorded(sweep.Worker):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self.process)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "Worker", Recorded)
    monkeypatch.setattr(sweep.time, "sleep", interrupt)
    arguments = [*TINY, "--set", "seed=0,1,2", "--workers", "2", "--output-dir", tmp_path]
    assert main(*arguments) == 130
    assert "The same command goes on" in capsys.readouterr().err
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


@pytest.mark.slow
def test_a_point_that_fails_does_not_take_the_others_along(data, main, tmp_path, capsys):
    arguments = [*TINY, "--epochs", "3", "--save-models", "--output-dir", tmp_path]
    assert main(*arguments, "--set", "learning_rate=0.01,1e30") == 1
    output = capsys.readouterr()
    assert "[2/2]" in output.out
    assert "Points that failed (1):\n  1_learning_rate=1e+30: " in output.err
    assert "not finite" in output.err
    (log,) = (tmp_path / "logs").iterdir()
    assert "Traceback" in log.read_text()

    (row,) = rows(tmp_path / "results.csv")
    assert (row["learning_rate"], row["dataset"], row["binarize"]) == (
        "0.01",
        "typeset_digits",
        "",
    )
    # A hundred images in batches of 32, three times.
    assert row["steps"] == "12" and row["num_images"] == "40"
    parts = float(row["distortion"]) + float(row["rate"])
    assert float(row["elbo"]) == pytest.approx(-parts)
    epochs = rows(tmp_path / "epochs.csv")
    assert [row["epoch"] for row in epochs] == ["1", "2", "3"]
    assert float(epochs[2]["val_elbo"]) > float(epochs[0]["val_elbo"])
    assert float(row["train_loss"]) == float(epochs[2]["loss"])
    latents = rows(tmp_path / "latents.csv")
    kl = [float(row["kl_per_dimension"]) for row in latents]
    assert len(kl) == 2 and sum(kl) == pytest.approx(float(row["rate"]), rel=1e-4)
    (model,) = (tmp_path / "models").iterdir()
    assert int(keras.saving.load_model(model).optimizer.iterations) == 12


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="watches processes under /proc")
def test_a_killed_sweep_goes_on_where_it_was(data, main, tmp_path, capsys):
    arguments = [*TINY, "--set", "beta=0,1", "--epochs", "2", "--workers", "1", "--output-dir"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(
        [sys.executable, EXAMPLE, *arguments, killed],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first, second = killed / "points/0_beta=0.json", killed / "points/1_beta=1.json"
    log = killed / "logs/1_beta=1.txt"
    give_up = time.monotonic() + 120
    while not (first.exists() and log.exists()) and time.monotonic() < give_up:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (workers := children.read_text().split()) and time.monotonic() < give_up:
        time.sleep(0.02)
    process.kill()
    process.wait()
    while any(map(is_alive, workers)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert len(workers) == 1 and not is_alive(workers[0])
    assert first.exists() and not second.exists()
    untouched = first.stat().st_mtime_ns, first.read_bytes()
    half_written = killed / "points" / ".1_beta=1.json.0123.tmp"
    half_written.write_text("{")

    assert main(*arguments, killed) == 0
    printed = capsys.readouterr().out
    assert "2 points, 1 of them finished before" in printed
    assert "[2/2] 1_beta=1: elbo" in printed and "0_beta=0" not in printed
    assert (first.stat().st_mtime_ns, first.read_bytes()) == untouched
    assert not half_written.exists()

    assert main(*arguments, whole) == 0
    for table in ("results.csv", "epochs.csv", "latents.csv"):
        assert (killed / table).read_bytes() == (whole / table).read_bytes()
    assert len(rows(whole / "results.csv")) == 2
