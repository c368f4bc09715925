"""Tests of the VQ-VAE: its loss against NumPy, its files, and all that a model here can do."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_vae import anomaly, callbacks, distributions, evaluation, explorer, visualize
from keras_vae.quantized import VQVAE, CodePrior

SHAPE = (4, 4, 1)


def make(policy="float32", likelihood="bernoulli", grid=True, compiled=True, **arguments):
    """A tiny model; two calls give the same weights."""
    keras.utils.set_random_seed(1)
    outputs = 2 if likelihood == "discretized_logistic" else 1
    keras.config.set_dtype_policy(policy)
    try:
        encoder = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(12)]
        decoder = [keras.Input((2, 2, 3)), keras.layers.Flatten()]
        if grid:
            encoder.append(keras.layers.Reshape((2, 2, 3)))
        else:
            decoder = [keras.Input((12,))]
        decoder += [keras.layers.Dense(16 * outputs), keras.layers.Reshape((4, 4, outputs))]
        model = VQVAE(
            keras.Sequential(encoder),
            keras.Sequential(decoder),
            **{"num_codes": 6, "seed": 3, "likelihood": likelihood, **arguments},
        )
    finally:
        keras.config.set_dtype_policy("float32")
    if compiled:
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False, run_eagerly=True)
    return model


def compiled(model, **options):
    model.compile(keras.optimizers.Adam(1e-2), **options)
    return model


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables]
    return np.concatenate([np.ravel(variable.numpy()).astype("float64") for variable in variables])


@pytest.fixture(scope="module")
def trained(images):
    """One with moving averages, trained by compiled steps, with ragged last batches."""
    model = compiled(make(compiled=False, commitment=0.5), jit_compile=False)
    many = np.tile(images, (12, 1, 1, 1))
    history = model.fit(
        many, validation_data=images, batch_size=16, epochs=6, shuffle=False, verbose=0
    ).history
    return model, history


@pytest.mark.parametrize("decay", [0.99, None])
def test_the_loss_is_equation_3_in_numpy(images, decay):
    model = make(decay=decay, commitment=0.4)
    # Somewhere near the outputs, so that several codes are in use.
    vectors = np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32)
    model.codebook.vectors.assign(vectors)
    weights = np.linspace(0, 2, 20, dtype=np.float32)
    logs = model.test_on_batch(images, sample_weight=weights, return_dict=True)

    outputs = model.encoder(images).numpy()
    codes = ((outputs[..., None, :] - vectors) ** 2).sum(-1).argmin(-1)
    assert len(np.unique(codes)) > 3
    np.testing.assert_array_equal(model.encode_codes(images), codes)
    logits = np.float64(model.decoder(vectors[codes]))
    distortion = (np.logaddexp(0, logits) - images * logits).sum((1, 2, 3))
    distance = ((outputs - vectors[codes]) ** 2).sum((1, 2, 3))
    expected = {
        "reconstruction_loss": np.mean(weights * distortion),
        "commitment_loss": np.mean(weights * distance),
        "elbo": np.average(-distortion - 4 * np.log(6), weights=weights),
    }
    loss = expected["reconstruction_loss"] + 0.4 * expected["commitment_loss"]
    if decay is None:
        expected["codebook_loss"] = expected["commitment_loss"]
        loss += expected["codebook_loss"]
    shares = np.bincount(codes.ravel(), minlength=6) / codes.size
    entropy = -np.sum(shares[shares > 0] * np.log(shares[shares > 0]))
    expected |= {"loss": loss, "perplexity": np.exp(entropy)}
    assert set(logs) == set(expected)
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("decay", [0.99, None])
def test_each_part_is_moved_by_its_own_terms(images, decay):
    model = make(decay=decay, commitment=0.4)
    kernel = model.encoder.layers[-2].kernel
    with tf.GradientTape() as tape:
        terms = model(images, return_pass=True).terms
        loss = tf.add_n([weight * tf.reduce_sum(value) for weight, value, _ in terms.values()])
    found = tape.gradient(loss, [kernel.value, model.codebook.vectors.value])
    # The encoder's output moves as the decoder's input should, and towards the code.
    outputs = model.encoder(images)
    codes = model.codebook.nearest(outputs)
    vectors = tf.convert_to_tensor(model.codebook.vectors)
    quantized = tf.gather(vectors, codes)
    with tf.GradientTape() as tape:
        tape.watch(quantized)
        likelihood = model.likelihood.distribution(model.decoder(quantized))
        distortion = -tf.reduce_sum(likelihood.log_prob(images))
    of_outputs = tape.gradient(distortion, quantized) + 2 * 0.4 * (outputs - quantized)
    expected = tf.matmul(images.reshape(20, -1), tf.reshape(of_outputs, [20, -1]), transpose_a=True)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)
    if decay is None:
        one_hot = tf.one_hot(tf.reshape(codes, [-1]), 6)
        errors = tf.reshape(quantized - outputs, [-1, 3])
        expected = 2 * tf.matmul(one_hot, errors, transpose_a=True)
        np.testing.assert_allclose(tf.convert_to_tensor(found[1]), expected, rtol=1e-4, atol=1e-5)
    else:
        assert found[1] is None


def test_the_logs_add_up_and_the_loss_falls(trained):
    _, history = trained
    for prefix in ("", "val_"):
        for epoch in (0, -1):
            logs = {name: values[epoch] for name, values in history.items()}
            total = logs[prefix + "reconstruction_loss"] + 0.5 * logs[prefix + "commitment_loss"]
            assert logs[prefix + "loss"] == pytest.approx(total, rel=1e-5)
            assert 1 < logs[prefix + "perplexity"] <= 6
    assert history["val_loss"][-1] < history["val_loss"][0] - 0.5


@pytest.mark.parametrize("decay", [0.99, None])
def test_the_codebook_moves_in_training_alone(images, decay):
    model = make(decay=decay)
    before = model.codebook.vectors.numpy()
    model.evaluate(images, verbose=0)
    model.predict(images, verbose=0)
    np.testing.assert_array_equal(model.codebook.vectors.numpy(), before)
    model.train_on_batch(images)
    # Every vector of the first batch: in use, and averaged or trained, or made one of its outputs.
    assert (model.codebook.vectors.numpy() != before).any(1).all()


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "discretized_logistic"])
def test_images_are_their_codes_for_any_likelihood(images, likelihood):
    levels = np.round(images * 255) / 255
    model = make(likelihood=likelihood)
    model.fit(levels, verbose=0)
    codes = model.encode_codes(levels, batch_size=7)
    assert codes.shape == (20, 2, 2) and codes.dtype == tf.int32
    whole = model.reconstruct(levels)
    assert whole.shape == levels.shape and np.isfinite(whole).all()
    # By another number of rows at once, products of matrices round otherwise.
    np.testing.assert_allclose(model.decode_codes(codes, batch_size=6), whole, atol=1e-6)
    batches = tf.data.Dataset.from_tensor_slices(levels).batch(6)
    np.testing.assert_array_equal(model.encode_codes(batches), codes)


def test_a_single_code_an_image_is_a_vector(images):
    model = make(grid=False)
    assert model.grid_shape == ()
    logs = model.train_on_batch(images, return_dict=True)
    rate = -logs["elbo"] - logs["reconstruction_loss"]
    assert rate == pytest.approx(np.log(6), rel=1e-4)
    codes = model.encode_codes(images)
    assert codes.shape == (20,)
    np.testing.assert_allclose(model.decode_codes(codes), model.reconstruct(images), atol=1e-6)
    with pytest.raises(ValueError, match="no prior over its codes to draw from"):
        model.sample(2)
    prior = CodePrior((), 6, width=4, depth=1, num_heads=1)
    assert model.with_prior(prior).sample(3, seed=0).shape == (3, *SHAPE)


@pytest.mark.parametrize(("policy", "rtol"), [("mixed_float16", 3e-3), ("mixed_bfloat16", 3e-2)])
def test_mixed_precision_is_finite_and_close(images, policy, rtol):
    expected = make().test_on_batch(images, return_dict=True)
    model = make(policy)
    found = model.test_on_batch(images, return_dict=True)
    for name in ("loss", "reconstruction_loss", "elbo"):
        assert found[name] == pytest.approx(expected[name], rel=rtol)
    for _ in range(2):
        logs = model.train_on_batch(images, return_dict=True)
        assert all(np.isfinite(value) for value in logs.values())
    assert {weight.dtype for weight in model.weights} <= {"float32", "uint32", "int64", "int32"}
    assert model.codebook.compute_dtype == "float32"


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.99, None])
def test_many_steps_in_one_call_of_xla_are_those_of_one_by_one(images, decay):
    many = np.tile(images, (8, 1, 1, 1))
    states, moved = [], []
    for options in ({"jit_compile": False}, {"steps_per_execution": 10, "jit_compile": True}):
        model = compiled(make(decay=decay, compiled=False), **options)
        model.fit(many, batch_size=16, epochs=2, shuffle=False, verbose=0)
        states.append(state_of(model))
        moved.append(model.codebook.unused.numpy())
    np.testing.assert_allclose(*states, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(*moved)


def test_a_run_repeats_to_the_last_bit(images):
    runs = []
    for _ in range(2):
        model = make(revive_after=2)
        model.fit(images, batch_size=8, epochs=2, verbose=0)
        runs.append(state_of(model))
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("decay", [0.99, pytest.param(None, marks=pytest.mark.exhaustive)])
def test_a_run_that_resumes_ends_as_the_unbroken_one(images, tmp_path, decay):
    whole = make(decay=decay, revive_after=2)
    whole.fit(images, batch_size=8, shuffle=False, epochs=3, verbose=0)
    for epochs in (1, 3):
        model = make(decay=decay, revive_after=2)
        logger = callbacks.ELBOLogger(
            tmp_path, names=("loss", "perplexity", "elbo"), print_table=False
        )
        model.fit(
            images,
            batch_size=8,
            shuffle=False,
            epochs=epochs,
            verbose=0,
            callbacks=[callbacks.Resume(tmp_path), logger],
        )
    np.testing.assert_array_equal(state_of(model), state_of(whole))
    assert [row["step"] for row in logger.rows] == [1, 2, 4, 8]
    assert all(row["elbo"] < 0 < row["perplexity"] for row in logger.rows)


def test_dead_codes_come_back_in_training(images):
    def perplexity(**arguments):
        model = make(**arguments)
        # Five vectors that nothing is near to.
        model.codebook.vectors.assign(np.arange(6)[:, None] * np.full(3, 100.0))
        model.codebook.counts.assign(np.ones(6))
        if model.codebook.revive_after:
            model.codebook.unused.assign(np.zeros(6))
        return model.fit(images, epochs=12, verbose=0).history["perplexity"]

    assert perplexity(revive_after=None)[-1] == pytest.approx(1)
    revived = perplexity(revive_after=5)
    assert revived[4] == pytest.approx(1) and revived[-1] > 2


@pytest.mark.slow
def test_a_fresh_process_goes_on_as_if_unbroken(images, tmp_path, run_python):
    np.save(tmp_path / "images.npy", images)
    expected = []
    for index, arguments in enumerate(({}, {"decay": None, "likelihood": "gaussian"})):
        model = make(**arguments)
        model.train_on_batch(images)
        model.save(tmp_path / f"{index}.keras")
        model.save_to_preset(tmp_path / f"preset_{index}", description="Tiny.")
        codes = model.encode_codes(images).numpy()
        model.train_on_batch(images)
        expected.append((codes, state_of(model)))
    run_python(GO_ON)
    for index, (codes, state) in enumerate(expected):
        found = np.load(tmp_path / f"{index}.npz")
        np.testing.assert_array_equal(found["codes"], codes)
        np.testing.assert_array_equal(found["of_preset"], codes)
        np.testing.assert_array_equal(found["state"], state)


GO_ON = """
import keras, keras_vae
import numpy as np
images = np.load("images.npy")
for index in range(2):
    model = keras.saving.load_model(f"{index}.keras", safe_mode=True)
    assert type(model) is keras_vae.quantized.VQVAE
    codes = model.encode_codes(images)
    of_preset = keras_vae.quantized.VQVAE.from_preset(f"preset_{index}").encode_codes(images)
    model.train_on_batch(images)
    variables = [*model.variables, *model.optimizer.variables]
    state = np.concatenate([np.ravel(v.numpy()).astype("float64") for v in variables])
    np.savez(f"{index}.npz", codes=codes, of_preset=of_preset, state=state)
"""


def test_every_argument_is_in_the_config_which_makes_the_same_model(images):
    model = make(decay=None, revive_after=None, commitment=0.75, likelihood="gaussian")
    model.commitment = 2.0
    again = VQVAE.from_config(json.loads(json.dumps(model.get_config())))
    assert again.codebook.decay is None and again.codebook.revive_after is None
    assert float(again.commitment) == 0.75 and again.num_codes == 6
    assert isinstance(again.likelihood, distributions.Gaussian)
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


def test_a_saved_model_serves_codes_both_ways(trained, images, tmp_path):
    model, _ = trained
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served")).signatures
    (codes,) = served["encode_codes"](images=tf.constant(images)).values()
    np.testing.assert_array_equal(codes, model.encode_codes(images))
    for name, value in (("serving_default", images), ("decode_codes", codes)):
        argument = "codes" if name == "decode_codes" else "images"
        (found,) = served[name](**{argument: tf.constant(value)}).values()
        np.testing.assert_allclose(found, model.reconstruct(images), atol=1e-6)


def test_callbacks_of_losses_and_reconstructions_work_and_change_nothing(images, tmp_path):
    alone, watched = make(), make()
    alone.fit(images, batch_size=8, verbose=0)
    watchers = [
        callbacks.ELBOLogger(tmp_path, print_table=False),
        callbacks.LossCurves(tmp_path),
        callbacks.ReconstructionGrid(images[:3], tmp_path),
        callbacks.StopOnNonFinite(),
        callbacks.ValueSchedule("commitment", start=0.25, end=0.25, warmup_steps=1),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        watched.fit(images, batch_size=8, verbose=0, callbacks=watchers)
    assert not [w for w in caught if w.category is UserWarning]
    np.testing.assert_array_equal(state_of(watched), state_of(alone))
    assert (tmp_path / "losses.png").exists()
    assert (tmp_path / "reconstructions" / "epoch_0001.png").exists()
    header = (tmp_path / "elbo.csv").read_text().splitlines()[0]
    assert header == "step,loss,reconstruction_loss,elbo,learning_rate"
    assert visualize.reconstructions(watched, images[:3]).width > 3 * 4


# With a prior over its codes ---------------------------------------------------------------------


def code_prior(**arguments):
    """A tiny prior that thinks some codes more probable than others."""
    keras.utils.set_random_seed(2)
    prior = CodePrior(
        **{"grid_shape": (2, 2), "num_codes": 6, "width": 8, "depth": 1, "num_heads": 2} | arguments
    )
    head = prior.network.get_layer("logits")
    head.kernel.assign(np.random.default_rng(0).normal(size=head.kernel.shape))
    return prior


@pytest.fixture(scope="module")
def whole(trained):
    model, _ = trained
    return compiled(model.with_prior(code_prior()), jit_compile=False, run_eagerly=True)


def test_the_bound_is_that_under_the_prior_and_its_samples_are_decoded(trained, whole, images):
    model, prior = trained[0], code_prior()
    before, after = (m.evaluate(images, verbose=0, return_dict=True) for m in (model, whole))
    log_prob = prior.log_prob(model.encode_codes(images))
    assert after["elbo"] == pytest.approx(log_prob.mean() - after["reconstruction_loss"], rel=1e-5)
    assert before["elbo"] == pytest.approx(-4 * np.log(6) - before["reconstruction_loss"], rel=1e-5)
    assert after["loss"] == pytest.approx(before["loss"], rel=1e-6)
    drawn = prior.sample(5, seed=4)
    np.testing.assert_array_equal(whole.draw_codes(5, seed=4), drawn)
    np.testing.assert_allclose(whole.sample(5, seed=4), model.decode_codes(drawn), atol=1e-6)
    np.testing.assert_array_equal(whole.reconstruct(images), model.reconstruct(images))


def test_training_goes_on_and_leaves_the_prior_alone(trained, images):
    model, prior = trained[0], code_prior()
    both = compiled(model.with_prior(prior), jit_compile=False, run_eagerly=True)
    assert float(both.commitment) == float(model.commitment)
    frozen, moved = both.code_prior.get_weights(), both.encoder.get_weights()
    original = model.get_weights()
    both.fit(images, verbose=0)
    for a, b in zip(frozen, both.code_prior.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(moved, both.encoder.get_weights(), strict=True))
    for a, b in zip(original, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert prior.trainable and not both.code_prior.trainable


def test_both_are_one_file_one_preset_and_one_export(whole, images, tmp_path):
    whole.save(tmp_path / "whole.keras")
    whole.save_to_preset(tmp_path / "preset")
    again = keras.saving.load_model(tmp_path / "whole.keras")
    for model in (again, VQVAE.from_preset(tmp_path / "preset")):
        np.testing.assert_array_equal(model.sample(3, seed=1), whole.sample(3, seed=1))
        np.testing.assert_array_equal(model.encode_codes(images), whole.encode_codes(images))
        assert not model.code_prior.trainable
    whole.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["sample"]
    (drawn,) = served(n=tf.constant(3), seed=tf.constant(1)).values()
    np.testing.assert_allclose(drawn, whole.sample(3, seed=1), atol=1e-6)


def test_pictures_of_its_samples_are_drawn_while_it_or_its_prior_trains(whole, images, tmp_path):
    alone, watched = (
        compiled(whole.with_prior(code_prior()), jit_compile=False, run_eagerly=True)
        for _ in range(2)
    )
    alone.fit(images, batch_size=8, verbose=0)
    samples = callbacks.PriorSamples(tmp_path / "whole", num_images=4, seed=3)
    watched.fit(images, batch_size=8, verbose=0, callbacks=[samples])
    np.testing.assert_array_equal(state_of(watched), state_of(alone))
    np.testing.assert_array_equal(samples.codes, watched.draw_codes(4, seed=3))
    assert samples.last_pictures["prior_samples"].is_file()
    picture = visualize.samples(watched, num_images=4, seed=3)
    with Image.open(samples.last_pictures["prior_samples"]) as written:
        np.testing.assert_array_equal(np.asarray(written), np.asarray(picture))

    prior = compiled(code_prior(), jit_compile=False, run_eagerly=True)
    settings = {"num_images": 4, "seed": 3, "decode": whole.decode_codes}
    samples = callbacks.PriorSamples(tmp_path / "prior", **settings)
    prior.fit(whole.encode_codes(images).numpy(), verbose=0, callbacks=[samples])
    np.testing.assert_array_equal(samples.codes, prior.sample(4, seed=3))
    with pytest.raises(ValueError, match="CodePrior draws codes, and does not decode them"):
        visualize.samples(prior)


def test_a_prior_over_other_codes_is_refused(trained):
    model, _ = trained
    for arguments in ({"grid_shape": (4,)}, {"num_codes": 5}):
        with pytest.raises(ValueError, match=r"grids of shape \[2, 2\] of 6 codes\. Received: one"):
            model.with_prior(code_prior(**arguments))
    for given in (None, model):
        with pytest.raises(ValueError, match="Expected a trained `CodePrior`"):
            model.with_prior(given)


def test_what_needs_a_continuous_latent_says_so(trained, images, tmp_path):
    model, _ = trained
    for watcher in (
        callbacks.LatentTraversal(tmp_path),
        callbacks.LatentMap(images, tmp_path),
        callbacks.LatentStatistics(images),
        callbacks.DisentanglementMetrics((images, np.arange(40).reshape(20, 2) % 3), num_points=20),
    ):
        with pytest.raises(ValueError, match="its codes are integers"):
            model.fit(images, verbose=0, callbacks=[watcher])
    for function in (visualize.latent_traversal, visualize.latent_grid):
        with pytest.raises(ValueError, match="its codes are integers"):
            function(model)
    with pytest.raises(ValueError, match="no prior over its codes"):
        model.fit(images, verbose=0, callbacks=[callbacks.PriorSamples(tmp_path)])
    for function in (
        evaluation.evaluate_elbo,
        evaluation.log_likelihood,
        evaluation.reconstruction_error,
        anomaly.negative_elbo,
    ):
        with pytest.raises(ValueError, match=r"whose codes are integers.*`elbo`"):
            function(model, images)
    with pytest.raises(ValueError, match="whose codes are integers"):
        explorer.explore(model)


@pytest.mark.exhaustive
def test_two_replicas_train_as_one(run_python):
    one, two = (float(line) for line in run_python(TWO_REPLICAS).splitlines()[-2:])
    assert one < 1e-5 and two == 0


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_vae.quantized import VQVAE

images = np.random.default_rng(0).random((37, 4, 4, 1), dtype=np.float32)

def trained(strategy, batch_size, data):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        encoder = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(12)]
        decoder = [keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(16)]
        model = VQVAE(
            keras.Sequential([*encoder, keras.layers.Reshape((2, 2, 3))]),
            keras.Sequential([*decoder, keras.layers.Reshape((4, 4, 1))]),
            num_codes=6, seed=3, revive_after=ARE_REVIVED,
        )
        model.codebook.vectors.assign(np.random.default_rng(0).normal(size=(6, 3)))
        model.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    model.fit(data, batch_size=batch_size, shuffle=False, epochs=3, verbose=0)
    return model

# Without revival what two replicas do together is what one does alone.
ARE_REVIVED = None
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one = trained(tf.distribute.get_strategy(), 12, images[:36])
two = trained(mirrored, 12, images[:36])
print(max(np.abs(a.numpy() - b.numpy()).max() for a, b in zip(one.weights, two.weights)))
# With it, and a last batch of one image, of which a replica gets nothing, they stay alike.
ARE_REVIVED = 2
model = trained(mirrored, 12, images)
copies = [weight.value.values for weight in model.weights if hasattr(weight.value, "values")]
assert np.isfinite(model.codebook.vectors.numpy()).all()
print(max(np.abs(a.numpy() - b.numpy()).max() for a, b in copies))
"""
