"""Tests of the capacity loss: its value, its gradient, and the schedule that moves it."""

import keras
import numpy as np
import pytest

from keras_vae.callbacks import CapacitySchedule
from keras_vae.objectives import AnnealedVAE, BetaVAE


def step_of(vae, images):
    """The logs of one step of plain gradient descent at rate 1, and the gradient."""
    before = [weight.numpy() for weight in vae.trainable_weights]
    logs = vae.train_on_batch(images, return_dict=True)
    after = [weight.numpy() for weight in vae.trainable_weights]
    return logs, np.concatenate([np.ravel(a - b) for a, b in zip(before, after, strict=True)])


def made(make_vae, cls, **arguments):
    return make_vae(cls, optimizer=keras.optimizers.SGD(1.0), eager=True, **arguments)


def test_at_capacity_0_it_is_the_beta_vae(make_vae, images):
    annealed, gradient = step_of(made(make_vae, AnnealedVAE, gamma=3.0), images)
    plain, expected = step_of(made(make_vae, BetaVAE, beta=3.0), images)
    assert annealed["loss"] == pytest.approx(plain["loss"], rel=1e-6)
    assert annealed["capacity_loss"] == pytest.approx(plain["kl_loss"], rel=1e-6)
    assert annealed["kl_loss"] == pytest.approx(plain["kl_loss"], rel=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert np.abs(expected).max() > 0.1


def test_below_the_capacity_the_kl_is_pushed_up(make_vae, images):
    logs, gradient = step_of(made(make_vae, AnnealedVAE, gamma=3.0, capacity=50.0), images)
    assert logs["capacity_loss"] == pytest.approx(50 - logs["kl_loss"], rel=1e-6)
    expected = logs["reconstruction_loss"] + 3 * (50 - logs["kl_loss"])
    assert logs["loss"] == pytest.approx(expected, rel=1e-6)
    _, at_0 = step_of(made(make_vae, BetaVAE, beta=0.0), images)
    _, at_3 = step_of(made(make_vae, BetaVAE, beta=3.0), images)
    np.testing.assert_allclose(gradient, at_0 - (at_3 - at_0), atol=1e-5)


def test_the_kl_follows_the_capacity(make_vae, images):
    vae = make_vae(AnnealedVAE, gamma=100.0, capacity=4.0, optimizer=keras.optimizers.Adam(0.02))
    many = np.tile(images, (150, 1, 1, 1))
    vae.fit(many, batch_size=20, shuffle=False, verbose=0)
    kl = [vae.step_logs(step)["kl_loss"] for step in range(1, 151)]
    assert kl[0] < 2
    assert np.mean(kl[-30:]) == pytest.approx(4.0, abs=0.2)


def test_a_schedule_moves_the_capacity_and_it_is_saved(make_vae, images, tmp_path):
    vae = make_vae(AnnealedVAE, gamma=2.0, eager=True)
    schedule = CapacitySchedule(end=6.0, warmup_steps=6)
    vae.fit(images, batch_size=5, verbose=0, callbacks=[schedule])
    for step in range(4):
        logs = vae.step_logs(step + 1)
        assert logs["capacity_loss"] == pytest.approx(abs(logs["kl_loss"] - step), rel=1e-5)
    assert float(vae.capacity) == 3.0
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert (float(again.capacity), float(again.gamma)) == (3.0, 2.0)
    # The config describes the start.
    assert vae.get_config()["capacity"] == 0.0


@pytest.mark.parametrize("name", ["gamma", "capacity"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_its_numbers_are_finite_and_not_negative(make_vae, name, value):
    with pytest.raises(ValueError, match=rf"`{name}`. Expected a finite number of at least 0"):
        make_vae(AnnealedVAE, **{name: value})
