"""Tests of what members with a second optimizer have in common."""

import numpy as np
import pytest

from keras_vae.callbacks import Resume
from keras_vae.objectives import VAEGAN, AdversarialAutoencoder, FactorVAE

each = pytest.mark.parametrize("cls", [AdversarialAutoencoder, FactorVAE, VAEGAN])


@pytest.mark.exhaustive
@each
def test_a_resumed_run_goes_on_with_the_discriminators_optimizer(make_vae, images, tmp_path, cls):
    def run(folder, epochs):
        vae = make_vae(cls, discriminator_sizes=(8,), eager=True)
        resume = Resume(tmp_path / folder)
        vae.fit(images, batch_size=10, shuffle=False, epochs=epochs, verbose=0, callbacks=[resume])
        variables = [*vae.trainable_weights, *vae.discriminator_optimizer.variables]
        return [variable.numpy() for variable in [*variables, *vae.discriminator.weights]]

    run("stopped", 1)
    for found, expected in zip(run("stopped", 2), run("whole", 2), strict=True):
        np.testing.assert_array_equal(found, expected)


@each
def test_a_step_trains_both_and_evaluation_neither(make_vae, images, cls):
    vae = make_vae(cls, discriminator_sizes=(8,), eager=True)
    vae.train_on_batch(images)
    assert (int(vae.optimizer.iterations), int(vae.discriminator_optimizer.iterations)) == (1, 1)
    before = vae.discriminator.get_weights()
    assert not any(weight.trainable for weight in vae.discriminator.weights)
    vae.evaluate(images, verbose=0)
    for found, expected in zip(vae.discriminator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    vae.train_on_batch(images)
    assert np.abs(vae.discriminator.get_weights()[0] - before[0]).max() > 1e-6
