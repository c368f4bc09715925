"""Tests of the lines of a model's card."""

from keras_vae import presets
from keras_vae.explorer import card


def rows(sections, title):
    (section,) = [one for one in sections if one["title"] == title]
    return dict(section["rows"])


def test_a_model_tells_of_itself(make_vae):
    found = card.sections(make_vae(beta=4.0), {})
    assert [one["title"] for one in found] == ["Model"]
    model = rows(found, "Model")
    assert model["Kind"] == "VAE" and model["Latents"] == "2" and model["Beta"] == "4"
    assert model["Image"] == "4 x 4 x 1" and model["Likelihood"] == "Bernoulli"


def test_a_shipped_card_is_told_without_what_is_for_programs(make_vae):
    contents = presets.card("mnist_mlp")
    found = card.sections(make_vae(), contents)
    figures = rows(found, "Figures")
    assert figures["ELBO"] == "\u2212100.56 ± 0.25" and figures["Active units"] == "20"
    assert [one["title"] for one in found][:4] == ["Data", "Figures", "Training", "Evaluation"]
    assert rows(found, "Data")["Name"] == "mnist"
    assert rows(found, "Data")["Test images held out"] == "yes"
    assert rows(found, "Training")["Steps"] == "46,900"
    text = str(found)
    assert contents["sha256"] not in text and "middle_rows" not in text
    assert "standard error" not in text and "Kl per dimension" not in text


def test_a_card_of_a_users_own_is_told_as_it_is(make_vae):
    contents = {"description": "Mine.", "author": "Ada", "figures": {"score": 0.123456, "n": 3}}
    found = card.sections(make_vae(), contents)
    assert rows(found, "About") == {"Author": "Ada"}
    assert rows(found, "Figures") == {"Score": "0.1235", "N": "3"}


def test_what_is_too_long_for_a_line_is_cut_or_left_out(make_vae):
    found = card.sections(make_vae(), {"long": "x" * 1000, "list": list(range(99)), "none": None})
    assert rows(found, "About") == {"Long": "x" * 300}
