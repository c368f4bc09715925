"""Presets on hubs, against stand-ins on 127.0.0.1: there and back, and what goes wrong between."""

import contextlib
import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import hubs, presets
from stand_ins import hugging_face, kaggle

SHAPE = (4, 4, 1)
ADDRESSES = {"hf": "hf://me/tiny", "kaggle": "kaggle://me/tiny/keras/small"}
STAND_INS = {"hf": hugging_face, "kaggle": kaggle}
WRITERS = {"hf": "write:me", "kaggle": "me"}


def small_vae(seed):
    keras.utils.set_random_seed(seed)
    return keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 2, [8]),
        keras_vae.networks.mlp_decoder(SHAPE, 2, [8]),
        seed=seed,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A preset's folder, with what else may lie there."""
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    small_vae(0).save_to_preset(folder, description="A tiny VAE.", license="mit")
    for name in ("tiny.png", "tiny.html", "notes.txt", ".secret"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    """The folder of a preset of the same name and other weights."""
    folder = tmp_path_factory.mktemp("another") / "tiny"
    small_vae(1).save_to_preset(folder)
    return folder


@pytest.fixture(params=["hf", "kaggle"])
def kind(request):
    return request.param


@pytest.fixture
def address(kind):
    return ADDRESSES[kind]


@pytest.fixture
def connect(tmp_path):
    """Connects to a new stand-in, as somebody; the cache stays that of the test."""
    with contextlib.ExitStack() as stack:

        def connected(kind, token=None, **settings):
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            cache = tmp_path / "cache"
            return stack.enter_context(STAND_INS[kind].connected(patch, cache, token, **settings))

        yield connected


def put(hub, folder, **settings):
    """Puts a folder's files where a test loads them from."""
    return hub.put(ADDRESSES[kind_of(hub)].partition("://")[2], folder, **settings)


def kind_of(hub):
    return "hf" if isinstance(hub, hugging_face.HuggingFace) else "kaggle"


def files(hub):
    return hub.files(ADDRESSES[kind_of(hub)].partition("://")[2])


def fetched(hub, ending):
    """How often a file was fetched."""
    return sum(line.startswith("GET") and line.endswith(ending) for line in hub.requests)


def check_is(vae, folder):
    expected = presets.load(folder).get_weights()
    for weight, other in zip(vae.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, other)


# There and back ----------------------------------------------------------------------------------


def test_what_was_uploaded_loads_with_the_same_weights_and_card(connect, kind, address, saved):
    connect(kind, WRITERS[kind])
    told = keras_vae.upload_preset(address, saved)
    check_is(keras_vae.VAE.from_preset(told), saved)
    assert presets.card(address) == presets.card(saved)


def test_no_other_files_of_the_folder_are_uploaded(connect, kind, address, saved):
    hub = connect(kind, WRITERS[kind])
    keras_vae.upload_preset(address, saved)
    uploaded = {"tiny.json", "tiny.keras", "tiny.png", "tiny.html"}
    assert files(hub).keys() == {*uploaded, "README.md"}
    assert all(files(hub)[name] == (saved / name).read_bytes() for name in uploaded)


def test_the_model_card_is_written_unless_the_folder_has_one(
    connect, kind, address, saved, tmp_path
):
    hub = connect(kind, WRITERS[kind])
    keras_vae.upload_preset(address, saved, license="apache-2.0")
    written = files(hub)["README.md"].decode()
    assert "license: apache-2.0" in written and f'from_preset("{address}")' in written
    own = Path(shutil.copytree(saved, tmp_path / "tiny"))
    (own / "README.md").write_text("Mine.")
    keras_vae.upload_preset(address, own)
    assert files(hub)["README.md"] == b"Mine."


def test_a_model_that_ships_is_uploaded_by_its_name(connect, kind, address):
    hub = connect(kind, WRITERS[kind])
    keras_vae.upload_preset(address, "mnist_seed")
    assert files(hub).keys() == {"mnist_seed.json", "mnist_seed.keras", "README.md"}
    assert "elbo" in files(hub)["README.md"].decode()


def test_a_second_upload_takes_the_place_of_the_first(connect, kind, address, saved, another):
    connect(kind, WRITERS[kind])
    first = keras_vae.upload_preset(address, saved)
    keras_vae.upload_preset(address, another)
    check_is(keras_vae.VAE.from_preset(address), another)
    old = first if kind == "hf" else f"{address}/1"
    check_is(keras_vae.VAE.from_preset(old), saved)


def test_from_one_hub_to_the_other(connect, saved, kind, address):
    other = "kaggle" if kind == "hf" else "hf"
    put(connect(kind), saved)
    hub = connect(other, WRITERS[other])
    keras_vae.upload_preset(ADDRESSES[other], address)
    assert files(hub)["tiny.keras"] == (saved / "tiny.keras").read_bytes()


@pytest.mark.slow
def test_the_client_is_set_up_by_its_own_environment_alone(run_python, saved, tmp_path):
    load = "print(type(keras_vae.VAE.from_preset('hf://me/tiny')))"
    upload = f"keras_vae.upload_preset('hf://me/tiny', {str(saved)!r})"
    environment = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
    with hugging_face.HuggingFace().running() as hub:
        environment["HF_ENDPOINT"] = hub.url
        printed = run_python(
            f"import keras_vae\n{upload}\n{load}", **environment, HF_TOKEN="write:me"
        )
        assert "keras_vae.vae.VAE" in printed and "me/tiny" in hub.repositories
    printed = run_python(f"import keras_vae\n{load}", **environment, HF_HUB_OFFLINE="1")
    assert "keras_vae.vae.VAE" in printed


# The cache ---------------------------------------------------------------------------------------


def test_what_is_in_the_cache_is_not_fetched_again(connect, kind, address, saved):
    hub = connect(kind)
    put(hub, saved)
    keras_vae.VAE.from_preset(address)
    keras_vae.VAE.from_preset(address)
    assert fetched(hub, "tiny.keras") == fetched(hub, "tiny.json") == 1


def test_a_new_version_is_fetched(connect, kind, address, saved, another):
    hub = connect(kind)
    put(hub, saved)
    keras_vae.VAE.from_preset(address)
    put(hub, another)
    check_is(keras_vae.VAE.from_preset(address), another)


def test_offline_what_is_in_the_cache_loads_and_nothing_is_asked(connect, saved):
    put(connect("hf"), saved)
    keras_vae.VAE.from_preset("hf://me/tiny")
    hub = connect("hf", offline=True)
    check_is(keras_vae.VAE.from_preset("hf://me/tiny"), saved)
    with pytest.raises(
        ConnectionError, match=r"hf://me/other is not whole .*HF_HUB_OFFLINE is set"
    ):
        keras_vae.VAE.from_preset("hf://me/other")
    with pytest.raises(ConnectionError, match=r"cannot be uploaded: HF_HUB_OFFLINE is set"):
        keras_vae.upload_preset("hf://me/tiny", saved)
    assert hub.requests == []


def test_without_a_network_what_is_in_the_cache_loads(connect, kind, address, saved):
    put(connect(kind), saved)
    keras_vae.VAE.from_preset(address)
    versioned = address if kind == "hf" else f"{address}/1"
    connect(kind).close()
    check_is(keras_vae.VAE.from_preset(versioned), saved)


def test_without_a_network_what_is_not_in_the_cache_is_told_of(connect, kind, address, saved):
    connect(kind, WRITERS[kind]).close()
    with pytest.raises(ConnectionError, match=r"://me/.* does not answer"):
        keras_vae.VAE.from_preset(address)
    with pytest.raises(OSError, match=r"upload to .* failed|cannot be uploaded"):
        keras_vae.upload_preset(address, saved)


# What goes wrong on the way ----------------------------------------------------------------------


def test_a_model_that_was_altered_on_the_way_is_refused_and_then_fetched_anew(
    connect, kind, address, saved
):
    hub = connect(kind)
    put(hub, saved)
    hub.faults[".keras"] = "altered"
    with pytest.raises(
        ValueError, match=r"damaged or altered\. Expected: SHA-256 .* twice: tell who"
    ):
        keras_vae.VAE.from_preset(address)
    assert fetched(hub, "tiny.keras") == 2
    hub.faults.clear()
    check_is(keras_vae.VAE.from_preset(address), saved)


def test_a_card_that_was_altered_on_the_way_is_refused(connect, kind, address, saved):
    hub = connect(kind)
    put(hub, saved)
    hub.faults[".json"] = "altered"
    with pytest.raises(ValueError, match=r"card .*tiny\.json cannot be read"):
        keras_vae.VAE.from_preset(address)


def test_a_download_that_breaks_off_is_told_of_and_goes_on_the_next_time(
    connect, kind, address, saved
):
    hub = connect(kind)
    put(hub, saved)
    hub.faults[".keras"] = "cut short"
    with pytest.raises(
        OSError, match=rf"The download of {address}(/1)? failed: \w+Error\. Load it"
    ):
        keras_vae.VAE.from_preset(address)
    hub.faults.clear()
    check_is(keras_vae.VAE.from_preset(address), saved)


def test_a_hub_that_fails_is_told_of(connect, kind, address, saved):
    hub = connect(kind, WRITERS[kind])
    hub.down = 500
    with pytest.raises(OSError, match=f"download of {address} failed: .* answers 500"):
        keras_vae.VAE.from_preset(address)
    with pytest.raises(OSError, match=f"upload to {address} failed: .* answers 500"):
        keras_vae.upload_preset(address, saved)


# What is not there, or not for everybody ---------------------------------------------------------


def test_what_is_not_there_is_told_of(connect, kind, address, saved):
    hub = connect(kind)
    with pytest.raises(FileNotFoundError, match=f"There is no {address}"):
        keras_vae.VAE.from_preset(address)
    put(hub, saved)
    version, words = (
        ("@v9", "a branch, a tag") if address.startswith("hf") else ("/9", "its version")
    )
    with pytest.raises(FileNotFoundError, match=words):
        keras_vae.VAE.from_preset(address + version)


def test_what_is_private_loads_for_its_owner_alone(connect, kind, address, saved):
    hub = connect(kind)
    put(hub, saved, private=True)
    with pytest.raises(OSError, match=r"private.*log in") as caught:
        keras_vae.VAE.from_preset(address)
    assert isinstance(caught.value, FileNotFoundError | PermissionError)
    put(connect(kind, WRITERS[kind]), saved, private=True)
    check_is(keras_vae.VAE.from_preset(address), saved)


def test_what_is_gated_says_that_terms_are_to_be_accepted(connect, saved):
    put(connect("hf"), saved, gated=True)
    with pytest.raises(PermissionError, match=r"hf://me/tiny is gated\. Accept its terms"):
        keras_vae.VAE.from_preset("hf://me/tiny")


@pytest.mark.parametrize("who", ["nobody", "somebody else"])
def test_who_may_not_write_is_told_so_and_nothing_is_stored(connect, kind, address, saved, who):
    token = {"hf": "write:you", "kaggle": "you"}[kind] if who == "somebody else" else None
    hub = connect(kind, token)
    with pytest.raises(PermissionError, match=f"You may not write to {address}: log in"):
        keras_vae.upload_preset(address, saved)
    assert (hub.repositories if kind == "hf" else hub.models) == {}


def test_a_repository_of_another_preset_is_left_alone(connect, saved, tmp_path):
    hub = connect("hf", "write:me")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/config.json").write_text("{}")
    put(hub, tmp_path / "theirs")
    with pytest.raises(ValueError, match=r"holds one card.*\['config.json'\].*another repository"):
        keras_vae.upload_preset("hf://me/tiny", saved)
    assert files(hub) == {"config.json": b"{}"}


# What strangers put there ------------------------------------------------------------------------


@pytest.fixture
def hostile(saved, tmp_path, monkeypatch):
    """A preset whose configuration names code, for which its card vouches; and what code makes."""
    witness = tmp_path / "witness"
    monkeypatch.setenv("WITNESS", str(witness))
    folder = Path(shutil.copytree(saved, tmp_path / "hostile"))
    with zipfile.ZipFile(folder / "tiny.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["likelihood"] = keras.saving.serialize_keras_object(
        lambda *_: __import__("pathlib").Path(__import__("os").environ["WITNESS"]).touch()
    )
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(folder / "tiny.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    vouch(folder)
    (folder / "modeling.py").write_text("open(__import__('os').environ['WITNESS'], 'w')")
    return folder, witness


def vouch(folder, **changes):
    card = json.loads((folder / "tiny.json").read_text())
    digest = hashlib.sha256((folder / "tiny.keras").read_bytes()).hexdigest()
    (folder / "tiny.json").write_text(json.dumps({**card, "sha256": digest, **changes}))


def test_a_model_that_carries_code_is_refused_and_the_code_does_not_run(
    connect, kind, address, hostile
):
    folder, witness = hostile
    put(connect(kind), folder)
    with pytest.raises(ValueError, match=r"does not load with these versions"):
        keras_vae.VAE.from_preset(address)
    assert not witness.exists()


def test_of_a_repository_only_cards_and_models_are_fetched(connect, hostile, tmp_path):
    hub = connect("hf")
    put(hub, hostile[0])
    folder = hubs.download("hf://me/tiny")
    assert {path.name for path in folder.iterdir()} == {"tiny.json", "tiny.keras"}


def test_what_is_no_preset_is_refused(connect, kind, address, tmp_path):
    hub = connect(kind)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/model.safetensors").write_bytes(b"weights")
    put(hub, tmp_path / "theirs")
    with pytest.raises(
        ValueError, match=rf"holds one card, a \.json file\. Received: {address} with 0"
    ):
        keras_vae.VAE.from_preset(address)


def test_a_preset_of_a_newer_format_is_refused(connect, kind, address, saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "newer"))
    vouch(folder, format=presets.CARD_FORMAT + 1)
    hub = connect(kind)
    put(hub, folder)
    with pytest.raises(ValueError, match=r"of format 2, .* reads 1 to 1\. Upgrade keras_vae"):
        keras_vae.VAE.from_preset(address)
    assert fetched(hub, "tiny.json") == 1


# What is checked before a hub is asked -----------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["hf://", "hf://me", "hf://me/tiny/more", "hf://me/tiny@", "hf://me/../tiny", "hf://me/ti ny",
     "kaggle://me/tiny", "kaggle://me/tiny/keras/small/latest", "kaggle://me/tiny/keras/small/0",
     "s3://me/tiny", "https://huggingface.co/me/tiny"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_both_directions(saved, address):
    with pytest.raises(ValueError, match=r"Expected (hf|kaggle)://[A-Z]+/"):
        keras_vae.VAE.from_preset(address)
    with pytest.raises(ValueError, match=r"Expected (hf|kaggle)://[A-Z]+/"):
        keras_vae.upload_preset(address, saved)


@pytest.mark.parametrize("address", ["hf://me/tiny@main", "kaggle://me/tiny/keras/small/1"])
def test_an_upload_names_no_version(saved, address):
    with pytest.raises(ValueError, match="becomes a new version, which the hub names"):
        keras_vae.upload_preset(address, saved)


def test_a_damaged_preset_is_not_uploaded(connect, kind, address, saved, tmp_path):
    hub = connect(kind, WRITERS[kind])
    folder = Path(shutil.copytree(saved, tmp_path / "tiny"))
    (folder / "tiny.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"damaged or altered.*Fetch both files anew"):
        keras_vae.upload_preset(address, folder)
    assert hub.requests == []


def test_what_is_no_vae_is_not_uploaded(connect, kind, address, saved, tmp_path):
    hub = connect(kind, WRITERS[kind])
    folder = Path(shutil.copytree(saved, tmp_path / "tiny"))
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(folder / "tiny.keras")
    vouch(folder)
    with pytest.raises(ValueError, match=r"is a Sequential\. Expected: a VAE"):
        keras_vae.upload_preset(address, folder)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"license": "Apache License 2.0"},
            r'`license`\. Expected an identifier such as "apache-2.0"',
        ),
        ({"license": 2}, "`license`"),
        ({"private": "no"}, "`private`"),
    ],
)
def test_what_an_upload_does_not_take(connect, kind, address, saved, arguments, message):
    hub = connect(kind, WRITERS[kind])
    with pytest.raises(ValueError, match=message):
        keras_vae.upload_preset(address, saved, **arguments)
    assert hub.requests == []


def test_who_wants_it_private_gets_it_private(connect, saved):
    hub = connect("hf", "write:me")
    keras_vae.upload_preset("hf://me/tiny", saved, private=True)
    assert hub.repositories["me/tiny"]["private"] is True
    keras_vae.upload_preset("hf://me/other", saved)
    assert hub.repositories["me/other"]["private"] is False


@pytest.mark.parametrize(
    ("package", "extra"), [("huggingface_hub", "huggingface"), ("kagglehub", "kaggle")]
)
def test_a_client_that_is_not_installed_is_told_of(saved, monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    address = ADDRESSES["hf" if extra == "huggingface" else "kaggle"]
    for use in (keras_vae.VAE.from_preset, lambda to: keras_vae.upload_preset(to, saved)):
        with pytest.raises(ImportError, match=rf"`{package}`.*'keras-vae\[{extra}\]'"):
            use(address)
