"""The same seed gives the same weights, bit for bit, whatever looks on and however steps are run.

Of `keras_vae.VAE` and of every member of the family in `keras_vae.objectives`.
"""

import functools

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
NAMES = ["VAE", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in FAMILY)]
# What classes need besides, or in a size for four pixels by four.
ARGUMENTS = {
    "ConditionalVAE": {"condition_dim": 2},
    "FactorVAE": {"discriminator_sizes": (4,)},
    "MSSSIMVAE": {"filter_size": 3},
    "VampPriorVAE": {"num_pseudo_inputs": 4},
}
SHAPE, LATENTS, EPOCHS, BATCH = (4, 4, 1), 2, 3, 8


class Trained:
    """A model that is compiled once, and trained from its beginnings as often as it is asked to."""

    def __init__(self, name, seed=3, **compile_kwargs):
        keras.utils.set_random_seed(1)
        arguments = ARGUMENTS.get(name, {})
        self.model = (getattr(keras_vae, name, None) or getattr(objectives, name))(
            networks.mlp_encoder(SHAPE, LATENTS, [5]),
            networks.mlp_decoder(SHAPE, LATENTS + arguments.get("condition_dim", 0), [5]),
            seed=seed,
            **arguments,
        )
        self.model.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **compile_kwargs})
        self.model.prepare_to_train()
        self._values = self.numbers()

    def numbers(self):
        return [keras.ops.convert_to_numpy(variable) for variable in self._variables()]

    def _variables(self):
        other = getattr(self.model, "discriminator_optimizer", None)
        variables = [*self.model.weights, *self.model.optimizer.variables]
        return variables if other is None else [*variables, *other.variables]

    def train(self, images, callbacks=()):
        """Every number of the model after nine steps, with the 24 images in a seeded order."""
        for variable, value in zip(self._variables(), self._values, strict=True):
            variable.assign(value)
        keras.utils.set_random_seed(1)
        labels = np.arange(len(images)) % 2
        batches = keras_vae.datasets.from_arrays(images, labels, batch_size=BATCH, seed=5)
        self.model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
        return self.numbers()


@pytest.fixture(scope="module")
def images(images):
    """Three whole batches: under XLA every size of a batch costs a compilation."""
    return np.concatenate([images, 1 - images[:4]])


@pytest.fixture(scope="module")
def plain(images):
    """What a model and its numbers are after steps one by one, without XLA, seen by nobody."""

    @functools.cache
    def train(name):
        trained = Trained(name)
        return trained, trained.train(images)

    return train


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


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_with_and_without_callbacks(plain, images, tmp_path, name):
    trained, expected = plain(name)
    assert_same(trained.train(images, all_callbacks(images, tmp_path)), expected)
    assert (tmp_path / "elbo.csv").read_text().count("\n") == 1 + 9


def test_a_second_model_of_the_same_seed_is_the_same(plain, images):
    assert_same(Trained("VAE").train(images), plain("VAE")[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_weights(images, name):
    one, other = (Trained(name, seed=seed, run_eagerly=True).train(images) for seed in (3, 4))
    differ = any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    # These draw nothing.
    assert differ == (name not in ("Autoencoder", "RAE"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how"),
    [("VAE", {"steps_per_execution": 1, "jit_compile": True})]
    # Left to choose, several steps run in a compiled loop; given their number, as many do.
    + [("VAE", {"steps_per_execution": 4, "jit_compile": True})]
    + [("VAE", {"jit_compile": "auto"})]
    # Two optimizers, and several samples.
    + [(name, {"jit_compile": "auto"}) for name in ("FactorVAE", "IWAE")]
    + [
        pytest.param(name, {"jit_compile": "auto"}, marks=pytest.mark.exhaustive)
        for name in FAMILY
        if name not in ("FactorVAE", "IWAE")
    ],
)
def test_under_xla(plain, images, name, how):
    trained = Trained(name, **how)
    one, other = (trained.train(images) for _ in range(2))
    assert_same(one, other)
    model, expected = plain(name)
    for compiled, number in zip(one, expected, strict=True):
        # XLA rounds other sums; an Adam step of 0.01 amplifies what it rounds near 0.
        np.testing.assert_allclose(compiled, number, rtol=1e-3, atol=1e-4)
    for step in (1, 9):
        logs = model.model.step_logs(step)
        assert trained.model.step_logs(step) == pytest.approx(logs, rel=1e-3, abs=1e-4)


@pytest.mark.exhaustive
# One optimizer, and two.
@pytest.mark.parametrize("name", ["VAE", "FactorVAE"])
def test_several_steps_an_execution_without_xla(plain, images, name):
    trained = Trained(name, steps_per_execution=4)
    one, other = (trained.train(images) for _ in range(2))
    assert_same(one, other)
    for several, single in zip(one, plain(name)[1], strict=True):
        np.testing.assert_allclose(several, single, rtol=1e-5, atol=1e-6)
