"""Tests of the prior over codes: its likelihood, its order, what it learns and draws, its files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.callbacks import ELBOLogger, Resume
from keras_vae.quantized import CodePrior

GRID, NUM_CODES = (2, 3), 4


def make(eager=True, policy="float32", **arguments):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        prior = CodePrior(GRID, NUM_CODES, **{"width": 16, "depth": 1, "num_heads": 2, **arguments})
    finally:
        keras.config.set_dtype_policy("float32")
    # Zeros would give the same logits for all codes.
    head = prior.network.get_layer("logits")
    head.kernel.assign(np.random.default_rng(0).normal(size=head.kernel.shape))
    prior.compile(keras.optimizers.Adam(1e-2), jit_compile=False, run_eagerly=eager)
    return prior


@pytest.fixture(scope="module")
def codes():
    """Grids of which a code is that before it plus one, modulo 4."""
    first = np.random.default_rng(0).integers(0, NUM_CODES, 200)
    return ((first[:, None] + np.arange(6)) % NUM_CODES).reshape(200, *GRID)


@pytest.fixture(scope="module")
def trained(codes):
    prior = make(eager=False)
    history = prior.fit(codes, validation_data=codes[:32], epochs=12, verbose=0).history
    return prior, history


def test_a_code_depends_on_those_before_it_alone():
    prior, codes = make(depth=2), np.random.default_rng(0).integers(0, NUM_CODES, (5, 6))
    logits = prior(codes.reshape(5, *GRID)).numpy().reshape(5, 6, NUM_CODES)
    for place in range(6):
        others = codes.copy()
        others[:, place] = (codes[:, place] + 1) % NUM_CODES
        changed = prior(others.reshape(5, *GRID)).numpy().reshape(5, 6, NUM_CODES)
        np.testing.assert_allclose(changed[:, : place + 1], logits[:, : place + 1], atol=1e-5)
        for later in range(place + 1, 6):
            assert np.abs(changed[:, later] - logits[:, later]).max() > 1e-3, (place, later)


def test_log_prob_is_that_of_numpy_and_sums_to_one(codes):
    prior = make()
    logits = np.float64(prior(codes[:7])).reshape(7, 6, NUM_CODES)
    normalised = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    flat = codes[:7].reshape(7, 6)
    expected = np.take_along_axis(normalised, flat[..., None], axis=-1).sum((1, 2))
    np.testing.assert_allclose(prior.log_prob(codes[:7], batch_size=3), expected, rtol=1e-5)
    logs = prior.test_on_batch(codes[:7], return_dict=True)
    assert logs["loss"] == logs["nats_per_code"] == pytest.approx(-expected.mean() / 6, rel=1e-5)
    assert logs["bits_per_code"] == pytest.approx(logs["loss"] / np.log(2), rel=1e-5)
    every = np.stack(np.unravel_index(np.arange(NUM_CODES**6), (NUM_CODES,) * 6), axis=1)
    total = np.exp(prior.log_prob(every.reshape(-1, *GRID), batch_size=4096)).sum()
    assert total == pytest.approx(1, rel=1e-4)


def test_it_begins_with_all_codes_equally_probable():
    prior = CodePrior(GRID, NUM_CODES, width=16, depth=1, num_heads=2)
    np.testing.assert_allclose(prior.log_prob(np.ones((2, *GRID), int)), -6 * np.log(4), rtol=1e-6)


def test_it_learns_what_follows_what(trained):
    prior, history = trained
    # log 4 for the first code, and nothing for the five that follow.
    assert history["val_loss"][-1] == pytest.approx(np.log(4) / 6, abs=0.02)
    drawn = prior.sample(40, seed=0).numpy()
    assert drawn.shape == (40, *GRID) and drawn.dtype == np.int32
    flat = drawn.reshape(40, 6)
    assert np.mean((flat[:, 1:] - flat[:, :-1]) % NUM_CODES == 1) > 0.98
    assert len(np.unique(flat[:, 0])) == NUM_CODES


def test_samples_are_a_function_of_the_seed(trained):
    prior, _ = trained
    np.testing.assert_array_equal(prior.sample(9, seed=4), prior.sample(9, seed=4))
    assert not np.array_equal(prior.sample(9, seed=4), prior.sample(9, seed=5))
    first, second = prior.sample(8, seed=4, batch_size=4)[:4], prior.sample(4, seed=4)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(prior.sample(30), prior.sample(30))


def test_samples_have_the_probabilities_of_the_model():
    prior = make()
    drawn = prior.sample(4000, seed=0, batch_size=4000).numpy().reshape(4000, 6)
    # Of the first place, and of the second where the first is 0.
    for place, chosen in ((0, drawn), (1, drawn[drawn[:, 0] == 0])):
        logits = np.float64(prior(np.zeros((1, *GRID), int))).reshape(6, NUM_CODES)[place]
        shares = np.exp(logits) / np.exp(logits).sum()
        found = np.bincount(chosen[:, place], minlength=NUM_CODES) / len(chosen)
        # Five standard errors of a share.
        errors = 5 * np.sqrt(shares * (1 - shares) / len(chosen))
        assert (np.abs(found - shares) < errors).all()
    cold = prior.sample(50, seed=0, temperature=1e-3).numpy()
    assert len(np.unique(cold.reshape(50, 6), axis=0)) == 1


def test_codes_come_in_batches_too(codes):
    prior = make()
    whole = prior.evaluate(codes[:20], batch_size=8, verbose=0)
    batches = tf.data.Dataset.from_tensor_slices(codes[:20]).batch(8)
    assert prior.evaluate(batches, verbose=0) == pytest.approx(whole, rel=1e-5)
    assert prior.predict(batches, verbose=0).shape == (20, *GRID, NUM_CODES)
    prior.fit(batches, validation_data=batches, verbose=0)
    outside = tf.data.Dataset.from_tensor_slices(codes[:20] + 3).batch(8)
    with pytest.raises(ValueError, match=r"from 0 to 3.*a batch of the data set with others"):
        prior.fit(outside, verbose=0)


def test_a_single_code_an_image_has_a_prior():
    prior = CodePrior((), 5, width=4, depth=1, num_heads=1)
    codes = np.array([0, 0, 3])
    prior.compile(keras.optimizers.Adam(0.3), jit_compile=False, run_eagerly=True)
    assert prior.train_on_batch(codes, return_dict=True)["loss"] == pytest.approx(np.log(5))
    found = np.exp(prior.log_prob(np.arange(5)))
    assert found.sum() == pytest.approx(1, rel=1e-5) and found[[0, 3]].min() > 0.2
    assert prior.sample(4, seed=0).shape == (4,)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.exhaustive)]
)
def test_mixed_precision_is_finite_and_close(codes, policy):
    expected = make().evaluate(codes[:20], verbose=0)[0]
    prior = make(policy=policy)
    assert prior.evaluate(codes[:20], verbose=0)[0] == pytest.approx(expected, rel=2e-2)
    assert np.isfinite(prior.train_on_batch(codes[:20])).all()
    assert prior(codes[:2]).dtype == tf.float32


def test_a_run_that_resumes_ends_as_the_unbroken_one(codes, tmp_path):
    def train(epochs, *callbacks):
        prior = make()
        settings = {"epochs": epochs, "shuffle": False, "verbose": 0}
        prior.fit(codes[:20], callbacks=list(callbacks), **settings)
        return np.concatenate([np.ravel(weight.numpy()) for weight in prior.weights])

    logger = ELBOLogger(tmp_path, names=("loss", "bits_per_code"), print_table=False)
    train(1, Resume(tmp_path), logger)
    np.testing.assert_array_equal(train(2, Resume(tmp_path), logger), train(2))
    assert logger.rows[0]["bits_per_code"] > 0


@pytest.mark.slow
def test_many_steps_in_one_call_of_xla_are_those_of_one_by_one(codes):
    weights = []
    for options in ({"jit_compile": False}, {"steps_per_execution": 5, "jit_compile": True}):
        prior = make()
        prior.compile(keras.optimizers.SGD(1e-2), **options)
        prior.fit(codes, batch_size=20, epochs=2, shuffle=False, verbose=0)
        weights.append(np.concatenate([np.ravel(weight.numpy()) for weight in prior.weights]))
    np.testing.assert_allclose(*weights, rtol=1e-3, atol=1e-5)


def test_a_saved_model_draws_and_scores(trained, codes, tmp_path):
    prior, _ = trained
    prior.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served")).signatures
    drawn = served["sample"](n=tf.constant(5), seed=tf.constant(2))
    np.testing.assert_array_equal(*drawn.values(), prior.sample(5, seed=2))
    scores = served["serving_default"](codes=tf.constant(codes[:9], tf.int32))
    np.testing.assert_allclose(*scores.values(), prior.log_prob(codes[:9]), rtol=1e-5)


@pytest.mark.slow
def test_a_fresh_process_reads_it_and_draws_the_same(trained, codes, tmp_path, run_python):
    prior, _ = trained
    prior.save(tmp_path / "prior.keras")
    prior.save_to_preset(tmp_path / "preset", description="Tiny.")
    np.save(tmp_path / "codes.npy", codes)
    run_python(READ)
    found = np.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(found["drawn"], prior.sample(5, seed=2))
    np.testing.assert_array_equal(found["of_preset"], prior.sample(5, seed=2))
    np.testing.assert_array_equal(found["log_prob"], prior.log_prob(codes))


READ = """
import keras, keras_vae
import numpy as np
prior = keras.saving.load_model("prior.keras", safe_mode=True)
preset = keras_vae.quantized.CodePrior.from_preset("preset")
np.savez(
    "found.npz",
    drawn=prior.sample(5, seed=2),
    of_preset=preset.sample(5, seed=2),
    log_prob=prior.log_prob(np.load("codes.npy")),
)
"""
