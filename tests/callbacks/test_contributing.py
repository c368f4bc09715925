"""Tests that the callbacks of CONTRIBUTING.md are whole, as printed."""

import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def printed(name):
    """The class of that name, as CONTRIBUTING.md has it."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (source,) = [block for block in blocks if f"class {name}(" in block]
    namespace = {}
    exec(source, namespace)
    return namespace[name]


def fit(vae, images, callbacks=(), **kwargs):
    history = vae.fit(
        images, batch_size=10, verbose=0, shuffle=False, callbacks=list(callbacks), **kwargs
    )
    return history.history


def test_the_printed_callback_that_draws(make_vae, images, tmp_path):
    Interpolation = printed("Interpolation")
    plain, vae = make_vae(eager=True), make_vae(eager=True)
    fit(plain, images, epochs=2)
    fit(vae, images, [Interpolation(images[:2], tmp_path, num_steps=3)], epochs=2)
    for one, other in zip(vae.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    folder = tmp_path / "interpolations"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch_0001.png", "epoch_0002.png"]
    picture = np.asarray(Image.open(folder / "epoch_0002.png"))
    assert picture.shape == (36, 3 * 34 + 2)
    loc = vae.encode(images[:2]).mean().numpy()
    middle = vae.decode(loc.mean(axis=0, keepdims=True)).mean().numpy().reshape(4, 4)
    cell = picture[2 + 4 : 34 : 8, 34 + 2 + 4 : 2 * 34 : 8]
    np.testing.assert_allclose(cell, 255 * middle, atol=1)


def test_it_says_before_the_first_step_what_does_not_fit(make_vae, images, tmp_path):
    Interpolation = printed("Interpolation")
    vae = make_vae(eager=True)
    with pytest.raises(ValueError, match="do not fit the model"):
        fit(vae, images, [Interpolation(np.zeros((2, 5, 5), np.float32), tmp_path)])
    with pytest.raises(ValueError, match=r"`num_steps`\. Expected an integer of at least 2"):
        Interpolation(images[:2], tmp_path, num_steps=1)
    assert int(vae.optimizer.iterations) == 0


def test_the_printed_callback_that_logs(make_vae, images, tmp_path):
    WeightNorm = printed("WeightNorm")
    plain, vae = make_vae(eager=True), make_vae(eager=True)
    fit(plain, images, epochs=2)
    norms = fit(vae, images, [WeightNorm(tmp_path)])["weight_norm"]
    # A second run goes on in the same table.
    norms += fit(vae, images, [WeightNorm(tmp_path)])["weight_norm"]
    for one, other in zip(vae.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    frame = pandas.read_csv(tmp_path / "weight_norm.csv")
    assert list(frame.columns) == ["step", "epoch", "weight_norm"]
    assert list(frame["step"]) == [2, 4]
    np.testing.assert_allclose(frame["weight_norm"], norms)
    weights = np.concatenate([weight.numpy().ravel() for weight in vae.trainable_weights])
    assert norms[-1] == pytest.approx(np.linalg.norm(weights), rel=1e-5)
