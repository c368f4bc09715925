import numpy as np

from keras_vae.callbacks.beta_schedule import BetaSchedule


def test_sets_beta_before_each_step(make_vae, images):
    vae = make_vae(beta=1.0)
    schedule = BetaSchedule("cyclical", end=2.0, warmup_epochs=1, num_cycles=1, rise=0.8)
    vae.fit(images, batch_size=4, verbose=0, callbacks=[schedule])
    betas = [vae.step_logs(step)["beta"] for step in range(1, 6)]
    np.testing.assert_allclose(betas, [0, 0.5, 1, 1.5, 2], rtol=1e-6)


def test_is_linear_from_0_to_1_unless_told_otherwise():
    schedule = BetaSchedule(warmup_steps=4)
    assert [schedule.value(step) for step in (0, 1, 4, 9)] == [0.0, 0.25, 1.0, 1.0]
