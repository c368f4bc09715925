"""Sweeps over few settings, of tiny networks on few typeset digits."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import optuna
import pytest
from optuna.trial import TrialState

from keras_vae.datasets import source, typeset_digits

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.py"
TABLES = ("results.csv", "epochs.csv", "latents.csv")
TINY = [
    *("--dataset", "typeset_digits", "--latent-dim", "2", "--hidden-sizes", "4"),
    *("--batch-size", "32", "--jit-compile", "false"),
]


@pytest.fixture
def sweep(load_program, monkeypatch):
    # It sets the number of threads, which the tests after it need not have.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return load_program("examples/sweep.py")


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """A folder of prepared data: a hundred typeset digits to train on and forty to test on."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typeset_digits, "SPLITS", {"train": 100, "test": 40})
        source.prepared_builder("typeset_digits", folder)
    return folder


@pytest.fixture
def main(sweep, few_digits, monkeypatch):
    """Runs the command in this process; returns its exit status."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(few_digits))
    read = sweep.keras_vae.datasets.load
    monkeypatch.setattr(
        sweep.keras_vae.datasets, "load", lambda *a, **k: read(*a, **k, data_dir=few_digits)
    )

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *map(str, arguments)])
        try:
            sweep.main()
        except SystemExit as exit:
            return exit.code
        return 0

    return run


@pytest.fixture
def start(few_digits):
    """Starts the command as a process of its own."""
    processes = []

    def run(*arguments):
        command = [sys.executable, EXAMPLE, *TINY, *map(str, arguments)]
        environment = {**os.environ, "TFDS_DATA_DIR": str(few_digits)}
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def invented(sweep, monkeypatch):
    """Makes training take no time: what comes of a setting is computed from it."""

    def train(asked, trial, folder):
        setting = asked.setting(trial.params)
        if setting["beta"] == 13:
            raise ValueError("a loss is not finite")
        for epoch in range(setting["epochs"]):
            # Best at 3 latents and the highest learning rate.
            elbo = -100 - abs(setting["latent_dim"] - 3) + 1e4 * setting["learning_rate"]
            trial.report(elbo + epoch, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return {
            "results": {"elbo": elbo, "steps": setting["seed"]},
            "epochs": {"loss": [1.5] * setting["epochs"]},
            "latents": {"kl_per_dimension": [0.25, None]},
        }

    monkeypatch.setattr(sweep, "train", train)
    monkeypatch.setattr(sweep, "image_shape", lambda _: (8, 8, 1))


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials(folder, state=None):
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    storage = optuna.storages.JournalStorage(backend)
    found = optuna.load_study(study_name="sweep", storage=storage).trials
    return [trial for trial in found if state in (None, trial.state)]


@pytest.mark.slow
def test_points_are_all_combinations_in_order_whatever_the_order_of_the_options(
    main, invented, tmp_path, capsys
):
    first, second = tmp_path / "first", tmp_path / "second"
    points = ["--seed", "0", "1", "--train-split", "train[:9]", "train[9:]"]
    assert main(*points, "--hidden-sizes", "7,5", "", "--output-dir", first) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "0000_train_split=train-9-_hidden_sizes=-7-5-_seed=0: complete elbo -97.00"
    assert len(told) == 9

    results = rows(first / "results.csv")
    assert [(r["train_split"], r["hidden_sizes"], r["seed"]) for r in results] == [
        (split, sizes, seed)
        for split in ("train[:9]", "train[9:]")
        for sizes in ("[7, 5]", "[]")
        for seed in "01"
    ]
    # What varies comes first, what is not given is what the help says.
    columns = ["train_split", "hidden_sizes", "seed", "dataset", "test_split", "binarize"]
    assert list(results[0])[:6] == columns
    assert (results[0]["dataset"], results[0]["binarize"], results[0]["beta"]) == ("mnist", "", "1")
    assert results[0]["jit_compile"] == "true"
    assert rows(first / "latents.csv")[1]["kl_per_dimension"] == ""

    assert main(*points[3:], "--hidden-sizes", "7,5", "", *points[:3], "--output-dir", second) == 0
    for table in TABLES:
        assert (first / table).read_bytes() == (second / table).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--betta", "0"], "unrecognized arguments: --betta 0"),
        (["--beta", "0", "0.0"], "Give each value of 'beta' once. Received: [0.0, 0.0]"),
        (["--beta", "small"], "argument --beta: invalid float value: 'small'"),
        (["--seed", "0", "1.5"], "argument --seed: invalid int value: '1.5'"),
        (["--seed", "-1"], "`seed`. Expected an integer from 0"),
        (["--hidden-sizes", "100,x"], "argument --hidden-sizes: invalid sizes value: '100,x'"),
        (["--jit-compile", "yes"], "argument --jit-compile: invalid boolean value: 'yes'"),
        (["--epochs", "0"], "`epochs`. Expected a positive integer. Received: epochs=0"),
        (["--batch-size", "0"], "`batch_size`. Expected a positive integer"),
        (["--learning-rate", "0"], "`learning_rate`. Expected a positive number"),
        (["--network", "mlp", "rnn"], "`network`. Expected one of ['mlp', 'conv']"),
        (["--filters", "8"], "'filters' changes nothing without --network conv"),
        # The library's own refusals, before any work.
        (
            ["--beta", "1", "-1"],
            "`beta`. Expected a finite number of at least 0. Received: beta=-1",
        ),
        (["--beta", "nan"], "`beta`. Expected a finite number"),
        (
            ["--latent-dim", "2", "0"],
            "`latent_dim`. Expected a positive integer. Received: latent_dim=0",
        ),
        (["--reduction", "sum", "median"], "`reduction`. Expected one of ['sum', 'mean']"),
        (["--scale", "cube"], "`scale`. Expected one of"),
        (["--binarize", "always"], "`binarize`. Expected one of"),
        (["--test-split", "tset"], "Unknown split 'tset' of 'typeset_digits'"),
        (["--workers", "0"], "`workers`. Expected a positive integer. Received: workers=0"),
        (
            ["--search", "3", "--beta", "1", "--latent-dim", "2", "--learning-rate", "1"],
            "There is nothing to search",
        ),
        (["--search", "-1"], "`search`. Expected an integer of at least 0"),
        (["--search", "3", "--beta", "-2", "1"], "`beta`. Expected a finite number of at least 0"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_any_work(
    main, tmp_path, capsys, arguments, message
):
    folder = tmp_path / "run"
    assert main("--dataset", "typeset_digits", *arguments, "--output-dir", folder) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not folder.exists()


def test_a_folder_of_another_sweep_is_refused(main, invented, tmp_path, capsys):
    assert main("--beta", "0", "1", "--output-dir", tmp_path) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main("--beta", "0", "2", "--output-dir", tmp_path) == 2
    error = capsys.readouterr().err
    assert (
        "holds another sweep, of varied: {'beta': [0.0, 1.0]}, now {'beta': [0.0, 2.0]}." in error
    )
    assert "Choose another --output-dir" in error
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_finished_sweep_trains_nothing_more(main, invented, tmp_path):
    for _ in range(2):
        assert main("--beta", "0", "1", "--output-dir", tmp_path) == 0
    assert len(trials(tmp_path)) == 2


def test_a_point_that_fails_takes_no_other_along_and_the_same_command_tries_it_again(
    main, invented, tmp_path, capsys
):
    points = ["--beta", "0", "13", "1", "--output-dir", tmp_path]
    for attempt in (1, 2):
        assert main(*points) == 1
        output = capsys.readouterr()
        assert "0001_beta=13: ValueError: a loss is not finite" in output.err
        assert [row["beta"] for row in rows(tmp_path / "results.csv")] == ["0", "1"]
        assert len(trials(tmp_path, TrialState.FAIL)) == attempt


def test_a_point_is_not_taken_from_a_process_that_lives(sweep, tmp_path):
    asked = sweep.Sweep({"beta": [0.0, 1.0]}, {})
    study = sweep.open_study(asked, tmp_path)
    first, held = sweep.take(study, asked, tmp_path, [])
    second, other = sweep.take(study, asked, tmp_path, [])
    assert [first.params, second.params] == [{"beta": 0.0}, {"beta": 1.0}]
    assert sweep.take(study, asked, tmp_path, []) is None

    # As when the process ends.
    held.close()
    again, held = sweep.take(study, asked, tmp_path, [])
    assert again.params == {"beta": 0.0} and again.number == 2
    assert sweep.take(study, asked, tmp_path, []) is None
    assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING", "RUNNING"]
    held.close(), other.close()


def test_ctrl_c_is_one_line(sweep, main, invented, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "train", interrupted)
    assert main("--beta", "0", "1", "--output-dir", tmp_path) == 130
    assert "The same command goes on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_prunes_and_finds_the_planted_best(main, invented, tmp_path, capsys):
    options = ["--search", "30", "--learning-rate", "1e-4", "1e-3", "--epochs", "20"]
    assert main(*options, "--output-dir", tmp_path / "first") == 0
    printed = capsys.readouterr().out
    assert "_learning_rate=0.001" in printed.splitlines()[-1]
    found = trials(tmp_path / "first")
    assert len(found) == 30
    pruned = [trial for trial in found if trial.state == TrialState.PRUNED]
    assert pruned and all(len(trial.intermediate_values) < 20 for trial in pruned)
    best = max(trials(tmp_path / "first", TrialState.COMPLETE), key=lambda trial: trial.value)
    assert best.params["learning_rate"] == 1e-3 and abs(best.params["latent_dim"] - 3) <= 1
    finished = rows(tmp_path / "first" / "results.csv")
    assert len(finished) == 30 - len(pruned)
    # The test images are kept for later.
    assert {row["test_split"] for row in finished} == {"train[90%:]"}

    assert main(*options, "--output-dir", tmp_path / "again") == 0
    assert [trial.params for trial in trials(tmp_path / "again")] == [t.params for t in found]


def test_a_search_holds_what_is_given_and_repeats_a_killed_setting(sweep, tmp_path):
    asked = sweep.Sweep({}, {"beta": 2.0}, search=2)
    assert list(asked.spaces) == ["latent_dim", "learning_rate"]
    study = sweep.open_study(asked, tmp_path)
    first, held = sweep.take(study, asked, tmp_path, [])
    held.close()
    again, held = sweep.take(study, asked, tmp_path, [])
    second, other = sweep.take(study, asked, tmp_path, [])
    assert again.params == first.params != second.params
    assert sweep.take(study, asked, tmp_path, []) is None
    held.close(), other.close()


@pytest.mark.slow
def test_a_point_is_trained_measured_and_saved(main, tmp_path, capsys):
    assert main(*TINY, "--epochs", "3", "--save-models", "--output-dir", tmp_path) == 0
    (row,) = rows(tmp_path / "results.csv")
    # A hundred images in batches of 32, three times.
    assert row["steps"] == "12" and row["num_images"] == "40"
    parts = float(row["distortion"]) + float(row["rate"])
    assert float(row["elbo"]) == pytest.approx(-parts)
    epochs = rows(tmp_path / "epochs.csv")
    assert [row["epoch"] for row in epochs] == ["1", "2", "3"]
    assert float(epochs[2]["val_elbo"]) > float(epochs[0]["val_elbo"])
    assert float(row["train_loss"]) == float(epochs[2]["loss"])
    kl = [float(row["kl_per_dimension"]) for row in rows(tmp_path / "latents.csv")]
    assert len(kl) == 2 and sum(kl) == pytest.approx(float(row["rate"]), rel=1e-4)
    (model,) = (tmp_path / "models").iterdir()
    assert int(keras.saving.load_model(model).optimizer.iterations) == 12
    # The study has the curve as well.
    (trial,) = trials(tmp_path)
    assert trial.intermediate_values == {i: float(r["val_elbo"]) for i, r in enumerate(epochs)}


@pytest.mark.exhaustive
def test_two_processes_share_a_study_and_a_killed_one_changes_no_byte(start, tmp_path):
    points = ["--beta", "0", "1", "--epochs", "40", "--output-dir"]
    shared, whole = tmp_path / "shared", tmp_path / "whole"
    first, second, alone = start(*points, shared), start(*points, shared), start(*points, whole)
    give_up = time.monotonic() + 500
    while time.monotonic() < give_up:
        journal = shared / "study.journal"
        at_work = trials(shared, TrialState.RUNNING) if journal.exists() else []
        # Both are inside a point, and one has trained for a while.
        if len(at_work) == 2 and any(trial.intermediate_values for trial in at_work):
            break
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert second.wait(500) == alone.wait(500) == 0

    lost = trials(shared, TrialState.FAIL)
    done = [trial.params for trial in trials(shared, TrialState.COMPLETE)]
    assert len(at_work) == 2 and len(lost) == 1 and len(done) == 2
    assert done.count(lost[0].params) == 1
    for table in TABLES:
        assert (shared / table).read_bytes() == (whole / table).read_bytes()
    assert len(rows(whole / "results.csv")) == 2


@pytest.mark.exhaustive
def test_workers_are_started_and_end_with_the_command(start, tmp_path):
    process = start(
        "--seed", "0", "1", "--epochs", "500", "--workers", "2", "--output-dir", tmp_path
    )
    give_up = time.monotonic() + 500
    journal = tmp_path / "study.journal"
    while time.monotonic() < give_up:
        if journal.exists() and len(trials(tmp_path, TrialState.RUNNING)) == 2:
            break
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 143
    size = -1
    while size != journal.stat().st_size and time.monotonic() < give_up:
        size = journal.stat().st_size
        time.sleep(1)
    assert len(trials(tmp_path, TrialState.RUNNING)) == 2
    assert json.loads((tmp_path / "sweep.json").read_text())["varied"] == {"seed": [0, 1]}
