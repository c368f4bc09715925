"""The making of a trained model, from a recipe so small that it takes a second."""

import hashlib
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import evaluation, networks, objectives, presets, quantized

BYTES = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), dtype=np.uint8)
TINY = {
    "description": "A tiny VAE.",
    "networks": lambda: (
        networks.mlp_encoder((28, 28, 1), 2, [4]),
        networks.mlp_decoder((28, 28, 1), 2, [4]),
    ),
    "model": {"beta": 2.0},
    "dataset": "noise",
    "batch_size": 16,
    "epochs": 2,
    "num_samples": 3,
}

VECTOR_QUANTIZED = {
    "networks": lambda: (
        networks.vq_encoder((28, 28, 1), 2, width=4),
        networks.vq_decoder((28, 28, 1), 2, width=4),
    ),
    "model": {"num_codes": 5},
    "prior": {"width": 8, "depth": 1, "epochs": 1},
}


@pytest.fixture(scope="module")
def example(load_program):
    return load_program("tools/train_zoo.py")


@pytest.fixture
def loaded(monkeypatch):
    """Forty noisy images to train on and twenty to test; records what was asked for."""
    calls = []

    def load(name, split, batch_size, *, with_labels=False, **settings):
        calls.append({"name": name, "split": split, **settings})
        rows = {"train": slice(40), "test": slice(40, 60), "train+test": slice(60)}

        def one(split):
            images = tf.constant(BYTES[rows[split]] / np.float32(255))
            labels = tf.range(len(images)) % 2
            data = (images, labels) if with_labels else images
            return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)

        return one(split) if isinstance(split, str) else tuple(map(one, split))

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    return calls


@pytest.fixture
def recipe(example, monkeypatch):
    """Puts a recipe in place of all others."""

    def put(**changes):
        monkeypatch.setattr(example, "RECIPES", {"tiny": {**TINY, **changes}})

    return put


@pytest.fixture
def trained(example, monkeypatch):
    """The models as they come to be measured, which is left out, and how it was asked for."""
    models = []

    def measure(vae, **settings):
        models.append((vae, settings))
        return {"elbo": -1.0}

    monkeypatch.setattr(evaluation, "evaluate_all", measure)
    # Compiling takes longer than so few steps do without.
    compile = keras_vae.VAE.compile
    monkeypatch.setattr(
        keras_vae.VAE,
        "compile",
        lambda vae, optimizer, **_: compile(vae, optimizer, run_eagerly=True),
    )
    return models


@pytest.mark.slow
def test_the_model_loads_and_its_card_holds_what_it_is_worth(
    example, loaded, recipe, tmp_path, monkeypatch
):
    recipe()
    example.train("tiny", tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"tiny.keras", "tiny.json"}
    monkeypatch.setattr(presets, "folder", lambda: tmp_path)
    card, vae = presets.card("tiny"), keras_vae.VAE.from_preset("tiny")
    assert card["description"] == "A tiny VAE."
    again = evaluation.evaluate_all(vae, **card["evaluation"], progress=False)
    for name in ("elbo", "rate", "log_likelihood", "mean_squared_error"):
        assert card["figures"][name] == pytest.approx(again[name], rel=1e-5), name
    assert card["figures"]["num_samples"] == 3 and card["figures"]["num_images"] == 20
    assert 0 <= card["figures"]["probe_accuracy"] <= 1
    pixels = hashlib.sha256(BYTES[40:].tobytes()).hexdigest()
    assert card["data"]["test_images_sha256"] == pixels
    assert card["data"]["test_images_held_out"] is True
    training = card["training"]
    assert training["command"] == "python tools/train_zoo.py tiny"
    assert (training["steps"], training["epochs"], training["batch_size"]) == (6, 2, 16)
    assert (training["beta"], training["latent_dim"]) == (2.0, 2)
    last = training["last_epoch"]
    assert last["loss"] == pytest.approx(last["reconstruction_loss"] + 2 * last["kl_loss"])


@pytest.mark.exhaustive
def test_a_recipe_may_warm_up_and_name_its_rate_and_note_every_50th_step(
    example, loaded, recipe, trained, tmp_path
):
    recipe(
        steps=101,
        rate=5e-4,
        constant_rate=True,
        warmup={"beta": 200},
        every_50th_step=True,
        evaluated_split="test[:50%]",
    )
    example.train("tiny", tmp_path)
    ((vae, settings),) = trained
    assert float(vae.optimizer.learning_rate) == pytest.approx(5e-4)
    # Of the last step, before which a hundred were taken.
    assert float(vae.beta) == pytest.approx(1.0)
    assert settings["split"] == "test[:50%]"
    training = json.loads((tmp_path / "tiny.json").read_text())["training"]
    assert training["learning_rate"] == "0.0005" and training["warmup_steps"] == {"beta": 200}
    every = [vae.step_logs(step) for step in (1, 51, 101)]
    for name, value in training["every_50th_step"].items():
        assert value == pytest.approx(np.mean([row[name] for row in every]), rel=1e-5)
    assert set(training["every_50th_step"]) == {"reconstruction_loss", "kl_loss"}


def test_latents_are_measured_where_a_recipe_asks_and_again_without_training(
    example, loaded, recipe, trained, tmp_path, monkeypatch
):
    asked = []

    class Report(dict):
        num_train, num_test = 30, 20

    def evaluate(vae, data, metrics, seed):
        asked.append((data, metrics))
        scores = {"score": np.float64(0.12344), "matrix": np.eye(2)}
        return Report(mutual_information_gap=scores)

    monkeypatch.setattr(example.disentanglement, "evaluate", evaluate)
    monkeypatch.setattr(example.factors, "load", lambda name: name)
    recipe(disentanglement={"sprites": None, "noise": ["gaussian_total_correlation"]})
    example.train("tiny", tmp_path)
    assert asked == [("sprites", None)]
    ((vae, _),) = trained
    card = json.loads((tmp_path / "tiny.json").read_text())
    codes = vae.embed(BYTES[40:] / np.float32(255))
    correlation = example.disentanglement.gaussian_total_correlation(codes)["score"]
    assert card["disentanglement"] == [
        {
            "dataset": "sprites",
            "num_train": 30,
            "num_test": 20,
            "seed": 0,
            "scores": {"mutual_information_gap": {"score": 0.1234}},
        },
        {
            "dataset": "noise",
            "num_test": 20,
            "seed": 0,
            "scores": {"gaussian_total_correlation": {"score": round(correlation, 4)}},
        },
    ]

    # An older card, whose recipe says something else by now.
    del card["disentanglement"]
    (tmp_path / "tiny.json").write_text(json.dumps(card))
    recipe(disentanglement={"sprites": ["sap_score"]}, description="Measured again.")
    example.measure_again("tiny", tmp_path)
    again = json.loads((tmp_path / "tiny.json").read_text())
    assert asked[1:] == [("sprites", ["sap_score"])]
    assert again["description"] == "Measured again." and len(again["disentanglement"]) == 1
    assert again["training"] == card["training"] and again["sha256"] == card["sha256"]


def test_training_takes_the_steps_of_the_recipe_and_its_rate_falls_along_a_cosine(
    example, loaded, recipe, trained, tmp_path
):
    recipe()
    example.train("tiny", tmp_path)
    ((vae, _),) = trained
    assert int(vae.optimizer.iterations) == 6
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-5)


def test_a_recipe_of_steps_may_keep_its_rate_and_train_on_the_test_images_too(
    example, loaded, recipe, trained, tmp_path
):
    recipe(steps=5, constant_rate=True, split="train+test")
    example.train("tiny", tmp_path)
    ((vae, _),) = trained
    assert int(vae.optimizer.iterations) == 5
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-3)
    card = json.loads((tmp_path / "tiny.json").read_text())
    assert card["training"]["steps"] == 5
    assert card["data"]["test_images_held_out"] is False


def test_what_is_binarised_afresh_in_training_is_measured_on_fixed_pixels(
    example, loaded, recipe, trained, tmp_path
):
    recipe(binarize="dynamic")
    example.train("tiny", tmp_path)
    assert loaded[0]["split"] == "train" and loaded[0]["binarize"] == "dynamic"
    ((_, settings),) = trained
    assert settings["binarize"] == "fixed"
    assert json.loads((tmp_path / "tiny.json").read_text())["evaluation"] == settings


def test_the_model_is_safe_before_it_is_measured(
    example, loaded, recipe, trained, tmp_path, monkeypatch
):
    def interrupted(vae, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "evaluate_all", interrupted)
    recipe()
    with pytest.raises(KeyboardInterrupt):
        example.train("tiny", tmp_path)
    monkeypatch.setattr(presets, "folder", lambda: tmp_path)
    card = presets.card("tiny")
    assert "figures" not in card
    again = example.pinned_outputs(keras_vae.VAE.from_preset("tiny"))
    np.testing.assert_allclose(again["means"], card["pinned"]["means"], atol=1e-5)


def test_a_recipe_may_name_another_member_of_the_family(example, loaded, recipe, trained, tmp_path):
    recipe(**{"class": objectives.BetaTCVAE, "model": {"beta": 6.0, "gamma": 0.5}})
    example.train("tiny", tmp_path)
    ((vae, _),) = trained
    assert type(vae) is objectives.BetaTCVAE and float(vae.gamma) == 0.5
    card = json.loads((tmp_path / "tiny.json").read_text())
    assert card["class"] == "keras_vae>BetaTCVAE"
    assert card["training"]["arguments"] == {"beta": 6.0, "gamma": 0.5}
    assert card["training"]["beta"] == 6.0


def test_pseudo_inputs_start_at_training_images(example, loaded, recipe, trained, tmp_path):
    recipe(**{"class": objectives.VampPriorVAE, "model": {"num_pseudo_inputs": 5}, "epochs": 1})
    example.train("tiny", tmp_path)
    ((vae, _),) = trained
    first = BYTES[:5] / np.float32(255)
    # A few steps of Adam move no pixel further.
    np.testing.assert_allclose(vae.pseudo_inputs, first, atol=0.01)
    assert not np.array_equal(vae.pseudo_inputs, first)


@pytest.mark.exhaustive
def test_the_seed_repeats_a_model(example, loaded, recipe, trained, tmp_path):
    recipe()
    for folder, seed in (("first", 0), ("again", 0), ("other", 1)):
        example.train("tiny", tmp_path / folder, seed=seed)
    first, again, other = (vae.get_weights() for vae, _ in trained)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def run(example, monkeypatch, *arguments):
    """The calls of `train` that a command line makes."""
    calls = []
    monkeypatch.setattr(example, "train", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(sys, "argv", ["train_zoo.py", *arguments])
    example.main()
    return calls


def test_the_command_line_names_models_or_takes_all(example, monkeypatch, tmp_path):
    names = ["mnist_map", "mnist_mlp"]
    options = ["--epochs", "3", "--seed", "7", "--output-dir", str(tmp_path)]
    calls = run(example, monkeypatch, *names, *options)
    assert calls == [(name, tmp_path, 7, 3) for name in names]
    every = run(example, monkeypatch, "--all")
    assert every == [(name, presets.folder(), 0, None) for name in example.RECIPES]


@pytest.mark.parametrize("arguments", [[], ["mnist_mlp", "mnist_typo"]])
def test_a_command_line_without_known_names_lists_them(example, monkeypatch, capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        run(example, monkeypatch, *arguments)
    assert exit.value.code == 2
    assert "mnist_mlp, mnist_map" in capsys.readouterr().err


def test_the_shipped_vq_vae_is_what_its_recipe_makes(example):
    (name,) = presets.names(quantized.VQVAE)
    recipe, card = example.RECIPES[name], presets.card(name)
    made, shipped = example.make(recipe), quantized.VQVAE.from_preset(name)
    both = [
        {k: v for k, v in m.get_config().items() if not isinstance(v, dict)}
        for m in (made, shipped)
    ]
    assert {**both[0], "name": shipped.name, "code_prior": None} == {**both[1], "code_prior": None}
    settings = {key: value for key, value in recipe["prior"].items() if key != "epochs"}
    prior = quantized.CodePrior(made.grid_shape, made.num_codes, **settings)
    assert [w.shape for w in shipped.code_prior.weights] == [w.shape for w in prior.weights]
    assert card["num_parameters"] == made.count_params() + prior.count_params()
    assert card["description"] == recipe["description"]
    assert card["training"]["prior"]["epochs"] == recipe["prior"]["epochs"]


@pytest.mark.slow
def test_a_vq_vae_gets_a_prior_that_learns_its_codes(example, loaded, recipe, tmp_path):
    recipe(**{**VECTOR_QUANTIZED, "class": quantized.VQVAE})
    example.train("tiny", tmp_path)
    card = json.loads((tmp_path / "tiny.json").read_text())
    vqvae = keras.saving.load_model(tmp_path / "tiny.keras")
    images = BYTES[40:] / np.float32(255)
    vqvae.compile()
    logs = vqvae.evaluate(images, verbose=0, return_dict=True)
    figures = card["figures"]
    assert figures["elbo"] == pytest.approx(logs["elbo"], rel=1e-5)
    assert figures["distortion"] == pytest.approx(logs["reconstruction_loss"], rel=1e-5)
    codes = vqvae.encode_codes(images)
    rate = -vqvae.code_prior.log_prob(codes).mean()
    assert figures["rate"] == pytest.approx(rate, rel=1e-4)
    assert figures["bits_per_code"] == pytest.approx(rate / 49 / np.log(2), rel=1e-4)
    assert figures["codes_in_use"] == len(np.unique(codes)) and figures["num_images"] == 20
    training = card["training"]
    assert (training["num_codes"], training["commitment"]) == (5, 0.25) and "beta" not in training
    assert training["prior"]["epochs"] == 1 and training["prior"]["steps"] == 3


@pytest.mark.parametrize("name", presets.names(keras_vae.VAE))
def test_a_shipped_model_is_what_its_recipe_makes(example, name):
    recipe, card = example.RECIPES[name], presets.card(name)
    vae, shipped = example.make(recipe), keras_vae.VAE.from_preset(name)
    assert type(shipped) is type(vae)
    # Parts have names that count up.
    made, loaded = (
        {key: value for key, value in model.get_config().items() if not isinstance(value, dict)}
        for model in (vae, shipped)
    )
    assert {**made, "name": shipped.name} == loaded
    for network in ("encoder", "decoder"):
        made, loaded = (
            [
                {k: v for k, v in layer.get_config().items() if k in ("units", "filters")}
                | {"activation": keras.activations.serialize(layer.activation)}
                for layer in getattr(model, network).layers
                if hasattr(layer, "activation")
            ]
            for model in (vae, shipped)
        )
        assert made == loaded and made
    assert card["description"] == recipe["description"]
    assert card["num_parameters"] == vae.count_params()
    assert float(shipped.beta) == float(vae.beta) and shipped.reduction == vae.reduction
    assert card["evaluation"]["num_samples"] == recipe.get("num_samples", 100)
