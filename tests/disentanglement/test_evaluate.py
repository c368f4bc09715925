import importlib

import numpy as np
import pytest

from keras_vae import disentanglement
from keras_vae.disentanglement.measurements import METRICS
from keras_vae.disentanglement.scikit_learn import require_scikit_learn

FEW = {"num_train": 200, "num_test": 100, "progress": False}
QUICK = ("mutual_information_gap", "interventional_robustness", "gaussian_total_correlation")


def codes_of(images):
    return images + 0.3 * images[:, ::-1]


def test_all_metrics_of_a_function_and_one_table(grid):
    small = {
        name: {} for name in METRICS if name not in ("dci", "posterior_mutual_information_gap")
    }
    small["factor_vae_score"] = small["beta_vae_score"] = {"num_train": 50, "num_test": 50}
    report = disentanglement.evaluate(codes_of, grid, small, **FEW)
    assert list(report) == list(small) == list(report.scores) == list(report.seconds)
    assert report.factor_names == ("shape", "size", "x") and report.latent_dim == 4
    assert report["mutual_information_gap"]["mutual_information"].shape == (4, 3)
    lines = str(report).splitlines()
    assert lines[0] == "4 latents, 3 factors (shape, size, x), 200 + 100 points"
    assert [line.split()[0] for line in lines[2:]] == list(small)
    assert f"{report.scores['sap_score']:.4f}" in lines[2 + list(small).index("sap_score")]
    assert ", explicitness " in lines[2 + list(small).index("modularity_explicitness")]


def test_by_default_it_is_all_of_them_with_scales_and_one_less_without(grid, monkeypatch):
    module = importlib.import_module("keras_vae.disentanglement.evaluate")
    monkeypatch.setattr(module, "measure", lambda name, *rest: {"score": 0.0})
    report = disentanglement.evaluate(codes_of, grid, **FEW)
    assert set(METRICS) - set(report) == {"posterior_mutual_information_gap"}

    def with_scale(images):
        return {"loc": images, "scale": np.ones_like(images)}

    assert list(disentanglement.evaluate(with_scale, grid, **FEW)) == list(METRICS)


def test_the_metrics_are_those_of_the_functions(grid):
    report = disentanglement.evaluate(codes_of, grid, QUICK, **FEW)
    generator = np.random.default_rng(0)
    drawn, images = grid.draw(300, generator)
    codes, factors = codes_of(images)[:200], drawn[:200, [0, 2, 3]]
    for name in QUICK:
        arguments = (codes,) if name == "gaussian_total_correlation" else (codes, factors)
        assert report.scores[name] == METRICS[name](*arguments)["score"], name
    again = disentanglement.evaluate(codes_of, grid, QUICK, **FEW)
    assert again.scores == report.scores
    other = disentanglement.evaluate(codes_of, grid, QUICK, seed=1, **FEW)
    assert other.scores != report.scores


def test_a_vae_and_any_keras_model_and_arrays(make_vae):
    vae = make_vae(latent_dim=3)
    images = np.random.default_rng(0).random((300, 4, 4, 1), np.float32)
    factors = np.stack(np.divmod(np.arange(300) % 12, 4), axis=1)
    chosen = (*QUICK, "posterior_mutual_information_gap", "factor_vae_score")
    report = disentanglement.evaluate(vae, (images, factors), chosen, **FEW)
    assert report.factor_names == ("v0", "v1") and list(report) == list(chosen)
    found = disentanglement.evaluate(
        vae.encoder, (images, factors), QUICK, encode=vae.encoder, **FEW
    )
    assert found.scores == pytest.approx({name: report.scores[name] for name in QUICK})
    lossy = {"mutual_information_gap": {"num_bins": 2}}
    assert disentanglement.evaluate(vae, (images, factors), lossy, **FEW).scores != report.scores


def test_groups_may_be_drawn_anew(grid):
    few = {"factor_vae_score": {"num_train": 100, "num_test": 100, "num_variance": 100}}
    calls = []

    def encode(images):
        calls.append(len(images))
        return images

    points = disentanglement.evaluate(encode, grid, few, **FEW)
    encoded = sum(calls)
    anew = disentanglement.evaluate(encode, grid, few, redraw=True, **FEW)
    assert sum(calls) - 2 * encoded >= 200 * 64
    assert points.scores["factor_vae_score"] == anew.scores["factor_vae_score"] == 1


def test_what_is_missing_is_said_before_anything_is_encoded(grid, monkeypatch):
    def never(images):
        raise AssertionError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'keras-vae\[disentanglement\]'"):
        disentanglement.evaluate(never, grid, **FEW)
    with pytest.raises(ImportError, match="`dci` needs the package `scikit-learn`"):
        disentanglement.dci(np.eye(9), np.eye(9, dtype=int))
    monkeypatch.undo()
    require_scikit_learn("dci")


def test_the_bars_count_batches_and_metrics(grid, capsys):
    few = {**FEW, "progress": True}
    disentanglement.evaluate(codes_of, grid, QUICK, **few)
    shown = capsys.readouterr().out
    assert "1/1" in shown and "3/3" in shown
