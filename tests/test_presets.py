"""Presets: what is written, what is checked before loading, and the models that ship."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import preset_files, presets

SHAPE = (4, 4, 1)


def small_vae(seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    return keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 2, [8]),
        keras_vae.networks.mlp_decoder(SHAPE, 2, [8]),
        seed=seed,
        **arguments,
    )


@pytest.fixture
def images():
    return np.random.default_rng(0).random((64, *SHAPE), dtype=np.float32)


@pytest.fixture
def saved(tmp_path, images):
    vae = small_vae(beta=2.0)
    vae.compile("adam", jit_compile=False)
    vae.fit(images, verbose=0)
    vae.beta = 3.0
    folder = tmp_path / "tiny"
    vae.save_to_preset(folder, description="A tiny VAE.", figures={"elbo": -1.0})
    return vae, folder


def test_a_saved_preset_reloads_with_weights_and_beta_and_goes_on_training(saved, images):
    vae, folder = saved
    again = keras_vae.VAE.from_preset(folder)
    np.testing.assert_allclose(again.reconstruct(images), vae.reconstruct(images), atol=1e-6)
    assert float(again.beta) == 3.0
    assert int(again.optimizer.iterations) == 0
    before = [weight.copy() for weight in again.get_weights()]
    again.fit(images, verbose=0)
    assert any(np.any(a != b) for a, b in zip(before, again.get_weights(), strict=True))


def test_the_state_of_the_optimizer_is_left_out(saved, tmp_path):
    vae, folder = saved
    vae.save(tmp_path / "whole.keras")
    small, whole = (folder / "tiny.keras").stat().st_size, (tmp_path / "whole.keras").stat().st_size
    assert small < whole
    assert keras.saving.load_model(folder / "tiny.keras").compiled is False


def test_the_card_says_what_it_was_told_and_names_the_versions(saved):
    _, folder = saved
    card = presets.card(folder)
    assert card["name"] == "tiny" and card["description"] == "A tiny VAE."
    assert card["figures"] == {"elbo": -1.0}
    assert card["class"] == "keras_vae>VAE"
    assert card["versions"]["keras"] == keras.__version__
    assert {path.name for path in folder.iterdir()} == {"tiny.keras", "tiny.json"}


def test_an_altered_model_is_refused(saved):
    _, folder = saved
    path = folder / "tiny.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged or altered\. Expected: SHA-256 .* Received"):
        keras_vae.VAE.from_preset(folder)


def test_a_truncated_model_is_refused(saved):
    _, folder = saved
    path = folder / "tiny.keras"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or altered"):
        keras_vae.VAE.from_preset(folder)


def replace_model(folder, content):
    """Puts another file in the model's place, with a card that vouches for it."""
    import hashlib

    (folder / "tiny.keras").write_bytes(content)
    card = json.loads((folder / "tiny.json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "tiny.json").write_text(json.dumps(card))


def test_a_file_that_is_no_model_is_refused_though_its_card_vouches_for_it(saved):
    _, folder = saved
    replace_model(folder, b"not a zip file")
    with pytest.raises(ValueError, match="is no Keras model"):
        keras_vae.VAE.from_preset(folder)


def test_an_archive_that_unpacks_to_gigabytes_is_refused(saved, monkeypatch):
    _, folder = saved
    monkeypatch.setattr(preset_files, "_LARGEST_MODEL", 1000)
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes"):
        keras_vae.VAE.from_preset(folder)


def touch_witness(x):
    """What a hostile file would run: it leaves a trace where the environment says."""
    import os
    import pathlib

    pathlib.Path(os.environ["WITNESS"]).touch()
    return x


def test_a_model_that_carries_code_is_refused_and_the_code_does_not_run(
    saved, tmp_path, monkeypatch
):
    _, folder = saved
    witness = tmp_path / "witness"
    monkeypatch.setenv("WITNESS", str(witness))
    inputs = keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: touch_witness(x))(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "hostile.keras")
    assert witness.exists()
    witness.unlink()
    replace_model(folder, (tmp_path / "hostile.keras").read_bytes())
    with pytest.raises(ValueError, match="does not load"):
        keras_vae.VAE.from_preset(folder)
    assert not witness.exists()


def test_a_preset_of_another_class_is_refused(saved, tmp_path):
    _, folder = saved
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "other.keras")
    replace_model(folder, (tmp_path / "other.keras").read_bytes())
    with pytest.raises(ValueError, match=r"is a Functional\. Expected: a VAE"):
        keras_vae.VAE.from_preset(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no object"),
        ("{}", "'format' is missing"),
        ('{"format": "1"}', "'format' is missing or no int"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_damaged_card_is_refused(saved, text, message):
    _, folder = saved
    (folder / "tiny.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        presets.card(folder)


OF_FORMAT_1 = Path(__file__).parent / "data" / "presets" / "format_1"


@pytest.mark.parametrize("newest", [1, 2], ids=["now", "when there is a newer one"])
def test_a_preset_of_an_older_format_loads_as_it_was(monkeypatch, newest):
    monkeypatch.setattr(preset_files, "CARD_FORMAT", newest)
    assert presets.card(OF_FORMAT_1)["format"] == 1
    vae = keras_vae.VAE.from_preset(OF_FORMAT_1)
    pixels = vae.decode(np.array([[0.5, -1.0]], np.float32)).mean().numpy()[0, 0, :, 0]
    np.testing.assert_allclose(pixels, presets.card(OF_FORMAT_1)["pinned"], atol=1e-5)


def test_what_a_card_says_beyond_its_format_is_kept_and_harmless(saved):
    _, folder = saved
    card = {**json.loads((folder / "tiny.json").read_text()), "of_later": {"a": [1]}}
    (folder / "tiny.json").write_text(json.dumps(card))
    keras_vae.VAE.from_preset(folder)
    assert presets.card(folder)["of_later"] == {"a": [1]}


def test_a_card_of_a_newer_format_is_refused(saved):
    _, folder = saved
    card = json.loads((folder / "tiny.json").read_text())
    (folder / "tiny.json").write_text(json.dumps({**card, "format": 2}))
    with pytest.raises(ValueError, match=r"format 2.*Upgrade"):
        keras_vae.VAE.from_preset(folder)


def test_a_huge_card_is_refused_unread(saved, monkeypatch):
    _, folder = saved
    monkeypatch.setattr(preset_files, "_LARGEST_CARD", 10)
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        presets.card(folder)


def test_a_card_without_its_model_is_refused(saved):
    _, folder = saved
    (folder / "tiny.keras").unlink()
    with pytest.raises(ValueError, match="lacks its model"):
        keras_vae.VAE.from_preset(folder)


def test_an_unknown_preset_lists_the_known_and_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"Expected one of \[.*'mnist_mlp'.*mean 'mnist_mlp'"):
        keras_vae.VAE.from_preset("mnist_mpl")


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds one card"):
        keras_vae.VAE.from_preset(tmp_path)


def test_the_list_has_a_line_for_every_preset(capsys):
    from keras_vae import __main__

    __main__.main([])
    printed = capsys.readouterr().out
    assert list(presets.descriptions()) == presets.names() != []
    for name, description in presets.descriptions().items():
        assert any(line.split(maxsplit=1) == [name, description] for line in printed.splitlines())


@pytest.mark.slow
def test_a_reader_of_the_list_that_has_read_enough_is_no_error(tmp_path):
    # A pipe that nobody reads, as of `head` that has ended.
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "keras_vae"],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_of_a_class_are_those_of_its_models_and_of_its_subclasses():
    every, vaes = presets.names(), presets.names(keras_vae.VAE)
    assert presets.names(keras_vae.quantized.VQVAE) == ["mnist_vqvae"]
    assert sorted([*vaes, "mnist_vqvae"]) == every
    assert presets.names(keras_vae.objectives.IWAE) == ["mnist_iwae"]


@pytest.mark.parametrize("name", presets.names())
def test_a_shipped_preset_is_small_and_plain_and_its_card_complete(name):
    card = presets.card(name)
    path = presets.folder() / f"{name}.keras"
    assert path.stat().st_size < 5e6
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
    assert {"data", "training", "evaluation", "figures", "versions"} <= card.keys()
    bounds = ("elbo", "distortion", "rate")
    for figure in (*bounds, "log_likelihood") if name in presets.names(keras_vae.VAE) else bounds:
        assert card["figures"][f"{figure}_standard_error"] > 0
    assert len(card["data"]["test_images_sha256"]) == 64


def test_the_shipped_vq_vae_decodes_what_it_did_reconstructs_and_samples():
    vqvae = keras_vae.quantized.VQVAE.from_preset("mnist_vqvae")
    codes = np.arange(3 * 49).reshape(3, 7, 7) % vqvae.num_codes
    images = vqvae.decode_codes(codes).numpy()
    pinned = presets.card("mnist_vqvae")["pinned"]
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), pinned["means"], atol=1e-4)
    np.testing.assert_allclose(images[:, 14, ::4, 0], pinned["middle_rows"], atol=1e-4)
    drawn = vqvae.sample(4, seed=0)
    np.testing.assert_array_equal(drawn, vqvae.sample(4, seed=0))
    # A digit that it draws costs it no more than test digits do, and is no noise.
    logs = vqvae.evaluate(drawn.numpy(), verbose=0, return_dict=True)
    figures = presets.card("mnist_vqvae")["figures"]
    assert logs["elbo"] > 1.5 * figures["elbo"]
    assert np.abs(vqvae.reconstruct(drawn) - drawn).mean() < 0.02
    with pytest.raises(ValueError, match=r"Load it with `VQVAE\.from_preset`"):
        keras_vae.VAE.from_preset("mnist_vqvae")


@pytest.mark.parametrize("name", presets.names(keras_vae.VAE))
def test_a_shipped_preset_decodes_what_it_did_when_it_was_made(name):
    vae = keras_vae.VAE.from_preset(name)
    # Fixed codes that leave the prior's middle in every direction.
    codes = np.linspace(-1.5, 1.5, 3 * vae.latent_dim, dtype=np.float32)
    images = vae.decode(codes.reshape(3, vae.latent_dim)).mean().numpy()
    pinned = presets.card(name)["pinned"]
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), pinned["means"], atol=1e-4)
    middle = images[:, images.shape[1] // 2, ::4, 0]
    np.testing.assert_allclose(middle, pinned["middle_rows"], atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", presets.names())
def test_a_shipped_preset_goes_on_training_and_round_trips(name, tmp_path):
    vae = presets.load(name)
    x = vae.sample(32, seed=0).numpy()
    clone = type(vae).from_config(vae.get_config())
    clone.set_weights(vae.get_weights())
    np.testing.assert_allclose(clone.reconstruct(x), vae.reconstruct(x), atol=1e-6)
    history = vae.fit(x, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    vae.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(again.reconstruct(x), vae.reconstruct(x), atol=1e-6)


def test_the_shipped_presets_are_less_than_40_megabytes_together():
    assert sum(path.stat().st_size for path in presets.folder().glob("*.keras")) < 40e6


# What is written can be read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"figures": {"loss": float("nan")}}, "NaN is no JSON"),
        ({"figures": {"loss": -float("inf")}}, "-Infinity is no JSON"),
        ({"figures": {"loss": np.float32(1)}}, "float32 is not JSON serializable"),
        ({"description": ["a"]}, "'description' is missing or no str"),
        ({"description": "x" * 2**20}, "larger than 1048576 bytes"),
        ({"name": "other"}, r"Received: \['name'\] among the details"),
        ({"format": 2, "sha256": "0"}, r"Received: \['format', 'sha256'\]"),
        ({"class": "VAE"}, r"Received: \['class'\]"),
        ({"versions": {}, "num_parameters": 1}, r"Received: \['num_parameters', 'versions'\]"),
    ],
)
def test_a_card_that_could_not_be_read_is_not_written(tmp_path, details, message):
    with pytest.raises(ValueError, match=message):
        presets.save(small_vae(), tmp_path / "new" / "tiny", **details)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_second_card_is_not_written_into_a_folder(saved, tmp_path):
    _, folder = saved
    folder = folder.rename(tmp_path / "renamed")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=r"holds one card.*\['tiny.json'\].*another folder"):
        small_vae().save_to_preset(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["the model", "the card"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_saving_that_fails_leaves_what_there_was(
    saved, tmp_path, images, monkeypatch, failing, is_first
):
    vae, folder = saved
    folder = tmp_path / "first" / "tiny" if is_first else folder
    suffix = ".keras" if failing == "the model" else ".json"
    replace = presets.os.replace

    def full(source, target):
        if str(source).endswith(suffix):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as broken:
        broken.setattr(presets.os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            small_vae(seed=5).save_to_preset(folder)
    names = set() if is_first else {"tiny.keras", "tiny.json"}
    assert {path.name for path in folder.iterdir()} == names
    if not is_first:
        again = keras_vae.VAE.from_preset(folder)
        np.testing.assert_allclose(again.reconstruct(images), vae.reconstruct(images), atol=1e-6)


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "tiny" / "tiny.json").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"tiny\.json is in the way"):
        small_vae().save_to_preset(tmp_path / "tiny")
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["tiny.json"]


# Names and folders -------------------------------------------------------------------------------


def test_a_name_means_the_model_that_ships_whatever_folders_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist_mlp").mkdir()
    assert presets.card("mnist_mlp")["data"]["name"] == "mnist"


def test_a_folder_with_the_name_of_a_shipped_model_is_reached_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_vae().save_to_preset("mnist_mlp", description="Mine.")
    assert presets.card("./mnist_mlp")["description"] == "Mine."
    assert presets.card(Path("mnist_mlp"))["description"] == "Mine."
    assert presets.card("mnist_mlp")["description"] != "Mine."


@pytest.mark.parametrize("preset", [5, None, 1.5, ["mnist_mlp"], b"mnist_mlp"])
def test_what_is_neither_name_nor_folder_is_refused(preset):
    with pytest.raises(ValueError, match=r"argument `preset`. Expected one of \[.*'mnist_mlp'"):
        keras_vae.VAE.from_preset(preset)


def test_the_card_of_the_disentangled_model_says_what_its_figures_say():
    card, rival = presets.card("mnist_disentangled"), presets.card("mnist_autoencoder")
    assert card["figures"]["active_units"] == card["training"]["latent_dim"] == 10
    of_mnist, of_typeset_digits = (measured["scores"] for measured in card["disentanglement"])
    rivals = rival["disentanglement"][0]["scores"]
    correlation = "gaussian_total_correlation"
    assert of_mnist[correlation]["score"] < 0.05 < 0.5 < rivals[correlation]["score"]  # Nats.
    assert of_typeset_digits["mutual_information_gap"]["score"] < 0.05
    assert card["description"] == (
        "beta 4: ten latents, all active and hardly correlated; none is a factor of typeset digits."
    )
