"""The measuring of a model, on a few small images in place of a data set."""

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import evaluation

CARD = {"dataset": "dots", "split": "test", "binarize": "fixed", "num_samples": 7, "seed": 3}
TEST_IMAGES = np.random.default_rng(1).random((20, 4, 4, 1), dtype=np.float32)
ERRORS_OF = ("elbo", "distortion", "rate", "log_likelihood", "mean_squared_error", "probe_accuracy")


@pytest.fixture(scope="module")
def example(load_program):
    return load_program("examples/evaluate.py")


@pytest.fixture
def loaded(monkeypatch):
    """Twenty images of two classes for every split; records what was asked for."""
    calls = []

    def load(name, split, *, with_labels=False, batch_size=1000, **settings):
        calls.append({"name": name, "split": split, "with_labels": with_labels, **settings})
        if name == "missing":
            raise keras_vae.datasets.DatasetUnavailableError("no such images here")
        if with_labels and name == "unlabelled":
            raise ValueError("no labels")
        images = tf.data.Dataset.from_tensor_slices(TEST_IMAGES)
        if not with_labels:
            return images.batch(batch_size)
        labelled = tf.data.Dataset.zip(images, tf.data.Dataset.range(20).map(lambda i: i % 2))
        return labelled.batch(batch_size), labelled.batch(batch_size)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    return calls


@pytest.fixture
def preset(make_vae, tmp_path):
    folder = tmp_path / "tiny"
    make_vae().save_to_preset(folder, evaluation=CARD)
    return str(folder)


def run(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *arguments])
    example.main()


@pytest.mark.filterwarnings("error:.*shuffle=True")
def test_json_holds_every_figure_measured_as_the_card_says(
    example, loaded, preset, make_vae, monkeypatch, capsys
):
    run(example, monkeypatch, preset, "--json")

    figures = json.loads(capsys.readouterr().out)  # And no progress bar beside it.
    asked = {"name": "dots", "binarize": "fixed", "seed": 3, "shuffle": False}
    assert loaded == [
        {**asked, "split": "test", "with_labels": False},
        {**asked, "split": ("train", "test"), "with_labels": True},
    ]
    vae = make_vae()
    bound = evaluation.evaluate_elbo(vae, TEST_IMAGES, seed=3, progress=False)
    tighter = evaluation.log_likelihood(
        vae, tf.data.Dataset.from_tensor_slices(TEST_IMAGES).batch(20), 7, seed=3, progress=False
    )
    squared = evaluation.reconstruction_error(vae, TEST_IMAGES, progress=False)
    for name, value in {**bound, **tighter, **squared}.items():
        assert figures[name] == pytest.approx(value, rel=1e-5), name
    assert len(figures["kl_per_dimension"]) == 2
    assert sum(figures["kl_per_dimension"]) == pytest.approx(figures["rate"], abs=1e-3)
    assert 0 <= figures["active_units"] <= 2
    assert 0 <= figures["probe_accuracy"] <= 1
    assert all(figures[f"{name}_standard_error"] > 0 for name in ERRORS_OF)


@pytest.fixture
def asked(monkeypatch):
    """Figures that took no measuring; records with which settings they were asked for."""
    calls = []
    figures = {"elbo": -2.5, "elbo_standard_error": 0.125, "num_images": 20, "kl": [0.5, 2.0]}
    monkeypatch.setattr(
        evaluation, "evaluate_all", lambda _, **settings: calls.append(settings) or figures
    )
    return calls


def test_options_override_the_card(example, asked, preset, monkeypatch):
    run(example, monkeypatch, preset, "--quiet")
    run(example, monkeypatch, preset, "--quiet", "--dataset", "moons", "--num-samples", "0")
    run(example, monkeypatch, preset, "--quiet", "--split", "train", "--seed", "5")
    assert asked == [
        {**CARD, "progress": False},
        {**CARD, "progress": False, "dataset": "moons", "num_samples": 0},
        {**CARD, "progress": False, "split": "train", "seed": 5},
    ]


def test_the_table_shows_each_figure_beside_its_error(example, asked, preset, monkeypatch, capsys):
    run(example, monkeypatch, preset)
    title, *rows = capsys.readouterr().out.splitlines()
    assert title == f"{preset} on dots, test:"
    assert [row.split() for row in rows] == [
        ["elbo", "-2.5000", "+-", "0.1250"],
        ["num_images", "20"],
        ["kl", "[0.5,", "2.0]"],
    ]


def test_progress_shows_unless_it_is_unwanted_or_would_break_the_json(
    example, asked, preset, monkeypatch
):
    for options in ([], ["--quiet"], ["--json"]):
        run(example, monkeypatch, preset, *options)
    assert [settings["progress"] for settings in asked] == [True, False, False]


@pytest.mark.slow
def test_a_keras_file_is_measured_on_the_data_set_that_is_named(
    example, loaded, make_vae, tmp_path, monkeypatch, capsys
):
    make_vae().save(tmp_path / "model.keras")
    settings = ["--dataset", "dots", "--num-samples", "2", "--json"]
    run(example, monkeypatch, str(tmp_path / "model.keras"), *settings)
    figures = json.loads(capsys.readouterr().out)
    bound = evaluation.evaluate_elbo(make_vae(), TEST_IMAGES, progress=False)
    assert figures["elbo"] == pytest.approx(bound["elbo"], rel=1e-5)
    assert loaded[0]["split"] == "test" and loaded[0]["binarize"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist_mpl"], "Unknown preset. Expected one of"),
        (["{folder}/absent.keras", "--dataset", "dots"], "absent.keras"),
        (["{folder}/model.keras"], "model.keras does not say what images it is for. Pass --da"),
        (["{folder}/bare"], "bare does not say what images it is for. Pass --dataset"),
        (["{folder}/plain.keras", "--dataset", "dots"], "is a Functional. Expected: a VAE."),
        (["{folder}/bare", "--dataset", "missing"], "no such images here"),
        (["{folder}/bare", "--dataset", "dots", "--num-samples", "-1"], "Received: num_samples=-1"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_line(
    example, loaded, make_vae, tmp_path, monkeypatch, capsys, arguments, message
):
    vae = make_vae()
    vae.save(tmp_path / "model.keras")
    vae.save_to_preset(tmp_path / "bare")
    inputs = keras.Input((4, 4, 1))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(tmp_path / "plain.keras")
    arguments = [argument.format(folder=tmp_path) for argument in arguments]
    with pytest.raises(SystemExit) as exit:
        run(example, monkeypatch, *arguments, "--quiet")
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
