"""Tests that Keras's early stopping stands on what the model logs, as the page says."""

import re
from pathlib import Path

import keras
import pytest

PAGE = Path(__file__).parents[2] / "docs/callbacks.md"


def fit(make_vae, images, stop):
    # Up the loss, so that the bound falls from the first epoch on.
    vae = make_vae(optimizer=keras.optimizers.SGD(-0.01), eager=True)
    options = {"validation_data": images, "epochs": 9, "verbose": 0, "batch_size": 20}
    return vae.fit(images, callbacks=[stop], **options).history["val_elbo"]


@pytest.mark.slow
def test_the_line_of_the_page_stops_on_the_bound(make_vae, images):
    pattern = r"`(keras\.callbacks\.EarlyStopping\(\"val_elbo\".*?\))`"
    (line,) = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    bounds = fit(make_vae, images, eval(line))
    assert bounds[0] == max(bounds)
    assert len(bounds) == 1 + 5


def test_without_a_mode_keras_asks_for_it(make_vae, images):
    with pytest.raises(ValueError, match="Pass `mode='max'`"):
        fit(make_vae, images, keras.callbacks.EarlyStopping("val_elbo"))
