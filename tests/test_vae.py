"""Tests of the VAE: its loss, its logs, its noise, its data, its files, and its one hook."""

import inspect
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae

IMAGE_SHAPE = (4, 4, 1)
PIXELS, LATENTS = 16, 2
BATCH = 8


# The mathematics again, in NumPy -----------------------------------------------------------


FIRST_EVALUATION = -1


def noise_of(vae, step, size):
    """The noise that the VAE promises for a step: a function of its seed and the step alone.

    Training steps count from 0; batches of an evaluation go down from -1, by their examples.
    """
    bits = tf.random.stateless_uniform(
        [2, size, LATENTS], [vae.seed, step], None, None, tf.uint32, alg="philox"
    )
    first, second = (np.float64(bits) // 256 + 0.5) / 2**24
    return np.float32(np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second))


def terms_by_hand(vae, x, noise):
    """Minus log p(x|z) and the KL, in nats per example, float64; and the reconstruction."""
    posterior = {name: np.float64(value) for name, value in vae.encoder(x).items()}
    loc, scale = posterior["loc"], posterior["scale"]
    logits = np.float64(vae.decoder(np.float32(loc + scale * noise)))
    reconstruction = np.sum(np.logaddexp(0, logits) - x * logits, axis=(1, 2, 3))
    kl = np.sum(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=1)
    return reconstruction, kl, 1 / (1 + np.exp(-logits))


def weights_of(vae):
    """All trainable weights in one vector."""
    return np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])


def assert_terms_add_up(logs, prefix="", extra=(), rtol=1e-5):
    value = {name.removeprefix(prefix): v for name, v in logs.items() if name.startswith(prefix)}
    total = value["reconstruction_loss"] + value["beta"] * value["kl_loss"]
    total += sum(weight * value[name] for name, weight in extra)
    np.testing.assert_allclose(value["loss"], total, rtol=rtol)


# The loss and the logs ---------------------------------------------------------------------


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("steps_per_execution", [1, 7])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_is_reconstruction_plus_beta_kl(
    make_vae, images, reduction, steps_per_execution, jit_compile
):
    vae = make_vae(
        beta=0.3,
        reduction=reduction,
        compile_kwargs={"steps_per_execution": steps_per_execution, "jit_compile": jit_compile},
    )
    # Under XLA every batch size costs a compilation: validation brings the ragged one of three.
    train = images[:16] if jit_compile and steps_per_execution == 7 else images
    history = vae.fit(
        train, validation_data=(images[:11],), batch_size=BATCH, epochs=2, verbose=0
    ).history
    assert len(history) == 10
    for epoch in range(2):
        logs = {name: values[epoch] for name, values in history.items()}
        assert_terms_add_up(logs)
        assert_terms_add_up(logs, prefix="val_")
        assert [logs["beta"], logs["val_beta"]] == pytest.approx([0.3, 0.3], rel=1e-6)
        assert logs["kl_loss"] > 0 and logs["val_kl_loss"] > 0


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_evaluation_matches_the_formulas(make_vae, images, reduction, beta):
    vae = make_vae(beta=beta, reduction=reduction, eager=True)
    logs = vae.evaluate(images, batch_size=len(images), verbose=0, return_dict=True)
    noise = noise_of(vae, FIRST_EVALUATION, len(images))
    reconstruction, kl, _ = terms_by_hand(vae, images, noise)
    pixels, latents = (PIXELS, LATENTS) if reduction == "mean" else (1, 1)
    expected = {
        "loss": reconstruction.mean() / pixels + beta * kl.mean() / latents,
        "reconstruction_loss": reconstruction.mean() / pixels,
        "kl_loss": kl.mean() / latents,
        "elbo": -(reconstruction + kl).mean(),
        "beta": beta,
    }
    assert logs == pytest.approx(expected, rel=1e-5)


def test_means_over_an_epoch_count_examples_not_batches(make_vae, images):
    vae = make_vae(optimizer=keras.optimizers.SGD(0.0))
    logs = vae.fit(images, batch_size=BATCH, shuffle=False, verbose=0).history
    steps = [vae.step_logs(step) for step in (1, 2, 3)]
    for name in ("loss", "reconstruction_loss", "kl_loss", "elbo"):
        values = [step[name] for step in steps]
        assert len(set(values)) == 3
        assert logs[name][0] == pytest.approx(np.average(values, weights=[8, 8, 4]), rel=1e-5)


def test_the_kl_enters_by_add_loss(make_vae, images):
    vae = make_vae(beta=2.5, eager=True)
    logs = vae.test_on_batch(images, return_dict=True)
    reconstruction, weighted_kl = (float(loss) for loss in vae.losses)
    assert reconstruction == pytest.approx(logs["reconstruction_loss"], rel=1e-6)
    assert weighted_kl == pytest.approx(2.5 * logs["kl_loss"], rel=1e-6)
    assert logs["loss"] == pytest.approx(reconstruction + weighted_kl, rel=1e-6)


def test_beta_weights_the_gradient_of_the_kl_alone(make_vae, images):
    def gradient(beta):
        vae = make_vae(beta=beta, optimizer=keras.optimizers.SGD(1.0), eager=True)
        before = weights_of(vae)
        decoder_size = sum(weight.shape.num_elements() for weight in vae.decoder.weights)
        vae.train_on_batch(images)
        gradient = before - weights_of(vae)
        return gradient[:-decoder_size], gradient[-decoder_size:]

    (none, decoder_0), (one, decoder_1), (four, decoder_4) = map(gradient, (0.0, 1.0, 4.0))
    assert np.abs(one - none).max() > 0.01
    np.testing.assert_allclose(four - none, 4 * (one - none), atol=1e-5)
    np.testing.assert_allclose(decoder_1, decoder_0, atol=1e-6)
    np.testing.assert_allclose(decoder_4, decoder_0, atol=1e-6)


def test_beta_zero_has_the_gradient_of_the_reconstruction_alone(make_vae, images):
    vae = make_vae(beta=0.0, optimizer=keras.optimizers.SGD(1.0), eager=True)
    with tf.GradientTape() as tape:
        posterior = vae.encoder(images)
        z = posterior["loc"] + posterior["scale"] * noise_of(vae, 0, len(images))
        logits = vae.decoder(z)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(images, logits)
        loss = tf.reduce_mean(tf.reduce_sum(entropy, axis=(1, 2, 3)))
    expected = np.concatenate([np.ravel(g) for g in tape.gradient(loss, vae.trainable_weights)])
    before = weights_of(vae)
    logs = vae.train_on_batch(images, return_dict=True)
    np.testing.assert_allclose(before - weights_of(vae), expected, atol=1e-5)
    assert logs["kl_loss"] > 0
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"], rel=1e-6)


def test_assigning_beta_takes_effect_without_retracing(make_vae, images):
    traces = []

    class Counting(keras_vae.VAE):
        def regularizers(self, posterior, z, kl, training):
            traces.append(1)
            return super().regularizers(posterior, z, kl, training)

    vae = make_vae(Counting)
    vae.fit(images, batch_size=10, verbose=0)
    traced = len(traces)
    vae.beta = 7
    logs = vae.fit(images, batch_size=10, verbose=0).history
    assert len(traces) == traced
    assert logs["beta"] == pytest.approx([7.0], rel=1e-6)
    assert_terms_add_up({name: values[0] for name, values in logs.items()})
    assert isinstance(vae.beta, keras.Variable) and not vae.beta.trainable


@pytest.mark.parametrize("beta", [-1e-6, float("nan"), float("inf")])
def test_beta_must_be_finite_and_not_negative(make_vae, beta):
    with pytest.raises(ValueError, match=r"`beta`. Expected a finite number of at least 0. Rec"):
        make_vae(beta=beta)
    vae = make_vae(beta=0.5)
    with pytest.raises(ValueError, match=rf"Received: beta={beta}"):
        vae.beta = beta
    assert float(vae.beta) == 0.5


def test_compiling_with_a_loss_is_refused(make_vae):
    with pytest.raises(ValueError, match=r"compile it without the argument `loss`.*Received.*mse"):
        make_vae(compile_kwargs={"loss": "mse"})


def test_compiled_metrics_see_images_and_reconstructions(make_vae, images):
    vae = make_vae(eager=True, compile_kwargs={"metrics": ["mse"], "weighted_metrics": ["mae"]})
    labels, weights = np.arange(20), np.linspace(0, 1, 20, dtype=np.float32)
    logs = vae.evaluate(images, labels, 20, 0, sample_weight=weights, return_dict=True)
    _, _, mean = terms_by_hand(vae, images, noise_of(vae, FIRST_EVALUATION, 20))
    error = np.abs(images - mean).mean(axis=(1, 2, 3))
    assert logs["mse"] == pytest.approx(np.mean((images - mean) ** 2), rel=1e-5)
    assert logs["mae"] == pytest.approx(np.average(error, weights=weights), rel=1e-5)


# Regularisation ----------------------------------------------------------------------------


def regularized_vae(**dense):
    image = keras.Input(IMAGE_SHAPE)
    hidden = keras.layers.Dense(5, name="hidden", **dense)(keras.layers.Flatten()(image))
    parameters = {
        "loc": keras.layers.Dense(LATENTS)(hidden),
        "scale": keras.layers.Dense(LATENTS, activation="softplus")(hidden),
    }
    vae = keras_vae.VAE(
        keras.Model(image, parameters),
        keras_vae.networks.mlp_decoder(IMAGE_SHAPE, LATENTS, hidden_sizes=[5]),
        beta=0.5,
        seed=0,
    )
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


def test_weight_regularizers_are_added_and_logged(images):
    vae = regularized_vae(kernel_regularizer=keras.regularizers.L2(0.1))
    history = vae.fit(images, validation_data=(images,), batch_size=BATCH, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    penalty = 0.1 * np.sum(np.square(vae.encoder.get_layer("hidden").kernel))
    assert logs["regularization_loss"] == pytest.approx(penalty, rel=1e-5)
    assert_terms_add_up(logs, extra=[("regularization_loss", 1)])
    assert_terms_add_up(logs, prefix="val_", extra=[("regularization_loss", 1)])


def test_activity_regularizers_are_added_and_logged(images):
    vae = regularized_vae(activity_regularizer=keras.regularizers.L2(0.1))
    history = vae.fit(images, batch_size=BATCH, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    assert logs["regularization_loss"] > 0
    assert_terms_add_up(logs, extra=[("regularization_loss", 1)])


def test_a_regularized_encoder_can_be_frozen(images):
    vae = regularized_vae(kernel_regularizer=keras.regularizers.L2(0.1))
    vae.encoder.trainable = False
    vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = vae.encoder.get_weights()
    logs = vae.train_on_batch(images, return_dict=True)
    for found, expected in zip(vae.encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    # Keras regularises trainable weights only.
    assert logs.get("regularization_loss", 0.0) == 0.0
    assert_terms_add_up(logs)


# What fit, evaluate and predict accept -----------------------------------------------------


class Batches(keras.utils.PyDataset):
    """The images in batches, as a `PyDataset` of tuples with `extra` behind the images."""

    def __init__(self, images, *extra):
        super().__init__()
        self.arrays = (images, *extra)

    def __len__(self):
        return -(-len(self.arrays[0]) // BATCH)

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return tuple(array[rows] for array in self.arrays)


def dataset(*arrays):
    """A `tf.data.Dataset` of batches: of tuples, or of images alone where only they are given."""
    elements = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(elements).batch(BATCH)


def generator(*arrays):
    yield from (batch for batch in Batches(*arrays))


LABELS, ONES = np.arange(20), np.ones(20, np.float32)
FORMS = {
    "numpy float64": lambda x: np.float64(x),
    "tensor": tf.constant,
    "dataset of x": dataset,
    "dataset of (x,)": lambda x: dataset(x).map(lambda batch: (batch,)),
    "dataset of (x, y)": lambda x: dataset(x, LABELS),
    "dataset of (x, y, w)": lambda x: dataset(x, LABELS, ONES),
    "dataset of float16": lambda x: dataset(np.float16(x)),
    "generator of (x,)": generator,
    "generator of (x, y)": lambda x: generator(x, LABELS),
    "generator of (x, y, w)": lambda x: generator(x, LABELS, ONES),
    "PyDataset of (x,)": Batches,
    "PyDataset of (x, y, w)": lambda x: Batches(x, LABELS, ONES),
}


def numbers_from(vae, data):
    """What training, evaluation and prediction say; `data` makes the data anew for each."""
    arguments = {"batch_size": BATCH} if isinstance(data(), np.ndarray | tf.Tensor) else {}
    trained = vae.fit(data(), shuffle=False, verbose=0, **arguments).history
    evaluated = vae.evaluate(data(), verbose=0, return_dict=True, **arguments)
    return trained, evaluated, vae.predict(data(), verbose=0, **arguments)


numbers_of_arrays = []


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_gives_the_same_numbers(make_vae, images, form):
    if not numbers_of_arrays:
        numbers_of_arrays.extend(numbers_from(make_vae(eager=True), lambda: images))
    *expected_logs, expected = numbers_of_arrays
    *logs, predicted = numbers_from(make_vae(eager=True), lambda: FORMS[form](images))
    # Half precision rounds the images.
    rtol = 1e-3 if "float16" in form else 1e-5
    assert predicted.shape == (20, *IMAGE_SHAPE) and predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, expected, rtol=rtol)
    for received, wanted in zip(logs, expected_logs, strict=True):
        assert received.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_allclose(received[name], wanted[name], rtol=rtol)


def test_data_that_repeats_needs_steps_per_epoch(make_vae, images):
    vae = make_vae(eager=True)
    vae.fit(dataset(images).repeat(), steps_per_epoch=4, epochs=2, verbose=0)
    assert vae.optimizer.iterations == 8


def test_validation_data_may_be_split_off_or_generated(make_vae, images):
    vae = make_vae(eager=True)
    split = vae.fit(images, validation_split=0.25, epochs=2, verbose=0).history
    assert {"val_loss", "val_elbo"} <= split.keys()
    given = vae.fit(images, validation_data=generator(images), validation_steps=2, verbose=0)
    assert np.isfinite(given.history["val_loss"][0])


def test_a_batch_of_one_trains(make_vae, images):
    vae = make_vae(eager=True)
    logs = vae.fit(images[:1], batch_size=1, verbose=0).history
    assert np.isfinite(logs["loss"][0])
    assert vae.predict(images[:1], verbose=0).shape == (1, *IMAGE_SHAPE)


def test_eager_and_graph_execution_agree(make_vae, images):
    eager, graph = (make_vae(eager=eager) for eager in (True, False))
    for vae in (eager, graph):
        vae.fit(images, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(weights_of(eager), weights_of(graph), atol=1e-6)


# Sample weights ----------------------------------------------------------------------------


def test_losses_sum_weighted_examples_over_the_batch(make_vae, images):
    vae = make_vae(beta=2.0, eager=True)
    weights = np.linspace(0, 3, 20, dtype=np.float32)
    logs = vae.evaluate(images, LABELS, 20, 0, sample_weight=weights, return_dict=True)
    reconstruction, kl, _ = terms_by_hand(vae, images, noise_of(vae, FIRST_EVALUATION, 20))
    assert logs["reconstruction_loss"] == pytest.approx(weights @ reconstruction / 20, rel=1e-5)
    assert logs["kl_loss"] == pytest.approx(weights @ kl / 20, rel=1e-5)
    assert logs["elbo"] == pytest.approx(-np.average(reconstruction + kl, weights=weights), 1e-5)
    assert_terms_add_up(logs)


def test_weight_zero_removes_an_example_from_the_gradient(make_vae, images):
    weights = np.float32(np.arange(20) < 12)

    def trained(x, weights):
        vae = make_vae(optimizer=keras.optimizers.SGD(0.1), eager=True)
        vae.train_on_batch(x, LABELS, sample_weight=weights)
        return weights_of(vae)

    altered = np.where(weights[:, None, None, None] > 0, images, 1 - images)
    np.testing.assert_array_equal(trained(images, weights), trained(altered, weights))
    assert np.abs(trained(images, ONES) - trained(altered, ONES)).max() > 1e-3


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_sample_weights_count_without_labels(make_vae, images, method):
    def loss(*labels):
        vae = make_vae(eager=True)
        logs = getattr(vae, method)(images, *labels, sample_weight=0.5 * ONES, verbose=0)
        return logs.history["loss"][0] if method == "fit" else logs[0]

    assert loss() == pytest.approx(loss(LABELS), rel=1e-6)


def test_class_weights_become_sample_weights(make_vae, images):
    def loss(**weights):
        return make_vae(eager=True).fit(images, LABELS % 2, verbose=0, **weights).history["loss"]

    by_class = loss(class_weight={0: 0.25, 1: 2.0})
    by_sample = loss(sample_weight=np.where(LABELS % 2, 2.0, 0.25))
    assert by_class == pytest.approx(by_sample, rel=1e-6)


# Determinism -------------------------------------------------------------------------------


def trained_weights(vae, images, **kwargs):
    vae.fit(images, batch_size=BATCH, verbose=0, **kwargs)
    return weights_of(vae)


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


def test_xla_draws_the_same_noise(make_vae, images):
    first = {}
    for jit_compile in (False, True):
        vae = make_vae(compile_kwargs={"jit_compile": jit_compile})
        vae.fit(images, batch_size=20, shuffle=False, verbose=0)
        first[jit_compile] = vae.step_logs(1)
    assert first[True] == pytest.approx(first[False], rel=1e-5)


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


# Other ways to run it ----------------------------------------------------------------------


def test_a_training_loop_of_the_users_own_can_call_it(make_vae, images):
    # Neither compiled nor fitted.
    vae = keras_vae.VAE(make_vae().encoder, make_vae().decoder, seed=1)
    first, second = vae(images, training=True), vae(images, training=True)
    assert first.shape == images.shape
    assert np.abs(first - second).max() > 1e-4
    optimizer = keras.optimizers.SGD(0.1)
    before = weights_of(vae)
    with tf.GradientTape() as tape:
        terms = vae(images, training=True, return_pass=True).terms
        loss = tf.reduce_mean(terms["reconstruction_loss"].value + terms["kl_loss"].value)
    optimizer.apply(tape.gradient(loss, vae.trainable_weights), vae.trainable_weights)
    assert np.abs(weights_of(vae) - before).max() > 1e-3


def test_single_batches_train_and_evaluate(make_vae, images):
    vae = make_vae(eager=True)
    assert_terms_add_up(vae.train_on_batch(images, return_dict=True))
    assert_terms_add_up(vae.test_on_batch(images, return_dict=True))
    assert vae.predict_on_batch(images).shape == images.shape
    assert vae.optimizer.iterations == 1


def test_it_is_a_layer_of_another_model(make_vae, images, tmp_path):
    inputs = keras.Input(IMAGE_SHAPE)
    outer = keras.Model(inputs, make_vae()(inputs))
    outer.compile("sgd", "mse", run_eagerly=True)
    outer.fit(images, images, verbose=0)
    outer.save(tmp_path / "outer.keras")
    again = keras.saving.load_model(tmp_path / "outer.keras")
    np.testing.assert_allclose(again(images), outer(images), atol=1e-6)


def test_exported_models_reconstruct(make_vae, images, tmp_path):
    vae = make_vae()
    vae.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    again.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(
        served.reconstruct(images), vae.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_with_float32_terms(make_vae, images, policy):
    keras.config.set_dtype_policy(policy)
    try:
        vae = make_vae(likelihood=keras_vae.distributions.Gaussian(0.5, learn_scale=True))
        before = weights_of(vae)
        logs = vae.fit(images, batch_size=BATCH, verbose=0).history
        terms = vae(images, training=True, return_pass=True).terms
    finally:
        keras.config.set_dtype_policy("float32")
    assert vae.encoder.get_layer("hidden_0").compute_dtype == policy.removeprefix("mixed_")
    assert all(np.isfinite(values[0]) for values in logs.values())
    assert_terms_add_up({name: values[0] for name, values in logs.items()})
    assert {term.value.dtype for term in terms.values()} == {tf.float32}
    # Adam moves every weight that has a gradient by about its learning rate, 1e-2.
    assert np.median(np.abs(weights_of(vae) - before)) > 1e-3


@pytest.mark.slow
def test_two_replicas_train_like_one(run_python):
    printed = run_python(TWO_REPLICAS)
    one, two = (np.array(line.split(), np.float64) for line in printed.splitlines()[-2:])
    assert len(one) == 18
    np.testing.assert_allclose(two, one, rtol=1e-5)


TWO_REPLICAS = """
import contextlib, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_vae
images = np.random.default_rng(0).random((20, 4, 4, 1), dtype=np.float32)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for scope in (contextlib.nullcontext(), mirrored.scope()):
    keras.utils.set_random_seed(1)
    with scope:
        vae = keras_vae.VAE(
            keras_vae.networks.mlp_encoder((4, 4, 1), 2, hidden_sizes=[5]),
            keras_vae.networks.mlp_decoder((4, 4, 1), 2, hidden_sizes=[5]),
            seed=3,
        )
        vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    logs = vae.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    numbers = [value for name in sorted(logs) for value in logs[name]]
    numbers += [float(np.sum(np.abs(weight))) for weight in vae.trainable_weights[:4]]
    numbers += [vae.step_logs(3)["loss"], vae.step_logs(6)["kl_loss"]]
    evaluated = vae.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    numbers += [evaluated["loss"], evaluated["reconstruction_loss"]]
    print(*numbers)
"""


# The hook ----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class CapacityVAE(keras_vae.VAE):
    """Burgess et al., "Understanding disentangling in beta-VAE" (2018), equation 8."""

    def __init__(self, *args, gamma=1.0, capacity=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma = gamma
        self.capacity = capacity

    def regularizers(self, posterior, z, kl, training):
        return {"capacity_loss": (self.gamma, tf.abs(kl - self.capacity))}

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "capacity": self.capacity}


@keras.saving.register_keras_serializable("tests")
class MomentMatchingVAE(keras_vae.VAE):
    """Adds the squared mean of the batch's codes: a maximum mean discrepancy, linear kernel."""

    def regularizers(self, posterior, z, kl, training):
        discrepancy = tf.reduce_sum(tf.square(tf.reduce_mean(z, axis=0)))
        return {**super().regularizers(posterior, z, kl, training), "mmd_loss": (10.0, discrepancy)}


@pytest.mark.parametrize(
    ("member", "arguments", "name", "weight"),
    [
        (CapacityVAE, {"gamma": 3.0, "capacity": 0.4}, "capacity_loss", 3.0),
        (MomentMatchingVAE, {"beta": 0.5}, "mmd_loss", 10.0),
    ],
)
def test_the_term_of_a_family_member_is_weighted_added_logged_trained_and_saved(
    make_vae, images, tmp_path, member, arguments, name, weight
):
    vae = make_vae(member, **arguments)
    history = vae.fit(
        images, validation_data=(images,), batch_size=BATCH, shuffle=False, verbose=0
    ).history
    logs = {key: values[0] for key, values in history.items()}
    # The capacity member replaces the KL by its own term, and still logs it.
    kl_weight = 0.0 if member is CapacityVAE else 0.5
    for prefix in ("", "val_"):
        parts = [logs[prefix + key] for key in ("reconstruction_loss", "kl_loss", name)]
        assert min(parts) > 0
        assert logs[prefix + "loss"] == pytest.approx(
            np.dot(parts, [1.0, kl_weight, weight]), rel=1e-5
        )
    assert name in vae.step_logs(1)

    plain = make_vae(beta=arguments.get("beta", 1.0))
    assert np.abs(weights_of(vae) - trained_weights(plain, images, shuffle=False)).max() > 1e-3

    vae.save(tmp_path / "member.keras")
    again = keras.saving.load_model(tmp_path / "member.keras")
    assert type(again) is member
    assert {key: again.get_config()[key] for key in arguments} == arguments
    evaluated = (model.evaluate(images, verbose=0, return_dict=True) for model in (vae, again))
    assert next(evaluated) == pytest.approx(next(evaluated), rel=1e-6)


def test_weights_move_between_family_members(make_vae, images, tmp_path):
    vae = make_vae(beta=0.25)
    vae.fit(images, verbose=0)
    vae.save_weights(tmp_path / "vae.weights.h5")
    other = make_vae(MomentMatchingVAE)
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(weights_of(other), weights_of(vae))
    assert float(other.beta) == 0.25


# Saving ------------------------------------------------------------------------------------


def test_a_fresh_process_continues_as_if_unbroken(make_vae, images, tmp_path, run_python):
    vae = make_vae(seed=11, likelihood=keras_vae.distributions.Gaussian(0.5, learn_scale=True))
    vae.fit(images, batch_size=BATCH, shuffle=False, epochs=2, verbose=0)
    vae.beta = 0.7
    vae.save(tmp_path / "vae.keras")
    np.save(tmp_path / "images.npy", images)
    expected = {"predicted": vae.predict(images, verbose=0), "sampled": vae.sample(4, seed=1)}
    vae.fit(images, batch_size=BATCH, shuffle=False, epochs=2, verbose=0)
    expected["trained"] = weights_of(vae)

    run_python(CONTINUE)
    found = np.load(tmp_path / "found.npz")
    assert found["iterations"] == 6
    assert found["beta"] == pytest.approx(0.7)
    for name in ("predicted", "sampled"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    np.testing.assert_array_equal(found["trained"], expected["trained"])


CONTINUE = """
import keras, keras_vae
import numpy as np
images = np.load("images.npy")
vae = keras.saving.load_model("vae.keras", safe_mode=True)
assert type(vae) is keras_vae.VAE
found = {"iterations": int(vae.optimizer.iterations), "beta": float(vae.beta)}
found["predicted"] = vae.predict(images, verbose=0)
found["sampled"] = vae.sample(4, seed=1)
vae.fit(images, batch_size=8, shuffle=False, epochs=2, verbose=0)
found["trained"] = np.concatenate([np.ravel(weight) for weight in vae.trainable_weights])
np.savez("found.npz", **found)
"""


def test_every_argument_is_in_the_config(make_vae):
    arguments = {
        "likelihood": keras_vae.distributions.Gaussian(0.3, learn_scale=True),
        "prior": keras_vae.distributions.StandardNormal(),
        "beta": 0.25,
        "reduction": "mean",
        "seed": 12,
        "posterior": keras_vae.distributions.CouplingFlow(2),
        "free_bits": 0.5,
        "name": "named",
    }
    vae = make_vae(**arguments)
    config = vae.get_config()
    # A subclass's coefficients are in the config by their own names.
    nameless = {"self", "coefficients", "kwargs"}
    parameters = set(inspect.signature(keras_vae.VAE.__init__).parameters) - nameless
    assert parameters <= config.keys()
    again = keras_vae.VAE.from_config(config)
    assert (float(again.beta), again.reduction, again.seed, again.name) == (
        0.25,
        "mean",
        12,
        "named",
    )
    assert again.likelihood.scale == 0.3 and again.likelihood.learn_scale
    assert again.posterior.num_layers == 2 and again.free_bits == 0.5
    assert [w.shape for w in again.weights] == [w.shape for w in vae.weights]


def test_a_clone_is_untrained_and_starts_at_the_first_beta(make_vae, images):
    vae = make_vae(beta=0.25)
    vae.beta = 3.0
    clone = keras.models.clone_model(vae)
    assert float(clone.beta) == 0.25
    assert clone.encoder is not vae.encoder
    assert np.abs(weights_of(clone) - weights_of(vae)).max() > 1e-3
    clone.set_weights(vae.get_weights())
    assert float(clone.beta) == 3.0
    np.testing.assert_allclose(clone(images), vae(images), atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class OwnEncoder(keras.Model):
    def __init__(self, latent_dim=LATENTS, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.flatten = keras.layers.Flatten()
        self.loc = keras.layers.Dense(latent_dim)
        self.scale = keras.layers.Dense(latent_dim, activation="softplus")

    def call(self, x):
        features = self.flatten(x)
        return {"loc": self.loc(features), "scale": self.scale(features) + 1e-4}

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim}


@keras.saving.register_keras_serializable("tests")
class OwnDecoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pixels = keras.layers.Dense(PIXELS)
        self.reshape = keras.layers.Reshape(IMAGE_SHAPE)

    def call(self, z):
        return self.reshape(self.pixels(z))


def test_subclassed_networks_train_and_round_trip(images, tmp_path):
    vae = keras_vae.VAE(OwnEncoder(3), OwnDecoder(), beta=0.5, seed=1)
    assert not vae.built and vae.event_shape is None
    with pytest.raises(ValueError, match=r"`sample` needs a built model"):
        vae.sample(1)
    vae.compile("adam", jit_compile=False)
    history = vae.fit(images, validation_data=(images,), batch_size=BATCH, verbose=0).history
    assert (vae.latent_dim, vae.event_shape) == (3, IMAGE_SHAPE)
    assert_terms_add_up({name: values[0] for name, values in history.items()})
    vae.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras", safe_mode=True)
    assert again.encoder.latent_dim == 3
    np.testing.assert_allclose(again(images), vae(images), atol=1e-6)
    np.testing.assert_array_equal(
        trained_weights(again, images, shuffle=False), trained_weights(vae, images, shuffle=False)
    )


# Bad input ---------------------------------------------------------------------------------


def spoiled(images, pixel):
    """The images with one bad pixel in the first batch."""
    images = images.copy()
    images[2, 1, 1, 0] = pixel
    return images


BAD_IMAGES = {
    "integers": (lambda x: np.uint8(255 * x), r"must be floating point.*Received: dtype uint8"),
    "too large": (lambda x: spoiled(x, 1.5), r"within \[0, 1\], the support of the likelihood"),
    "negative": (lambda x: spoiled(x, -0.1), r"within \[0, 1\], the support of the likelihood"),
    "not a number": (lambda x: spoiled(x, np.nan), r"Images must be finite"),
    "shape": (
        lambda x: x[:, :3],
        r"do not fit the encoder. Expected: \[batch, 4, 4, 1\]. Received: \[.*, 3, 4, 1\]",
    ),
}
CONTAINERS = {
    "numpy": lambda x: x,
    "dataset": dataset,
    "generator": generator,
    "PyDataset": Batches,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("fault", BAD_IMAGES)
def test_bad_images_are_refused_before_the_first_step(make_vae, images, fault, container):
    spoil, message = BAD_IMAGES[fault]
    data = CONTAINERS[container]
    vae = make_vae()
    before = weights_of(vae)
    with pytest.raises(ValueError, match=message):
        vae.fit(data(spoil(images)), verbose=0)
    assert vae.optimizer.iterations == 0
    np.testing.assert_array_equal(weights_of(vae), before)


@pytest.mark.parametrize("fault", BAD_IMAGES)
def test_bad_images_are_refused_for_validation_and_evaluation(make_vae, images, fault):
    spoil, message = BAD_IMAGES[fault]
    vae = make_vae()
    with pytest.raises(ValueError, match=message):
        vae.evaluate(spoil(images), verbose=0)
    with pytest.raises(ValueError, match=message):
        vae.fit(images, validation_data=(spoil(images), LABELS), verbose=0)
    assert vae.optimizer.iterations == 0


def test_values_received_are_named(make_vae, images):
    with pytest.raises(ValueError, match=r"Received: values from -3.0 to 0.9.*x / 255"):
        make_vae().fit(spoiled(images, -3), verbose=0)


def test_a_gaussian_takes_any_finite_value_and_no_other(make_vae, images):
    vae = make_vae(likelihood="gaussian", eager=True)
    vae.fit(dataset(10 * images - 5), verbose=0)
    for bad in (np.inf, np.nan):
        with pytest.raises(ValueError, match=r"Images must be finite"):
            vae.fit(dataset(spoiled(images, bad)), verbose=0)
    assert vae.optimizer.iterations == 3


def test_a_dataset_of_something_else_is_refused(make_vae, images):
    with pytest.raises(ValueError, match=r"must yield images.*Received: elements of {'image'"):
        make_vae().fit(dataset({"image": images}), verbose=0)


def test_no_images_at_all_are_refused(make_vae, images):
    with pytest.raises(ValueError, match=r"no images.*Received: shape \(0, 4, 4, 1\)"):
        make_vae().fit(images[:0], verbose=0)
    with pytest.raises(ValueError, match="a generator that yields nothing"):
        make_vae().fit(generator(images[:0]), verbose=0)


def encoder_returning(structure):
    image = keras.Input(IMAGE_SHAPE)
    return keras.Model(image, structure(keras.layers.Dense(2)(keras.layers.Flatten()(image))))


WRONG_NETWORKS = {
    "latent sizes": (
        lambda: keras_vae.networks.mlp_encoder(IMAGE_SHAPE, 3),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 5),
        r"differ in latent size: the encoder returns 3 latents.*\(None, 5\)",
    ),
    "tuple of parameters": (
        lambda: encoder_returning(lambda code: [code, code]),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`, both of shape \[batch, latent\]. Received: \[\(None, 2\)",
    ),
    "no scale": (
        lambda: encoder_returning(lambda code: {"loc": code, "log_var": code}),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`.*Received: {.*'log_var': \(None, 2\)",
    ),
    "scale of another size": (
        lambda: encoder_returning(lambda code: {"loc": code, "scale": code[:, :1]}),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`.*Received: {'loc': \(None, 2\), 'scale': \(None, 1\)}",
    ),
    "feature maps": (
        lambda: encoder_returning(lambda code: dict.fromkeys(("loc", "scale"), code[:, None])),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"both of shape \[batch, latent\]. Received: {'loc': \(None, 1, 2\)",
    ),
    "decoder shape": (
        lambda: keras_vae.networks.mlp_encoder(IMAGE_SHAPE, 2),
        lambda: keras_vae.networks.mlp_decoder((4, 4, 3), 2),
        r"`decoder` must.*Expected: \(None, 4, 4, 1\). Received: \(None, 4, 4, 3\)",
    ),
}


@pytest.mark.parametrize("fault", WRONG_NETWORKS)
def test_networks_that_do_not_fit_are_refused(fault):
    encoder, decoder, message = WRONG_NETWORKS[fault]
    with pytest.raises(ValueError, match=message):
        keras_vae.VAE(encoder(), decoder())


def test_subclassed_networks_that_do_not_fit_are_refused_before_the_first_step(images):
    vae = keras_vae.VAE(OwnEncoder(3), keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2))
    vae.compile("adam")
    with pytest.raises(ValueError, match=r"differ in latent size"):
        vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 0


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian"]),
        ("prior", ["standard_normal"]),
        ("reduction", ["sum", "mean"]),
    ],
)
def test_unknown_names_list_the_known_ones(make_vae, argument, known):
    with pytest.raises(ValueError) as raised:
        make_vae(**{argument: "poisson"})
    message = str(raised.value)
    assert f"Invalid value for argument `{argument}`" in message
    assert f"Received: {argument}='poisson'" in message
    assert all(repr(name) in message for name in known)
