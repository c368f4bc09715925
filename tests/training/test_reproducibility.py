"""Tests that a seed gives one result, and that what single steps saw is known."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import BATCH, IMAGE_SHAPE, noise_of, trained_weights, weights_of

import keras_vae

# Determinism -------------------------------------------------------------------------------


def test_one_seed_gives_one_result(make_vae, images):
    def run(seed):
        return trained_weights(make_vae(seed=seed, eager=True), images, shuffle=False, epochs=2)

    first = run(5)
    np.testing.assert_array_equal(first, run(5))
    assert np.abs(first - run(6)).max() > 1e-4


def test_without_a_seed_keras_set_random_seed_decides(make_vae):
    # The fixture sets the random seed before it builds.
    first, again = (make_vae(seed=None) for _ in range(2))
    assert first.seed == again.seed
    assert keras_vae.VAE(first.encoder, first.decoder).seed != first.seed


def test_inference_is_deterministic(make_vae, images):
    vae = make_vae()
    mean = vae.predict(images, verbose=0)
    code = vae.encoder(images)["loc"]
    np.testing.assert_allclose(vae.embed(images), code, atol=1e-6)
    np.testing.assert_allclose(mean, keras.ops.sigmoid(vae.decoder(code)), atol=1e-6)
    np.testing.assert_array_equal(vae.predict(images, verbose=0), mean)
    np.testing.assert_allclose(vae.reconstruct(images), mean, atol=1e-6)
    np.testing.assert_allclose(vae(images), mean, atol=1e-6)
    np.testing.assert_allclose(vae.reconstruct(images, batch_size=3), mean, atol=1e-6)
    np.testing.assert_allclose(vae.embed(images, batch_size=3), code, atol=1e-6)
    np.testing.assert_array_equal(vae.sample(5, seed=1), vae.sample(5, seed=1))
    assert np.abs(vae.sample(5, seed=1) - vae.sample(5, seed=2)).max() > 1e-3
    assert np.abs(vae.sample(5) - vae.sample(5)).max() > 1e-3
    assert vae.sample(7, batch_size=3).shape == (7, *IMAGE_SHAPE)


def test_evaluating_twice_gives_the_same_numbers(make_vae, images):
    vae = make_vae()
    first, second = (vae.evaluate(images, batch_size=BATCH, verbose=0) for _ in range(2))
    assert first == second


def test_batches_of_one_evaluation_see_different_noise(make_vae, images):
    vae = make_vae(eager=True)
    twice = np.concatenate([images[:BATCH]] * 2)
    once = vae.evaluate(images[:BATCH], batch_size=BATCH, verbose=0, return_dict=True)
    both = vae.evaluate(twice, batch_size=BATCH, verbose=0, return_dict=True)
    assert both["kl_loss"] == pytest.approx(once["kl_loss"], rel=1e-6)
    assert abs(both["reconstruction_loss"] - once["reconstruction_loss"]) > 1e-4


def test_inference_between_fits_leaves_the_training_noise_alone(make_vae, images):
    undisturbed, disturbed = make_vae(eager=True), make_vae(eager=True)
    for vae in (undisturbed, disturbed):
        vae.fit(images, batch_size=BATCH, shuffle=False, verbose=0)
    disturbed.evaluate(images, verbose=0)
    disturbed.predict(images, verbose=0)
    disturbed.sample(3)
    disturbed.reconstruct(images)
    np.testing.assert_array_equal(
        trained_weights(undisturbed, images, shuffle=False),
        trained_weights(disturbed, images, shuffle=False),
    )


@pytest.mark.slow
def test_xla_draws_the_same_noise(make_vae, images):
    first = {}
    for jit_compile in (False, True):
        vae = make_vae(compile_kwargs={"jit_compile": jit_compile})
        vae.fit(images, batch_size=20, shuffle=False, verbose=0)
        first[jit_compile] = vae.step_logs(1)
    assert first[True] == pytest.approx(first[False], rel=1e-5)


@pytest.mark.slow
def test_steps_that_accumulate_gradients_see_different_noise(make_vae, images):
    vae = make_vae(optimizer=keras.optimizers.Adam(1e-2, gradient_accumulation_steps=4))
    before = weights_of(vae)
    same = np.concatenate([images[:4]] * 3)
    vae.fit(same, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_array_equal(before, weights_of(vae))
    losses = [vae.step_logs(step)["reconstruction_loss"] for step in (1, 2, 3)]
    assert min(abs(a - b) for a, b in itertools.combinations(losses, 2)) > 1e-3


# Single steps ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loop_by_hand(images):
    """A function that trains a copy of a VAE by a plain loop and returns each step's terms."""

    def train(vae, optimizer, epochs):
        logs = []
        starts = itertools.chain(*[range(0, len(images), BATCH)] * epochs)
        for step, start in enumerate(starts):
            x = images[start : start + BATCH]
            with tf.GradientTape() as tape:
                posterior = vae.encoder(x)
                loc, scale = posterior["loc"], posterior["scale"]
                logits = vae.decoder(loc + scale * noise_of(vae, step, len(x)))
                entropy = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
                reconstruction = tf.reduce_mean(tf.reduce_sum(entropy, axis=(1, 2, 3)))
                nats = (loc**2 + scale**2 - 1) / 2 - tf.math.log(scale)
                kl = tf.reduce_mean(tf.reduce_sum(nats, axis=1))
                loss = reconstruction + vae.beta * kl
            variables = vae.trainable_weights
            optimizer.apply(tape.gradient(loss, variables), variables)
            terms = {"loss": loss, "reconstruction_loss": reconstruction, "kl_loss": kl}
            terms |= {"elbo": -reconstruction - kl, "beta": vae.beta}
            logs.append({name: float(value) for name, value in terms.items()})
        return logs

    return train


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 7])
def test_step_logs_are_what_a_loop_by_hand_sees(
    make_vae, images, loop_by_hand, steps_per_execution
):
    vae = make_vae(beta=0.5, compile_kwargs={"steps_per_execution": steps_per_execution})
    expected = loop_by_hand(make_vae(beta=0.5), keras.optimizers.Adam(1e-2), epochs=3)
    assert vae.step_logs(1) is None
    vae.fit(images, batch_size=BATCH, shuffle=False, epochs=3, verbose=0)
    for step, terms in enumerate(expected, start=1):
        assert vae.step_logs(step) == pytest.approx(terms, rel=1e-5)
    assert len(expected) == vae.optimizer.iterations == 9


def test_step_logs_of_unknown_steps_are_none(make_vae, images):
    vae = make_vae(eager=True)
    vae.train_on_batch(images)
    assert vae.step_logs(1) is not None
    assert vae.step_logs(2) is None
    assert vae.step_logs(0) is None
    assert vae.step_logs(-1) is None
    assert vae.step_logs(1025) is None


def test_evaluation_leaves_the_step_logs_alone(make_vae, images):
    vae = make_vae(eager=True)
    vae.train_on_batch(images)
    before = vae.step_logs(1)
    vae.evaluate(images[:5], verbose=0)
    assert vae.step_logs(1) == before and vae.step_logs(2) is None
