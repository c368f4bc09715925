"""Models that version 0.1 saved, one of every kind, load and compute what they did then.

`data/saved_by_0_1/figures.json` holds what that version computed from them: every 37th pixel of the
reconstructions, the logs of a test step, and the logs of the training step after the one that the
files were saved at.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

FOLDER = Path(__file__).parent / "data" / "saved_by_0_1"
FIGURES = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
LABELS = np.arange(20) % 3


def test_there_is_one_of_every_kind():
    assert sorted(FIGURES) == sorted(path.stem for path in FOLDER.glob("*.keras"))
    assert len(FIGURES) == 15


@pytest.mark.parametrize("name", FIGURES)
def test_it_loads_computes_and_trains_on_as_it_did(images, name):
    vae, figures = keras.saving.load_model(FOLDER / f"{name}.keras"), FIGURES[name]
    condition = LABELS if name == "ConditionalVAE" else None
    pixels = np.ravel(vae.reconstruct(images, condition=condition))[::37]
    np.testing.assert_allclose(pixels, figures["reconstruction"], atol=1e-5)
    test = vae.test_on_batch(images, LABELS, return_dict=True)
    assert test == pytest.approx(figures["test"], rel=1e-4, abs=1e-5)
    # With the optimizer's state and the noise of that step.
    step = vae.train_on_batch(images[:12], LABELS[:12], return_dict=True)
    assert step == pytest.approx(figures["next_step"], rel=1e-4, abs=1e-5)
