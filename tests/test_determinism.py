"""The same seed gives the same weights, bit for bit, whatever looks on and however steps are run.

Of `keras_vae.VAE` and of every member of the family in `keras_vae.objectives`.
"""

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import networks, objectives
from keras_vae.callbacks import (
    ELBOLogger,
    LatentStatistics,
    LatentTraversal,
    LossCurves,
    PriorSamples,
    ReconstructionGrid,
    StopOnNonFinite,
)

FAMILY = getattr(objectives, "__all__", [])
NAMES = ["VAE", *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILY)]
# What classes need besides, or in a size for four pixels by four.
ARGUMENTS = {
    "ConditionalVAE": {"condition_dim": 2},
    "FactorVAE": {"discriminator_sizes": (4,)},
    "VampPriorVAE": {"num_pseudo_inputs": 4},
}
SHAPE, LATENTS, EPOCHS, BATCH = (4, 4, 1), 2, 3, 8


def train(images, name, callbacks=(), seed=3, **compile_kwargs):
    """Every number of a model after nine steps, with the twenty images in a seeded order."""
    keras.utils.set_random_seed(1)
    arguments = ARGUMENTS.get(name, {})
    vae = (getattr(keras_vae, name, None) or getattr(objectives, name))(
        networks.mlp_encoder(SHAPE, LATENTS, [5]),
        networks.mlp_decoder(SHAPE, LATENTS + arguments.get("condition_dim", 0), [5]),
        seed=seed,
        **arguments,
    )
    vae.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **compile_kwargs})
    labels = np.arange(20) % 2
    batches = keras_vae.datasets.from_arrays(images, labels, batch_size=BATCH, seed=5)
    vae.fit(batches, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
    variables = [*vae.weights, *vae.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def all_callbacks(images, folder):
    """Everything that looks at a model."""
    return [
        LatentStatistics(images[:6], folder),
        ELBOLogger(folder, frequency=1, print_table=False),
        LossCurves(folder),
        ReconstructionGrid(images[:3], folder, frequency=2),
        LatentTraversal(folder, images=images[:6], num_steps=2),
        PriorSamples(folder),
        StopOnNonFinite(folder),
    ]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_with_and_without_callbacks(images, tmp_path, name):
    watched = train(images, name, all_callbacks(images, tmp_path))
    assert_same(watched, train(images, name))
    assert (tmp_path / "elbo.csv").read_text().count("\n") == 1 + 9


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_weights(images, name):
    one, other = (train(images, name, seed=seed, run_eagerly=True) for seed in (3, 4))
    differ = any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    # It draws nothing.
    assert differ == (name != "Autoencoder")


@pytest.mark.parametrize(
    ("name", "steps_per_execution"),
    # One step an execution differs from four in the loop around it alone.
    [("VAE", 1), ("VAE", 4), *(pytest.param(name, 4, marks=pytest.mark.slow) for name in FAMILY)],
)
def test_under_xla(images, name, steps_per_execution):
    how = {"jit_compile": True, "steps_per_execution": steps_per_execution}
    one, other = (train(images, name, **how) for _ in range(2))
    assert_same(one, other)
    plain = train(images, name)
    for compiled, expected in zip(one, plain, strict=True):
        # XLA rounds other sums; an Adam step of 0.01 amplifies what it rounds near 0.
        np.testing.assert_allclose(compiled, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_several_steps_an_execution_without_xla(images, name):
    one, other = (train(images, name, steps_per_execution=4) for _ in range(2))
    assert_same(one, other)
    for several, single in zip(one, train(images, name), strict=True):
        np.testing.assert_allclose(several, single, rtol=1e-5, atol=1e-6)
