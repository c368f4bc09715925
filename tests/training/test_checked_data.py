"""Tests of what `fit`, `evaluate` and `predict` take, and of what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    BATCH,
    FIRST_EVALUATION,
    IMAGE_SHAPE,
    assert_terms_add_up,
    dataset,
    noise_of,
    terms_by_hand,
    weights_of,
)

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_no_images_at_all_are_refused(make_vae, images):
    with pytest.raises(ValueError, match=r"no images.*Received: shape \(0, 4, 4, 1\)"):
        make_vae().fit(images[:0], verbose=0)
    with pytest.raises(ValueError, match="a generator that yields nothing"):
        make_vae().fit(generator(images[:0]), verbose=0)
