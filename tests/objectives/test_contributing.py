"""Tests that the example of CONTRIBUTING.md is a whole member of the family, as printed."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_vae.callbacks import ValueSchedule

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_printed_member_trains_logs_saves_and_follows_a_schedule(make_vae, images, tmp_path):
    (source,) = re.findall(r"```python\n(import keras\n.*?)```", TEXT, re.DOTALL)
    namespace = {}
    exec(source, namespace)
    CentredVAE = namespace["CentredVAE"]

    vae = make_vae(CentredVAE, beta=0.5, eager=True)
    z = vae.reparameterize(
        vae.encode(images), vae.noise(20, (vae.latent_dim,), training=True)
    ).numpy()
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["centre_loss"] == pytest.approx(np.sum(z.mean(axis=0) ** 2), rel=1e-4)
    parts = logs["reconstruction_loss"] + 0.5 * logs["kl_loss"] + 10 * logs["centre_loss"]
    assert logs["loss"] == pytest.approx(parts, rel=1e-5)

    schedule = ValueSchedule("weight", warmup_steps=1000, end=20.0)
    history = vae.fit(
        images, validation_data=(images,), batch_size=10, verbose=0, callbacks=[schedule]
    ).history
    assert {"centre_loss", "val_centre_loss"} <= history.keys()
    assert float(vae.weight) == pytest.approx(20 * 2 / 1000)
    vae.weight.assign(20.0)
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert type(again) is CentredVAE and float(again.weight) == 20.0
    assert again.evaluate(images, verbose=0) == pytest.approx(vae.evaluate(images, verbose=0))
