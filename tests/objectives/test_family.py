"""Tests of what all members of the family have in common."""

import importlib
import inspect
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import callbacks, objectives

IMAGE_SHAPE = (4, 4, 1)
FACTORS = np.stack([np.arange(20) % 2, np.arange(20) // 10], axis=1)
LABELS = np.arange(20) % 3

# Arguments of each, small; and the weight of every term that its loss has besides reconstruction,
# by the attribute that holds it.
MEMBERS = {
    "AdversarialAutoencoder": (
        {"adversarial_weight": 0.5, "discriminator_sizes": (6, 5), "discriminator_rate": 1e-3},
        {"kl_loss": "beta", "adversarial_loss": "adversarial_weight"},
    ),
    "AnnealedVAE": ({"gamma": 1.0, "capacity": 0.5}, {"capacity_loss": "gamma"}),
    "Autoencoder": ({}, {"kl_loss": "beta"}),
    "BetaTCVAE": (
        {"alpha": 0.5, "beta": 3.0, "dataset_size": 200, "sampling": "stratified"},
        {"mutual_information": "alpha", "total_correlation": "beta", "dimension_wise_kl": "gamma"},
    ),
    "BetaVAE": ({"beta": 2.0}, {"kl_loss": "beta"}),
    "ConditionalVAE": ({"condition_dim": 3}, {"kl_loss": "beta"}),
    "DIPVAE": (
        {"kind": "i", "lambda_off_diagonal": 2.0},
        {
            "kl_loss": "beta",
            "off_diagonal_loss": "lambda_off_diagonal",
            "diagonal_loss": "lambda_diagonal",
        },
    ),
    "FactorVAE": (
        {"gamma": 0.5, "discriminator_sizes": (6, 5), "discriminator_rate": 1e-3},
        {"kl_loss": "beta", "total_correlation": "gamma"},
    ),
    "HamiltonianVAE": (
        {"num_steps": 2, "step_size": 0.0625, "tempering": 0.5},
        {"kl_loss": "beta", "hamiltonian_gain": None},
    ),
    "HierarchicalVAE": ({"num_pseudo_inputs": 4, "hidden_sizes": (5,)}, {"kl_loss": "beta"}),
    "IWAE": (
        {"num_samples": 3, "gradient": "doubly_reparameterized"},
        {"kl_loss": "beta", "importance_gain": None},
    ),
    "MSSSIMVAE": (
        {"ms_ssim_weight": 5.0, "filter_size": 3},
        {"kl_loss": "beta", "ms_ssim_loss": "ms_ssim_weight"},
    ),
    "PIWAE": (
        {"num_samples": 2, "num_bounds": 2},
        {"kl_loss": "beta", "importance_gain": None},
    ),
    "InfoVAE": (
        {"beta": 0.5, "mmd_weight": 20.0, "kernel": "imq"},
        {"kl_loss": "beta", "mmd_loss": "mmd_weight"},
    ),
    "RAE": (
        {"penalty": "gradient", "code_weight": 0.25, "decoder_weight": 0.5},
        {"kl_loss": "beta", "code_loss": "code_weight", "decoder_loss": "decoder_weight"},
    ),
    "VAEGAN": (
        {
            "perceptual_weight": 0.5,
            "adversarial_weight": 2.0,
            "discriminator_sizes": (6, 5),
            "discriminator_rate": 1e-3,
        },
        {
            "kl_loss": "beta",
            "perceptual_loss": "perceptual_weight",
            "adversarial_loss": "adversarial_weight",
        },
    ),
    "VampPriorVAE": ({"num_pseudo_inputs": 4}, {"kl_loss": "beta"}),
    "WAE": ({"mmd_weight": 20.0}, {"kl_loss": "beta", "mmd_loss": "mmd_weight"}),
}
each_member = pytest.mark.parametrize("name", MEMBERS)


def make(name, eager=True, optimizer=None, missing=False, **compile_kwargs):
    """A tiny compiled member; two calls give the same weights."""
    keras.utils.set_random_seed(1)
    cls, arguments = getattr(objectives, name), MEMBERS[name][0]
    vae = cls(
        keras_vae.networks.mlp_encoder(IMAGE_SHAPE, 2, [5], missing=missing),
        keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2 + arguments.get("condition_dim", 0), [5]),
        seed=3,
        missing=missing,
        **arguments,
    )
    compile_kwargs = {"jit_compile": False, "run_eagerly": eager, **compile_kwargs}
    vae.compile(optimizer or keras.optimizers.Adam(1e-2), **compile_kwargs)
    return vae


def state_of(vae):
    """All that training changes, in one vector."""
    variables = [*vae.variables, *vae.optimizer.variables]
    if hasattr(vae, "discriminator_optimizer"):
        variables += vae.discriminator_optimizer.variables
    return np.concatenate([np.ravel(variable.numpy()).astype("float64") for variable in variables])


def test_every_member_is_here():
    assert sorted(MEMBERS) == sorted(objectives.__all__)


def is_of(module, cls):
    return inspect.isclass(cls) and cls.__module__ == module.__name__


def test_a_member_is_one_file_named_after_it():
    files = Path(objectives.__file__).parent.glob("*.py")
    by_name = {path.stem.replace("_", ""): path.stem for path in files}
    for name in MEMBERS:
        module = importlib.import_module(f"keras_vae.objectives.{by_name[name.lower()]}")
        assert getattr(module, name) is getattr(objectives, name)
        defined = {cls.__name__ for cls in vars(module).values() if is_of(module, cls)}
        assert defined & set(MEMBERS) <= {name}


def test_only_a_member_with_a_second_optimizer_has_a_step_of_its_own():
    steps = {"train_step", "test_step", "fit", "evaluate", "make_train_function"}
    for name in MEMBERS:
        order = getattr(objectives, name).__mro__
        own = set().union(*map(vars, order[: order.index(keras_vae.VAE)])) & steps
        has_second = hasattr(make(name), "discriminator_optimizer")
        assert own == ({"train_step"} if has_second else set()), name


@pytest.mark.exhaustive
@each_member
def test_every_member_takes_images_with_holes(images, name):
    vae = make(name, missing=True)
    x = np.where(np.random.default_rng(0).random(images.shape) < 0.3, np.nan, images)
    before = state_of(vae)
    history = vae.fit(x, LABELS, epochs=2, batch_size=8, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert np.isfinite(state_of(vae)).all() and not np.array_equal(state_of(vae), before)
    draws = vae.impute(x, num_samples=4, num_draws=2, seed=0)
    assert draws.shape == (2, *x.shape) and np.isfinite(draws).all()


@each_member
def test_the_loss_is_the_sum_of_its_parts_and_falls(images, name):
    vae = make(name, eager=False)
    before = vae.evaluate(images, LABELS, verbose=0, return_dict=True)["loss"]
    many, labels = np.tile(images, (12, 1, 1, 1)), np.tile(LABELS, 12)
    # Batches of 16 leave a ragged last one of four of the 20 images for validation.
    history = vae.fit(
        many,
        labels,
        validation_data=(images, LABELS),
        batch_size=16,
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history
    weights = {
        key: getattr(vae, weight) if weight else 1.0 for key, weight in MEMBERS[name][1].items()
    }
    for prefix in ("", "val_"):
        for epoch in range(3):
            logs = {key: values[epoch] for key, values in history.items()}
            total = logs[prefix + "reconstruction_loss"]
            total += sum(float(weight) * logs[prefix + key] for key, weight in weights.items())
            assert logs[prefix + "loss"] == pytest.approx(total, rel=1e-5)
            assert logs[prefix + "beta"] == pytest.approx(float(vae.beta), rel=1e-5)
    # The same noise at every evaluation.
    assert history["val_loss"][-1] < before - 0.1


@pytest.mark.slow
def test_a_fresh_process_continues_every_member_as_if_unbroken(images, tmp_path, run_python):
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in MEMBERS:
        vae = make(name)
        vae.train_on_batch(images[:12], LABELS[:12])
        vae.save(tmp_path / f"{name}.keras")
        vae.train_on_batch(images[:12], LABELS[:12])
        expected[name] = state_of(vae)
    run_python(CONTINUE)
    found = np.load(tmp_path / "found.npz")
    for name, state in expected.items():
        np.testing.assert_array_equal(found[name], state, err_msg=name)


CONTINUE = """
import pathlib, keras, keras_vae
import numpy as np
images, labels = np.load("images.npy")[:12], np.arange(12) % 3
found = {}
for path in pathlib.Path().glob("*.keras"):
    vae = keras.saving.load_model(path, safe_mode=True)
    assert type(vae) is getattr(keras_vae.objectives, path.stem)
    vae.train_on_batch(images, labels)
    variables = [*vae.variables, *vae.optimizer.variables]
    if hasattr(vae, "discriminator_optimizer"):
        variables += vae.discriminator_optimizer.variables
    found[path.stem] = np.concatenate([np.ravel(v.numpy()).astype("float64") for v in variables])
np.savez("found.npz", **found)
"""


@each_member
def test_every_argument_is_in_the_config_which_makes_the_same_model(name):
    vae = make(name)
    config = vae.get_config()
    parameters = {
        parameter
        for cls in type(vae).__mro__[: type(vae).__mro__.index(keras_vae.VAE) + 1]
        for parameter in inspect.signature(cls.__init__).parameters
    }
    # Coefficients are there by their own names.
    assert parameters - {"self", "kwargs", "coefficients"} <= config.keys()
    again = type(vae).from_config(config)
    parts = {"encoder", "decoder", "likelihood", "prior", "posterior"}
    for key, value in again.get_config().items():
        if key not in parts:
            assert value == config[key], key
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in vae.weights]
    for key, value in MEMBERS[name][0].items():
        found = getattr(again, key)
        assert (float(found) if isinstance(value, float) else found) == value


@each_member
@pytest.mark.parametrize(
    # Half precision rounds to 1 in 2048, bfloat16 to 1 in 256, at each of a few layers.
    ("policy", "rtol"),
    [
        ("mixed_float16", 3e-3),
        pytest.param("mixed_bfloat16", 3e-2, marks=pytest.mark.exhaustive),
    ],
)
def test_mixed_precision_is_finite_and_close(images, name, policy, rtol):
    expected = make(name).test_on_batch(images, LABELS, return_dict=True)
    keras.config.set_dtype_policy(policy)
    try:
        vae = make(name)
        found = vae.test_on_batch(images, LABELS, return_dict=True)
        trained = [vae.train_on_batch(images, LABELS, return_dict=True) for _ in range(2)]
    finally:
        keras.config.set_dtype_policy("float32")
    for key in ("loss", "reconstruction_loss", "elbo"):
        assert found[key] == pytest.approx(expected[key], rel=rtol)
    assert all(np.isfinite(value) for logs in trained for value in logs.values())
    assert np.all(np.isfinite(state_of(vae)))
    assert {part.dtype for part in vae.trainable_variables} == {"float32"}


@pytest.mark.exhaustive
@each_member
def test_all_callbacks_run_without_a_warning(images, tmp_path, name):
    vae = make(name)
    watchers = [
        callbacks.BetaSchedule(warmup_steps=4, end=float(vae.beta)),
        callbacks.DisentanglementMetrics((images, FACTORS), tmp_path, num_points=20),
        callbacks.ELBOLogger(tmp_path, print_table=False),
        callbacks.LatentMap(images, tmp_path, LABELS),
        callbacks.LatentStatistics(images, tmp_path),
        callbacks.LatentTraversal(tmp_path, images=images, num_steps=3),
        callbacks.LossCurves(tmp_path),
        callbacks.PriorSamples(tmp_path),
        callbacks.ReconstructionGrid(images[:3], tmp_path),
        callbacks.Resume(tmp_path),
        callbacks.StopOnNonFinite(),
    ]
    if hasattr(vae, "capacity"):
        watchers.append(callbacks.CapacitySchedule(end=1.0, warmup_steps=4))
    # The one that is missing sets any attribute: the two schedules are made of it.
    used = {type(watcher).__name__ for watcher in watchers} | {"CapacitySchedule", "ValueSchedule"}
    assert used | {"animate"} == set(callbacks.__all__), "add it to `watchers`"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae.fit(images, LABELS, batch_size=10, verbose=0, callbacks=watchers)
    told = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert not told
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.*")}
    expected = {"elbo.csv", "losses.png", "latent_map", "latent_statistics.csv", "prior_samples"}
    assert expected | {"reconstructions", "resume", "traversals"} <= written


@pytest.mark.exhaustive
def test_every_member_trains_on_two_replicas_that_stay_alike(run_python):
    printed = run_python(TWO_REPLICAS)
    found = {line.split()[0]: [float(n) for n in line.split()[1:]] for line in printed.splitlines()}
    assert sorted(found) == sorted(MEMBERS)
    for name, (loss, moved, apart) in found.items():
        assert np.isfinite(loss) and loss > 1, name
        # Adam moves by its rate, 0.01, at the first step.
        assert 0.009 < moved < 0.011 and apart == 0, name


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_vae
from keras_vae import objectives
images, labels = np.random.default_rng(0).random((16, 4, 4, 1), dtype=np.float32), np.arange(16) % 3
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
small = {"HierarchicalVAE": {"num_pseudo_inputs": 4}}
small |= {"ConditionalVAE": {"condition_dim": 3}, "VampPriorVAE": {"num_pseudo_inputs": 4}}
small |= {"IWAE": {"num_samples": 2}, "FactorVAE": {"discriminator_sizes": (4,)}}
small |= {"AdversarialAutoencoder": {"discriminator_sizes": (4,)}}
small |= {"VAEGAN": {"discriminator_sizes": (4,)}}
small |= {"MSSSIMVAE": {"filter_size": 3}}
small |= {"PIWAE": {"num_samples": 2, "num_bounds": 2}}
for name in objectives.__all__:
    keras.utils.set_random_seed(1)
    with mirrored.scope():
        vae = getattr(objectives, name)(
            keras_vae.networks.mlp_encoder((4, 4, 1), 2, [5]),
            keras_vae.networks.mlp_decoder((4, 4, 1), 5 if name == "ConditionalVAE" else 2, [5]),
            seed=3,
            **small.get(name, {}),
        )
        vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    before = [weight.numpy() for weight in vae.trainable_weights]
    loss = vae.fit(images, labels, batch_size=16, shuffle=False, verbose=0).history["loss"][0]
    moved = [np.abs(w.numpy() - b).max() for w, b in zip(vae.trainable_weights, before)]
    copies = [weight.value.values for weight in vae.weights if not weight.name == "seed"]
    apart = [np.abs(one.numpy() - other.numpy()).max() for one, other in copies]
    print(name, loss, max(moved), max(apart))
"""
