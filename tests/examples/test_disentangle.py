"""The study of disentanglement, of tiny networks on a grid of few images."""

import csv
import sys

import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae.datasets import factors
from keras_vae.disentanglement.measurements import METRICS

FACTORS = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), axis=1)
IMAGES = np.random.default_rng(0).random((60, 8, 8, 1), np.float32)


@pytest.fixture
def program(load_program, monkeypatch):
    # The sweep sets the number of threads, which the tests after it need not have.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return load_program("examples/disentangle.py")


@pytest.fixture
def main(program, monkeypatch):
    """Runs the command in this process; returns its exit status."""

    def load(name, split, batch_size, shuffle, seed=0):
        return keras_vae.datasets.from_arrays(IMAGES, None, batch_size, shuffle, seed=seed)

    grid = factors.FactorArrays(IMAGES, FACTORS, ["shape", "size", "x"])
    monkeypatch.setattr(keras_vae.datasets, "load", load)
    monkeypatch.setattr(factors, "load", lambda name: grid)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["disentangle.py", *map(str, arguments)])
        try:
            program.main()
        except SystemExit as exit:
            return exit.code
        return 0

    return run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_method_is_its_member_of_the_family_with_its_strength(program):
    built = {}
    for method in program.METHODS:
        study = program.Study({}, {"method": method, "latent_dim": 2})
        model = study.build(study.setting({}), (8, 8, 1))
        built[method] = type(model).__name__, model
    assert {method: name for method, (name, _) in built.items()} == {
        "vae": "VAE",
        "beta:4": "VAE",
        "annealed:25": "AnnealedVAE",
        "beta_tc:6": "BetaTCVAE",
        "factor:35": "FactorVAE",
        "dip_i:10": "DIPVAE",
        "dip_ii:10": "DIPVAE",
    }
    models = {method: model for method, (_, model) in built.items()}
    assert (float(models["vae"].beta), float(models["beta:4"].beta)) == (1, 4)
    assert float(models["annealed:25"].gamma) == 1000
    assert (float(models["beta_tc:6"].beta), float(models["factor:35"].gamma)) == (6, 35)
    assert (models["dip_i:10"].kind, models["dip_ii:10"].kind) == ("i", "ii")
    assert float(models["dip_i:10"].lambda_off_diagonal) == 10
    # The paper's ratio.
    assert float(models["dip_i:10"].lambda_diagonal) == 100


def test_the_capacity_rises_over_the_first_third(program):
    study = program.Study({}, {"method": "annealed:25", "steps": 300})
    (rise,) = study.callbacks(study.setting({}))
    assert [rise.value(step) for step in (0, 50, 100, 300)] == [0, 12.5, 25, 25]
    assert program.Study({}, {}).callbacks({"method": "beta:4"}) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "gan"], "`method`. Expected one of ['vae', 'beta',"),
        (["--method", "beta"], "all but 'vae' with a strength, such as 'beta:4'"),
        (["--method", "vae:1"], "Received: method='vae:1'"),
        (["--method", "beta:high"], "a strength that is a number of at least 0"),
        (["--method", "beta:-1"], "Received: method='beta:-1'"),
        (["--method", "vae", "--steps", "0"], "`steps`. Expected a positive integer"),
        (["--method", "vae", "--num-test", "1"], "`num_test`"),
        (["--method", "vae", "--learning-rate", "0"], "`learning_rate`"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_any_work(
    main, tmp_path, capsys, arguments, message
):
    assert main(*arguments, "--output-dir", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_the_tables_are_means_spreads_and_rank_correlations(program, tmp_path, capsys):
    models = [
        {"method": "vae", "seed": 0, "elbo": -1.0, "dci": 0.25},
        {"method": "vae", "seed": 1, "elbo": -3.0, "dci": 0.25},
        {"method": "beta:4", "seed": 0, "elbo": -5.0, "dci": 0.75},
        {"method": "beta:4", "seed": 1, "elbo": -7.0, "dci": 0.75},
    ]
    program.print_scores(models, ["elbo", "dci"])
    lines = capsys.readouterr().out.splitlines()
    assert "| | `vae` | `beta:4` |" in lines
    # The root of 2: the standard deviation of two numbers 2 apart.
    assert "| `elbo` | -2.0 ± 1.4 | -6.0 ± 1.4 |" in lines
    assert "| `dci` | 0.25 ± 0.00 | 0.75 ± 0.00 |" in lines

    program.print_spread(models, ["elbo", "dci"])
    lines = capsys.readouterr().out.splitlines()
    # Of three degrees of freedom two are those of seeds.
    assert "(if methods made no difference, 67%):" in lines
    # Within methods the variance is 1, of all four it is 5.
    assert "| `elbo` | 20% |" in lines and "| `dci` | 0% |" in lines

    program.print_correlations(models, ["elbo", "dci"], tmp_path)
    ranks = np.corrcoef([4, 3, 2, 1], [1.5, 1.5, 3.5, 3.5])[0, 1]
    table = rows(tmp_path / "correlations.csv")
    assert [row["score"] for row in table] == ["elbo", "dci"]
    assert float(table[0]["dci"]) == float(table[1]["elbo"]) == pytest.approx(ranks, abs=5e-4)
    assert f"| 1 `elbo` | 1.00 | {ranks:.2f} |" in capsys.readouterr().out


def test_ranks_are_the_mean_over_metrics_of_which_one_is_better_low(program):
    equal = dict.fromkeys(METRICS, 0.5)
    first = {**equal, "dci": 0.9}
    second = {**equal, "gaussian_total_correlation": 0.1}
    last = {**equal, "gaussian_total_correlation": 0.9}
    ranks = program.mean_ranks([first, second, last])
    # Two metrics differ, of all the others the rank is 1.
    assert ranks * len(METRICS) == pytest.approx(len(METRICS) - 2 + np.array([1 + 2, 2 + 1, 2 + 3]))


@pytest.mark.slow
@pytest.mark.usefixtures("steps_one_by_one")
def test_a_study_is_trained_scored_compared_and_drawn(program, main, monkeypatch, tmp_path, capsys):
    # Those that draw thousands of groups take longer than all the rest.
    quick = (
        "mutual_information_gap",
        "gaussian_total_correlation",
        "modularity_explicitness",
        "dci",
    )
    monkeypatch.setattr(program, "METRICS", {name: METRICS[name] for name in quick})
    few = ["--steps", "3", "--num-train", "120", "--num-test", "60", "--latent-dim", "3"]
    command = ["--method", "annealed:5", "--seed", "0", "1", *few, "--output-dir", tmp_path]
    assert main(*command) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 models" in printed and "| | `annealed:5` |" in printed

    scores = rows(tmp_path / "scores.csv")
    assert [(row["seed"], row["method"]) for row in scores] == [
        ("0", "annealed:5"),
        ("1", "annealed:5"),
    ]
    for name in (*quick, "completeness", "unsupervised_disentanglement_ranking"):
        assert all(np.isfinite(float(row[name])) for row in scores), name
    # The sweep's own table has the metrics, too.
    result = rows(tmp_path / "results.csv")[0]
    assert (result["steps"], result["dci"]) == ("3", scores[0]["dci"])
    assert [row["score"] for row in rows(tmp_path / "correlations.csv")] == list(scores[0])[2:]
    for word in ("best", "worst"):
        with Image.open(tmp_path / f"{word}.png") as picture:
            picture.load()
        assert f"{word}: " in printed
