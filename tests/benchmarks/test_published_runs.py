"""Tests that means are taken over the steps that the published ones are over."""

import keras
import numpy as np
import pytest

import keras_vae

SHAPE = (4, 4, 1)


class EveryStep(keras.callbacks.Callback):
    """Keeps every step's losses."""

    rows = ()

    def on_train_batch_end(self, batch, logs=None):
        now = int(self.model.optimizer.iterations)
        self.rows += tuple(
            self.model.step_logs(step) for step in range(len(self.rows) + 1, now + 1)
        )


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_means_are_over_every_fiftieth_step(load_program, steps_per_execution):
    program = load_program("benchmarks/published_runs.py")
    images = np.random.default_rng(0).random((120, *SHAPE), dtype=np.float32)
    model = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, 2, [4]),
        keras_vae.networks.mlp_decoder(SHAPE, 2, [4]),
        seed=0,
    )
    model.compile("adam", steps_per_execution=steps_per_execution, jit_compile=False)
    means, every = program.EveryFiftiethStep(), EveryStep()
    model.fit(images, batch_size=2, epochs=2, verbose=0, callbacks=[means, every])
    assert len(every.rows) == 120
    # Steps 1 and 51, then 101, counted from 1 through both epochs.
    for name in ("reconstruction", "kl"):
        values = [row[f"{name}_loss"] for row in every.rows]
        assert means.figures[f"{name} 1"] == pytest.approx((values[0] + values[50]) / 2)
        assert means.figures[f"{name} 2"] == pytest.approx(values[100])


def test_the_networks_are_those_of_disentangling_vae(load_program):
    encoder, decoder = load_program("benchmarks/published_runs.py").burgess_networks((64, 64, 1))
    # As many as the published weights of those that were trained on dSprites.
    assert (encoder.count_params(), decoder.count_params()) == (252_052, 249_953)
