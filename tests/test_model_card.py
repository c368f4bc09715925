"""Tests of model cards, read by the hub's own parser."""

import keras
import numpy as np
import pytest
from huggingface_hub import ModelCard

import keras_vae
from keras_vae import model_card, presets


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(0)
    return keras_vae.VAE(
        keras_vae.networks.mlp_encoder((4, 4, 1), 2, [4]),
        keras_vae.networks.mlp_decoder((4, 4, 1), 2, [4]),
        beta=4.0,
    )


def card(**entries):
    return {"name": "tiny", "description": "A tiny VAE.", "class": "keras_vae>VAE", **entries}


def written(vae, files=(), **entries):
    return ModelCard(model_card.text(vae, card(**entries), "hf://me/tiny", files))


def test_the_head_of_a_model_that_ships_holds_all_its_figures_and_no_others():
    own = presets.card("sprites_beta")
    head = ModelCard(model_card.text(presets.load("sprites_beta"), own, "hf://me/sprites")).data
    assert head.library_name == "keras_vae"
    assert head.pipeline_tag == "unconditional-image-generation"
    assert head.datasets == ["sprites"]
    assert head.tags == ["keras", "variational-autoencoder", "VAE"]
    assert head.license is None
    told = {result.metric_type: result.metric_value for result in head.eval_results}
    figures = {
        name: value
        for name, value in own["figures"].items()
        if not name.startswith("num_")
        and not name.endswith("_standard_error")
        and name != "kl_per_dimension"
    }
    (latents,) = own["disentanglement"]
    scores = {name: parts["score"] for name, parts in latents["scores"].items()}
    assert told == {**figures, **scores} and len(told) > 10
    assert head.metrics == sorted(told)
    assert {result.dataset_name for result in head.eval_results} == {"sprites"}
    assert head.eval_results[0].dataset_split == "test[:10000]"


def test_people_read_what_the_card_and_the_model_say(vae):
    text = written(
        vae,
        license="mit",
        data={"name": "typeset_digits"},
        figures={"elbo": -76.7312, "elbo_standard_error": 0.1312},
        versions={"keras": "3.15.1"},
    ).text
    assert text.startswith("\n# tiny\n\nA tiny VAE.\n")
    assert 'keras_vae.VAE.from_preset("hf://me/tiny")' in text
    assert "pip install 'keras-vae[huggingface]'" in text
    for row in ("License | mit", "ELBO | \u221276.73 ± 0.13", "Beta | 4", "Name | typeset_digits"):
        assert f"| {row} |" in text
    assert "tiny.png" not in text and "tiny.html" not in text


def test_a_vq_vae_and_a_prior_alone_say_what_they_are():
    encoder = keras_vae.networks.vq_encoder((8, 8, 1), 2, 1, width=4)
    decoder = keras_vae.networks.vq_decoder((8, 8, 1), 2, 1, width=4)
    vqvae = keras_vae.quantized.VQVAE(encoder, decoder, num_codes=5)
    prior = keras_vae.quantized.CodePrior((4, 4), 5, width=4, depth=1, num_heads=1)
    for model, rows in (
        (
            vqvae,
            ("Kind | VQVAE", "Grid | 4 x 4", "Codes | 5", "Image | 8 x 8 x 1", "Prior | uniform"),
        ),
        (vqvae.with_prior(prior), ("Prior | CodePrior", "Commitment | 0.25")),
        (prior, ("Kind | CodePrior", "Grid | 4 x 4", "Codes | 5")),
    ):
        text = written(model, **{"class": f"keras_vae>{type(model).__name__}"}).text
        for row in rows:
            assert f"| {row} |" in text
        assert f'keras_vae.quantized.{type(model).__name__}.from_preset("hf://me/tiny")' in text
        assert ("model.sample(16)" in text) == (model is not vqvae)
    assert "| Image |" not in text


def test_the_picture_is_shown_and_the_explorer_linked_where_they_are(vae):
    text = written(vae, ["tiny.json", "tiny.png", "tiny.html"]).text
    assert "](tiny.png)\n" in text and "[tiny.html](tiny.html)" in text


def test_on_the_other_hub_the_other_client_is_to_be_installed(vae):
    text = model_card.text(vae, card(), "kaggle://me/tiny/keras/small")
    assert "pip install 'keras-vae[kaggle]'" in text
    assert 'from_preset("kaggle://me/tiny/keras/small")' in text


def test_of_what_is_not_known_nothing_is_said(vae):
    head = written(vae).data
    assert head.eval_results is None and head.datasets is None and head.metrics is None
    with_figures = written(vae, figures={"elbo": -1.0}).data
    # Of figures on no known data there are no results to compare.
    assert with_figures.metrics == ["elbo"] and with_figures.eval_results is None


@pytest.mark.parametrize(
    "entries",
    [
        {"data": "my images", "figures": [1.0], "evaluation": None, "disentanglement": "good"},
        {"data": {"name": 5}, "figures": {"elbo": "good"}, "disentanglement": [{"dataset": "a"}]},
        {"evaluation": {"dataset": "mnist"}, "figures": {"elbo": True}, "training": []},
        {"disentanglement": [{"dataset": "a", "scores": {"dci": 0.5}}, 3]},
        {"figures": {"elbo": {"mean": -1.0}}, "license": None},
    ],
)
def test_entries_as_users_write_them_do_no_harm(vae, entries):
    read = written(vae, **entries)
    assert read.data.library_name == "keras_vae" and read.text.startswith("\n# tiny")
    assert read.data.eval_results is None


def test_no_entry_breaks_out_of_its_place(vae):
    hostile = "a | b\n---\nlicense: none\n"
    read = written(vae, data={"name": hostile}, figures={hostile: 1.0}, hint=hostile)
    assert read.data.license is None and read.data.datasets == [hostile]
    assert read.data.metrics == [hostile]
    assert r"| Hint | a \| b --- license: none |" in read.text


def test_a_class_of_ones_own_is_to_be_imported_first(vae):
    text = written(vae, **{"class": "mine>MyVAE"}).text
    assert "`mine>MyVAE`, is not of `keras_vae`: import" in text


def test_a_model_of_tables_is_no_generator_of_images():
    import pandas as pd

    from keras_vae.tables import Table, TableVAE

    frame = pd.DataFrame({"age": np.arange(12) * 1.5, "colour": ["red", "green", "blue"] * 4})
    vae = TableVAE(Table.infer(frame, verbose=False), latent_dim=2, hidden_sizes=[4])
    figures = {"evaluation": {"dataset": "people"}, "figures": {"elbo": -1.0}}
    head = written(vae, **figures).data
    assert head.pipeline_tag is None and head.tags[-1] == "TableVAE"
    assert head.eval_results[0].task_type == "other"
