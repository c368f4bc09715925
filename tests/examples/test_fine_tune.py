"""Fine-tuning, from a tiny model that was trained on images like the new ones."""

import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import presets
from keras_vae.evaluation import evaluate_elbo

pytestmark = pytest.mark.usefixtures("steps_one_by_one")

# Images of one bright half, left or right: a model learns them in seconds.
SIDES = np.random.default_rng(0).integers(0, 2, 320)
IMAGES = np.full((320, 4, 4, 1), 0.02, np.float32)
for image, side in zip(IMAGES, SIDES, strict=True):
    image[:, 2 * side : 2 * side + 2] = 0.98
TEST_IMAGES = IMAGES[256:]


@pytest.fixture
def example(load_program):
    return load_program("examples/fine_tune.py")


@pytest.fixture
def loaded(monkeypatch):
    """The bright halves for every data set; records which was asked for."""
    names = []

    def load(name, batch_size):
        names.append(name)
        splits = (IMAGES[:256], TEST_IMAGES)
        return tuple(tf.data.Dataset.from_tensor_slices(x).batch(batch_size) for x in splits)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    return names


@pytest.fixture
def preset(make_vae, tmp_path):
    """A model that has half learned the images."""
    vae = make_vae(optimizer=keras.optimizers.Adam(0.03))
    vae.fit(IMAGES[:256], batch_size=32, epochs=5, verbose=0)
    vae.save_to_preset(tmp_path / "tiny")
    return tmp_path / "tiny"


def elbo(vae):
    batches = tf.data.Dataset.from_tensor_slices(TEST_IMAGES).batch(128)
    return evaluate_elbo(vae, batches, progress=False)["elbo"]


@pytest.mark.exhaustive
def test_the_bound_rises_from_the_preset_and_stays_above_that_of_a_new_model(
    example, loaded, preset, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "new" / "folder" / "tuned.keras"
    options = ["--preset", str(preset), "--dataset", "halves", "--epochs", "15"]
    monkeypatch.setattr(sys, "argv", ["fine_tune.py", *options, "--output", str(output)])

    example.main()

    printed = re.findall(r"^ELBO (.+?): +(-\d+\.\d\d) nats$", capsys.readouterr().out, re.M)
    bounds = {name: float(value) for name, value in printed}
    assert list(bounds) == ["before", "after", "from nothing"]
    assert loaded == ["halves"]
    before, tuned = keras_vae.VAE.from_preset(preset), keras.saving.load_model(output)
    assert bounds["before"] == pytest.approx(elbo(before), abs=0.01)
    assert bounds["after"] == pytest.approx(elbo(tuned), abs=0.01)
    assert int(tuned.optimizer.iterations) == 30
    # In nats, of about eight: far more than one sample an image makes uncertain.
    assert bounds["after"] > bounds["before"] + 0.1
    assert bounds["after"] > bounds["from nothing"] + 0.5


def test_the_defaults_need_no_network_and_name_a_shipped_model(example, monkeypatch):
    class Stop(Exception):
        pass

    asked = []

    def load(name, batch_size):
        asked.append(name)
        raise Stop

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    monkeypatch.setattr(sys, "argv", ["fine_tune.py"])
    with pytest.raises(Stop):
        example.main()
    assert asked == ["typeset_digits"]
    assert "mnist_mlp" in presets.names()
