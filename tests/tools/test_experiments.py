"""The experiments' pictures and tables, from the folders of two made-up sweeps."""

import math
import sys

import numpy as np
import optuna
import pytest
import tensorflow as tf
from PIL import Image

import keras_vae

SEEDS, EPOCHS = 2, 8


@pytest.fixture(scope="module")
def sweep(load_program):
    return load_program("examples/sweep.py")


@pytest.fixture(scope="module")
def experiments(load_program):
    return load_program("tools/experiments.py")


def invented(setting):
    """What a setting might come to: the ELBO rises up to three latents and is level then."""
    seed, latents = setting["seed"], setting["latent_dim"]
    rate = 5.0 * min(latents, 3) / (0.5 + setting["beta"]) + 0.2 * seed
    distortion = 100 - 1.5 * rate + 50 * setting["beta"]
    elbo = -(distortion + rate)
    curve = [elbo - 10 / epoch for epoch in range(1, EPOCHS + 1)]
    return {
        "results": {
            **{"elbo": elbo, "distortion": distortion, "rate": rate},
            **{"active_units": min(latents, 3), "mean_squared_error": 0.01, "train_elbo": elbo},
            "elbo_standard_error": 0.3,
        },
        "latents": {
            "kl_per_dimension": [rate / latents] * latents,
            "variance_of_means": [1.0] * latents,
        },
        "epochs": {"loss": curve, "val_elbo": curve},
    }


@pytest.fixture
def run_sweep(sweep, tmp_path):
    """Makes the folder that a sweep would leave, without training anything."""

    def run(name, models=False, leave_out=0, **varied):
        asked = sweep.Sweep({**varied, "seed": list(range(SEEDS))}, {}, save_models=models)
        folder = tmp_path / name
        sweep.claim(asked, folder)
        study = sweep.open_study(asked, folder)
        points = asked.combinations()
        for chosen in points[: len(points) - leave_out]:
            setting = asked.setting(chosen)
            rows = {"rows": invented(setting)}
            finished = {"value": rows["rows"]["results"]["elbo"], "user_attrs": rows}
            study.add_trial(
                optuna.create_trial(params=chosen, distributions=asked.spaces, **finished)
            )
            if models:
                (folder / "models").mkdir(exist_ok=True)
                path = folder / "models" / f"{asked.name(study.trials[-1])}.keras"
                sweep.build({**setting, "hidden_sizes": "[2]"}, (8, 8, 1)).save(path)
        sweep.write_tables(study, asked, folder)
        return folder

    return run


@pytest.fixture
def main(experiments, monkeypatch):
    """Runs the command on random images in place of MNIST's; returns its exit status."""
    images = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
    batches = tf.data.Dataset.from_tensors(images)
    monkeypatch.setattr(keras_vae.datasets, "load", lambda *_: batches)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["experiments.py", *map(str, arguments)])
        try:
            experiments.main()
        except SystemExit as exit:
            return exit.code
        return 0

    return run


@pytest.mark.slow
def test_it_draws_tabulates_and_copies(run_sweep, main, tmp_path, capsys):
    beta = run_sweep("beta", beta=[0.0, 0.1, 2.0], models=True)
    latents = run_sweep("latents", latent_dim=[1, 2, 3, 10])
    folder = tmp_path / "drawn"
    arguments = ["--beta", beta, "--latents", latents, "--latents-mean", latents]
    assert main(*arguments, "--compare", "0", "2", "--output-dir", folder) == 0

    for name in (
        "rate_distortion",
        "beta_terms",
        "beta_epochs",
        "beta_comparison",
        "active_units",
        "latent_dim_elbo",
        "latent_dim_epochs",
        "kl_by_latent",
    ):
        with Image.open(folder / f"{name}.png") as picture:
            # A picture with nothing on it has one colour.
            assert len(picture.convert("L").getcolors(256)) > 20, name
    for table in ("results", "epochs", "latents"):
        copy = (folder / f"beta_{table}.csv").read_bytes()
        assert copy == (beta / f"{table}.csv").read_bytes()
    printed = capsys.readouterr().out
    # At beta 0 and ten latents: rate 5 * 3 / 0.5, and 0.2 more for the second seed.
    assert "| 0 | 0 | -84.95 ± 0.07 | 54.85 ± 0.21 | 30.10 ± 0.14 |" in printed
    assert "| 0.1 | 2 |" in printed
    # At beta 1 and ten latents, of which three are used.
    assert "| 10 | 0 | 3 | -145.00 ± 0.30 |" in printed and "| 3 | 0 | 3 |" not in printed
    assert "no larger number betters by more than two standard errors: 3." in printed


def test_beta_of_the_mean_form_is_told_in_the_sum_form(experiments):
    point = {"beta": 0.01, "latent_dim": 10.0, "reduction": "mean"}
    assert experiments.in_sum_form(point) == pytest.approx(0.784)
    assert experiments.in_sum_form({**point, "reduction": "sum"}) == 0.01


def test_figures_are_over_the_seeds(experiments, run_sweep):
    sweep = experiments.Sweep(run_sweep("latents", latent_dim=[1, 2]), "latent_dim")
    assert sweep.values == [1, 2]
    # The rates are 5 / 1.5 and 10 / 1.5, and 0.2 more for the second seed.
    np.testing.assert_allclose(sweep.means("rate"), [5 / 1.5 + 0.1, 10 / 1.5 + 0.1])
    np.testing.assert_allclose(sweep.spreads("rate"), 0.2 / math.sqrt(2))
    change, error = experiments.difference(sweep, "rate", 1, 2)
    assert change == pytest.approx(5 / 1.5)
    # Two variances of half of 0.2 squared, over two seeds each.
    assert error == pytest.approx(0.2 / math.sqrt(2))
    # From the sixth of eight epochs to the last.
    gained = experiments.last_quarter(sweep.curves(1, "val_elbo"))
    np.testing.assert_allclose(gained, 10 / 6 - 10 / 8)
    np.testing.assert_allclose(sweep.kl(2), 5 / 1.5 + 0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beta", "nowhere"], "There is no sweep in"),
        (["--beta", "latents"], "Expected a sweep over beta and seed"),
        (["--latents", "cut_off"], "1 points of"),
        (["--compare", "3"], "--compare {3.0} must be among the betas [0.0, 1.0]"),
        ([], "Run its sweep with --save-models"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(
    run_sweep, main, tmp_path, monkeypatch, capsys, arguments, message
):
    run_sweep("beta", beta=[0.0, 1.0])
    run_sweep("latents", latent_dim=[1, 2])
    run_sweep("cut_off", latent_dim=[1, 2], leave_out=1)
    monkeypatch.chdir(tmp_path)
    folders = ["--beta", "beta", "--latents", "latents", "--output-dir", "drawn"]
    assert main(*folders, "--compare", "1", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "drawn").exists()
