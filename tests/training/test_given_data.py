"""Tests of what `fit` and its like take for images, and of what they say of anything else."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.training.given_data import is_endless, one_array

WEIGHTS = np.linspace(0, 1, 20, dtype="float32")


def logs_of(vae, *data, **more):
    return vae.train_on_batch(*data, return_dict=True, **more)


ONE_ARRAY = {
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "variable": tf.Variable,
    "Keras variable": keras.Variable,
}


@pytest.mark.parametrize("kind", ONE_ARRAY)
def test_what_is_one_array_trains_evaluates_and_predicts_as_it_does(make_vae, images, kind):
    given = ONE_ARRAY[kind](images)
    first, second = (make_vae(eager=True) for _ in range(2))
    assert logs_of(first, given) == logs_of(second, images)
    assert first.evaluate(given, verbose=0) == second.evaluate(images, verbose=0)
    assert first.test_on_batch(given) == second.test_on_batch(images)
    for predict in ("predict_on_batch", "embed", "reconstruct"):
        np.testing.assert_array_equal(
            getattr(first, predict)(given), getattr(second, predict)(images)
        )
    fitted = first.fit(given, validation_data=[images], verbose=0).history
    assert np.isfinite(fitted["val_loss"][0])


def test_a_data_frame_of_flat_images_trains_as_its_array(images):
    flat = images.reshape(20, 16)
    losses = []
    for data in (flat, pd.DataFrame(flat)):
        keras.utils.set_random_seed(1)
        vae = keras_vae.VAE(
            keras_vae.networks.mlp_encoder((16,), 2, [5]),
            keras_vae.networks.mlp_decoder((16,), 2, [5]),
            seed=3,
        )
        vae.compile("adam", run_eagerly=True)
        losses.append(vae.fit(data, verbose=0, shuffle=False).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("event_shape", [None, (4, 4, 1)])
def test_several_arrays_are_told_apart(images, event_shape):
    with pytest.raises(ValueError, match=r"20 arrays of shape \[4, 4, 1\].*np.stack\(x\)"):
        one_array(list(images), event_shape)
    with pytest.raises(ValueError, match=r"of shapes \[20, 4, 4, 1\] and \[20\]. Pass its parts"):
        one_array([images, WEIGHTS], event_shape)
    with pytest.raises(ValueError, match=r"of differing shapes. Resize the images alike"):
        one_array([images[0], images[1, :3]], event_shape)
    with pytest.raises(ValueError, match=r"np.concatenate\(x\)"):
        one_array([images, images], (4, 4, 1))


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "train_on_batch", "embed"])
def test_a_mask_that_would_be_lost_is_refused(make_vae, images, method):
    some = np.ma.masked_array(images, np.arange(images.size).reshape(images.shape) < 3)
    with pytest.raises(ValueError, match=r"of which 3 values are masked. Pass `x.filled\(np.nan"):
        getattr(make_vae(), method)(some)
    getattr(make_vae(), method)(np.ma.masked_array(images))


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_images_and_labels_as_one_list_are_refused(make_vae, images, method):
    with pytest.raises(ValueError, match=r"with labels as `y`.*Received: a list of 2 arrays"):
        getattr(make_vae(), method)([images, WEIGHTS])


@pytest.mark.parametrize("method", ["predict", "predict_on_batch", "embed", "reconstruct"])
def test_so_they_are_where_labels_are_not_taken(make_vae, images, method):
    with pytest.raises(ValueError, match=r"with (nothing|cond).*Received: a tuple of 2 arrays"):
        getattr(make_vae(), method)((images, WEIGHTS))


def test_lists_of_weights_and_labels_are_arrays(make_vae, images):
    expected = logs_of(make_vae(eager=True), images, sample_weight=WEIGHTS)
    found = logs_of(make_vae(eager=True), images, list(range(20)), sample_weight=WEIGHTS.tolist())
    assert found == expected
    vae = make_vae(eager=True)
    assert vae.fit(images, sample_weight=WEIGHTS.tolist(), verbose=0).history["loss"][0] > 0


def test_what_is_endless(images):
    data = tf.data.Dataset.from_tensors(images)
    assert is_endless(data.repeat()) and not is_endless(data) and not is_endless(images)


@pytest.mark.parametrize(
    ("argument", "steps"),
    [("x", "steps_per_epoch"), ("validation_data", "validation_steps")],
)
def test_data_without_an_end_are_said_to_have_none(make_vae, images, argument, steps):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise InterruptedError

    data = {"x": images, argument: tf.data.Dataset.from_tensors(images).repeat()}
    said = rf"`fit` will not end: the data set `{argument}`.*`{steps}`"
    with pytest.warns(UserWarning, match=said), pytest.raises(InterruptedError):
        make_vae(eager=True).fit(**data, verbose=0, callbacks=[Stop()])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        make_vae(eager=True).fit(**data, **{steps: 1}, verbose=0)


def test_training_needs_an_optimizer_and_coefficients_that_the_constructor_takes(make_vae, images):
    vae = make_vae(eager=True)
    for value in (-5.0, np.nan):
        vae.beta.assign(value)
        for train in (vae.fit, vae.train_on_batch):
            with pytest.raises(ValueError, match=r"`beta`. Expected a finite number of at least 0"):
                train(images)
    assert vae.optimizer.iterations == 0
    vae.beta.assign(0.0)
    vae.train_on_batch(images)
    vae.compile(optimizer=None)
    for train in (vae.fit, vae.train_on_batch):
        with pytest.raises(ValueError, match=r"needs an optimizer. Compile"):
            train(images)


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_any_default_type_of_keras_trains(make_vae, images, floatx):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        logs = make_vae(eager=True).fit(images, validation_data=(images,), verbose=0).history
    finally:
        keras.config.set_floatx(before)
    assert np.isfinite(logs["loss"] + logs["val_loss"]).all()


UNKNOWN = {
    "images": lambda x: tf.numpy_function(lambda a: a, [x], tf.float32),
    "all three": lambda x: tuple(
        tf.numpy_function(
            lambda a: (a, WEIGHTS[: len(a)], WEIGHTS[: len(a)]), [x], [tf.float32] * 3
        )
    ),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_data_sets_that_tell_no_shape_train_as_those_that_do(make_vae, images, what):
    batches = tf.data.Dataset.from_tensor_slices(images).batch(20)
    weights = WEIGHTS if what == "all three" else None
    expected = make_vae(eager=True).fit(
        images, sample_weight=weights, shuffle=False, batch_size=20, verbose=0
    )
    found = make_vae(eager=True).fit(batches.map(UNKNOWN[what]), verbose=0)
    assert found.history["loss"] == pytest.approx(expected.history["loss"], rel=1e-6)


def test_the_names_of_metrics_are_those_of_what_evaluate_returns(make_vae, images):
    vae = make_vae(eager=True, compile_kwargs={"metrics": ["mse"]})
    vae.evaluate(images, verbose=0)
    named = dict(zip(vae.metrics_names, vae.evaluate(images, verbose=0), strict=True))
    assert named == vae.evaluate(images, verbose=0, return_dict=True)
    assert make_vae().metrics_names == ["loss", "beta", "elbo", "kl_loss", "reconstruction_loss"]


def test_the_summary_knows_all_shapes(make_vae):
    lines = []
    make_vae(prior="gaussian_mixture").summary(print_fn=lambda text, **_: lines.append(text))
    assert "?" not in "".join(lines) and "(None, 4, 4, 1)" in "".join(lines)
