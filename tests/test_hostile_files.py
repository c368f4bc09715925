"""Files from strangers: refused with a message, and whatever code they carry does not run.

Every card here vouches for its model, as a stranger's would.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import presets

SHAPE = (4, 4, 1)
PARTS = ("metadata.json", "config.json", "model.weights.h5")


def make_vae(encoder=None):
    keras.utils.set_random_seed(0)
    encoder = encoder or keras_vae.networks.mlp_encoder(SHAPE, 2, [8])
    return keras_vae.VAE(encoder, keras_vae.networks.mlp_decoder(SHAPE, 2, [8]), seed=0)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of a preset with nothing wrong."""
    folder = tmp_path_factory.mktemp("original") / "tiny"
    make_vae().save_to_preset(folder)
    return folder


@pytest.fixture
def preset(original, tmp_path):
    """A copy to alter."""
    return Path(shutil.copytree(original, tmp_path / "tiny"))


@pytest.fixture
def witness(tmp_path, monkeypatch):
    """What hostile code would make."""
    path = tmp_path / "witness"
    monkeypatch.setenv("WITNESS", str(path))
    return path


def vouch(preset, **changes):
    """Makes the card describe the model's file as it is."""
    card = json.loads((preset / "tiny.json").read_text())
    digest = hashlib.sha256((preset / "tiny.keras").read_bytes()).hexdigest()
    (preset / "tiny.json").write_text(json.dumps({**card, "sha256": digest, **changes}))


def repack(preset, parts=(), compression=zipfile.ZIP_STORED, **replaced):
    """Writes the archive anew: with other contents by stem, and with further `(name, content)`."""
    path = preset / "tiny.keras"
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in PARTS}
    for name in PARTS:
        contents[name] = replaced.get(name.split(".")[0], contents[name])
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in [*contents.items(), *parts]:
            archive.writestr(name, content)
    vouch(preset)


def configuration(preset):
    with zipfile.ZipFile(preset / "tiny.keras") as archive:
        return json.loads(archive.read("config.json"))


def load(preset):
    return keras_vae.VAE.from_preset(preset)


def test_what_is_only_packed_anew_loads(preset):
    repack(preset, compression=zipfile.ZIP_DEFLATED)
    for one, other in zip(load(preset).get_weights(), make_vae().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Archives --------------------------------------------------------------------------------------


def test_a_flipped_byte_never_gives_other_weights(preset):
    path = preset / "tiny.keras"
    content = path.read_bytes()
    expected = make_vae().get_weights()
    refused = 0
    for position in np.random.default_rng(0).choice(len(content), 40, replace=False):
        altered = bytearray(content)
        altered[position] ^= 0xFF
        path.write_bytes(altered)
        vouch(preset)
        try:
            weights = load(preset).get_weights()
        except ValueError as error:
            assert "is no Keras model" in str(error) or "does not load" in str(error)
            refused += 1
        else:  # A date, for example.
            for one, other in zip(weights, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    assert refused > 30


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_archive_is_refused(preset, part):
    path = preset / "tiny.keras"
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    vouch(preset)
    with pytest.raises(ValueError, match="is no Keras model"):
        load(preset)


def test_a_small_archive_of_gigabytes_is_refused_unread(preset, monkeypatch):
    path = preset / "tiny.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in PARTS:
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(1025 if name == "config.json" else 1):
                    file.write(bytes(2**20))
    vouch(preset)
    assert path.stat().st_size < 2**24
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes, more than the 1073741824"):
        load(preset)


def test_an_array_of_terabytes_that_takes_no_room_is_refused(preset):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/dense/vars/0", (2**20, 2**20), "f4", chunks=(1024, 1024))
    repack(preset, model=buffer.getvalue())
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes"):
        load(preset)


def test_a_model_file_of_gigabytes_is_refused_unread(preset, monkeypatch):
    with (preset / "tiny.keras").open("r+b") as file:
        file.truncate(2**40)
    monkeypatch.setattr(presets, "_digest", lambda _: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="unpacks to 1099511627776 bytes"):
        load(preset)


@pytest.mark.parametrize("link", ["external link", "soft link", "external array"])
def test_weights_that_point_into_other_files_are_refused(preset, tmp_path, link):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["0"] = np.ones(8, np.float32)
    with zipfile.ZipFile(preset / "tiny.keras") as archive:
        buffer = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(buffer, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name))
        bias = next(n for n in names if isinstance(file[n], h5py.Dataset) and file[n].shape == (8,))
        del file[bias]
        if link == "external link":
            file[bias] = h5py.ExternalLink(str(secret), "0")
        elif link == "soft link":
            file["elsewhere"] = np.ones(8, np.float32)
            file[bias] = h5py.SoftLink("/elsewhere")
        else:
            file.create_dataset(bias, (8,), "f4", external=[(str(secret), 0, 32)])
    repack(preset, model=buffer.getvalue())
    with pytest.raises(ValueError, match="does not load with these versions"):
        load(preset)


@pytest.mark.parametrize("name", ["../{}", "assets/../../{}", "{}", "assets/../../../{}"])
def test_names_that_climb_out_of_the_archive_are_refused(preset, witness, name):
    name = name.format(witness if name == "{}" else witness.name)
    repack(preset, parts=[(name, b"")])
    with pytest.raises(ValueError, match="is no Keras model: it holds"):
        load(preset)
    assert not witness.exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(preset):
    repack(preset, parts=[("config.json", b"{}")])
    with pytest.raises(ValueError, match=r"it holds \['config.json', 'config.json'"):
        load(preset)


# Configurations --------------------------------------------------------------------------------


def lambda_code():
    """A Python lambda that touches the witness, as Keras stores it."""
    return keras.saving.serialize_keras_object(
        lambda *_: __import__("pathlib").Path(__import__("os").environ["WITNESS"]).touch()
    )


HOSTILE = {
    "a function of os": {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
    },
    "a builtin": {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "exec",
    },
    "a class of subprocess": {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": "touch $WITNESS", "shell": True},
        "registered_name": None,
    },
    "a module to import": {
        "module": "payload",
        "class_name": "Payload",
        "config": {},
        "registered_name": None,
    },
    "a module below one of Keras's name": {
        "module": "keras.payload",
        "class_name": "Payload",
        "config": {},
        "registered_name": None,
    },
    "a function of Keras that is no part of models": {
        "module": "keras.utils",
        "class_name": "function",
        "config": "get_file",
        "registered_name": "get_file",
    },
    "a function inside Keras": {
        "module": "keras.src.utils.file_utils",
        "class_name": "function",
        "config": "extract_archive",
        "registered_name": "extract_archive",
    },
    "a graph from elsewhere": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "saved_model"},
        "registered_name": None,
    },
    "a pickle": {
        "module": "keras.layers",
        "class_name": "TorchModuleWrapper",
        "config": {"module": "gASVAAAA"},
        "registered_name": None,
    },
    "a file to read": {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"vocabulary": "/etc/passwd"},
        "registered_name": None,
    },
}


@pytest.mark.parametrize("place", ["likelihood", "prior", "encoder", "decoder", "whole"])
@pytest.mark.parametrize("hostile", [*HOSTILE, "a lambda"])
def test_a_configuration_that_names_code_is_refused(
    preset, witness, tmp_path, monkeypatch, hostile, place
):
    (tmp_path / "payload.py").write_text(
        "import os, pathlib\npathlib.Path(os.environ['WITNESS']).touch()"
    )
    monkeypatch.syspath_prepend(tmp_path)
    contents = configuration(preset)
    payload = HOSTILE.get(hostile) or lambda_code()
    if place == "whole":
        contents = payload
    else:
        contents["config"][place] = payload
    repack(preset, config=json.dumps(contents))
    with pytest.raises(ValueError, match=r"does not load with these versions. Made with: {"):
        load(preset)
    assert not witness.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b"\xff\xfe{}",
        b'{"a":' * 100_000,
        b'{"class_name": "VAE"}',
        b'{"class_name": "Nobody", "config": {}, "registered_name": "keras_vae>Nobody"}',
    ],
    ids=lambda text: text[:20].decode(errors="replace") or "empty",
)
def test_a_configuration_that_is_none_is_refused(preset, text):
    repack(preset, config=text)
    with pytest.raises(ValueError, match=r"does not load|is a \w+\. Expected: a VAE"):
        load(preset)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("beta", float("nan")),
        ("beta", "1; import os"),
        ("reduction", "product"),
        ("seed", -1),
        ("encoder", None),
        ("likelihood", {"class_name": "Bernoulli"}),
        ("hyperprior", 0.5),
    ],
)
def test_a_value_that_the_model_does_not_take_is_refused(preset, argument, value):
    contents = configuration(preset)
    contents["config"][argument] = value
    repack(preset, config=json.dumps(contents))
    with pytest.raises(ValueError, match="does not load with these versions"):
        load(preset)


def test_weights_of_another_shape_are_refused(preset, tmp_path):
    other = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 2, [9]), keras_vae.networks.mlp_decoder(SHAPE, 2, [9])
    )
    other.save(tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "other.keras") as archive:
        repack(preset, model=archive.read("model.weights.h5"))
    with pytest.raises(ValueError, match="does not load"):
        load(preset)


def test_a_model_of_newer_versions_is_refused_by_naming_them(preset):
    contents = configuration(preset)
    contents["config"]["hyperprior"] = {"module": "keras_vae", "class_name": "New", "config": {}}
    repack(
        preset,
        config=json.dumps(contents),
        metadata=json.dumps({"keras_version": "99.0.0", "date_saved": "2099-01-01@00:00:00"}),
    )
    vouch(preset, versions={"keras_vae": "99.0", "keras": "99.0.0"})
    with pytest.raises(ValueError, match=r"these versions. Made with: {'keras_vae': '99.0', 'ker"):
        load(preset)


# Keras's own way of loading --------------------------------------------------------------------


@pytest.fixture
def carrier(tmp_path, witness):
    """A VAE whose encoder carries code: a lambda inside a functional model inside the model."""
    inputs = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(inputs)
    h = keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(__import__("os").environ["WITNESS"]).touch(), x)[1],
        output_shape=(16,),
    )(flat)
    scale = keras.layers.Dense(2, activation="softplus")(h)
    encoder = keras.Model(inputs, {"loc": keras.layers.Dense(2)(h), "scale": scale})
    path = tmp_path / "carrier.keras"
    make_vae(encoder).save(path)
    witness.unlink(missing_ok=True)
    return path


def test_load_model_runs_no_code_that_a_part_of_a_vae_carries(carrier, witness):
    with pytest.raises(ValueError, match="Lambda"):
        keras.saving.load_model(carrier)
    assert not witness.exists()


def test_load_model_runs_it_for_who_says_so(carrier, witness):
    vae = keras.saving.load_model(carrier, safe_mode=False)
    vae.embed(np.zeros((1, *SHAPE), np.float32))
    assert witness.exists()


# Cards -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("name", 5, "'name' is missing or no str"),
        ("name", "../../../etc/passwd", r"it is the card of '\.\./\.\./\.\./etc/passwd'"),
        ("name", "/etc/passwd", "it is the card of '/etc/passwd'"),
        ("description", ["a"], "'description' is missing or no str"),
        ("sha256", None, "'sha256' is missing or no str"),
        ("sha256", "../../tiny", "damaged or altered"),
        ("versions", [], "'versions' is missing or no dict"),
        ("format", True, "'format' is missing or no int"),
        ("format", 1.0, "'format' is missing or no int"),
        ("format", 0, "format 0"),
        ("format", 10**30, "Upgrade"),
        ("figures", {"elbo": float("nan")}, "NaN is no JSON"),
        ("figures", {"elbo": float("-inf")}, "-Infinity is no JSON"),
        ("description", "x" * 2**20, "larger than 1048576 bytes"),
    ],
)
def test_a_card_that_lies_is_refused(preset, entry, value, message):
    card = json.loads((preset / "tiny.json").read_text())
    (preset / "tiny.json").write_text(json.dumps({**card, entry: value}))
    with pytest.raises(ValueError, match=message):
        load(preset)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"null", b'"text"', b'{"format": ' + b"1" * 5000 + b"}", b"{}\x00"],
    ids=["empty", "not UTF-8", "null", "text", "an endless number", "a zero byte"],
)
def test_a_card_that_is_none_is_refused(preset, content):
    (preset / "tiny.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"The card .* cannot be read"):
        load(preset)


def test_a_folder_of_two_cards_is_refused(preset):
    shutil.copy(preset / "tiny.json", preset / "other.json")
    with pytest.raises(ValueError, match="holds one card"):
        load(preset)


@pytest.mark.parametrize(
    "name", ["../saved_models/mnist_mlp", "mnist_mlp.json", "/etc/passwd", "hf:/some/one", "a\0b"]
)
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(ValueError, match="Unknown preset"):
        load(name)


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
@pytest.mark.parametrize("name", ["tiny.json", "tiny.keras"])
def test_what_is_no_regular_file_is_refused(preset, monkeypatch, name, kind):
    path = preset / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        monkeypatch.chdir(preset)  # The path of a socket may not be long.
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    # Opening a pipe waits for its writer: without end, where there is none.
    signal.alarm(60)
    message = "it is no regular file" if name == "tiny.json" else "lacks its model"
    try:
        with pytest.raises(ValueError, match=message):
            load(preset)
    finally:
        signal.alarm(0)
