"""Tests that columns which are explained together are what they would be one by one."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_vae.distributions import Gaussian, Product
from keras_vae.tables import Table

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": RANDOM.normal(size=30),
        "n": RANDOM.poisson(40, 30),
        "colour": RANDOM.choice(["red", "green", "blue"], 30),
        "b": RANDOM.normal(size=30),
        "learned": RANDOM.normal(size=30),
        "m": RANDOM.poisson(30, 30),
        "c": RANDOM.normal(size=30),
    }
)
KINDS = {"learned": Gaussian(0.5, learn_scale=True), "n": "count", "m": "count"}


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "with holes"])
def test_columns_that_are_alike_are_scored_as_one_by_one(missing):
    table = Table.infer(FRAME, KINDS, verbose=False)
    together = table.likelihood()
    assert [len(own) for own in together.columns.values()] == [3, 2, 3, 1]
    together.build((None, table.width))
    frame = FRAME.mask(RANDOM.random(FRAME.shape) < 0.3) if missing else FRAME
    rows = table.encode(frame)
    size = together.parameters_shape((table.width,))[-1]
    parameters = tf.constant(RANDOM.normal(size=(30, size)), tf.float32)
    # The parameters of a column, of a group's first ones before its second ones.
    own = {}
    start = 0
    for group, (names, columns) in enumerate(
        zip(together.names.values(), together.columns.values(), strict=True)
    ):
        part = together.parts[list(together.parts)[group]]
        width = part.parameters_shape((len(columns),))[-1]
        block = parameters[:, start : start + width]
        start += width
        for index, name in enumerate(names):
            own[name] = block[:, index :: len(names)] if len(names) > 1 else block
    kinds = {column.name: type(column.likelihood) for column in table.columns}
    method = "distribution_of_observed" if missing else "distribution"
    found = getattr(together, method)(parameters)
    by_column = found.log_prob_by_group(rows)
    assert list(by_column) == ["a", "b", "c", "n", "m", "colour", "learned"]
    for name, place in table.groups.items():
        part = kinds[name](0.5) if name == "learned" else kinds[name]()
        alone = Product({name: (part, range(len(place)))})
        values = rows[:, place.start : place.stop]
        expected = getattr(alone, method)(own[name]).log_prob(values)
        np.testing.assert_allclose(by_column[name], expected, rtol=1e-5, atol=1e-5)
    total = found.log_prob(rows)
    np.testing.assert_allclose(total, sum(by_column.values()), rtol=1e-5)
    assert np.isfinite(total).all()


def test_gradients_are_finite_where_values_are_missing():
    table = Table.infer(FRAME, KINDS, verbose=False)
    likelihood = table.likelihood()
    likelihood.build((None, table.width))
    parameters = tf.Variable(np.tile(table.first_parameters(), (30, 1)).astype(np.float32))
    rows = table.encode(FRAME.mask(RANDOM.random(FRAME.shape) < 0.5))
    with tf.GradientTape() as tape:
        log_prob = likelihood.distribution_of_observed(parameters).log_prob(rows)
    assert np.isfinite(tape.gradient(log_prob, parameters)).all()


def test_it_comes_back_from_its_config():
    likelihood = Table.infer(FRAME, KINDS, verbose=False).likelihood()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(likelihood))
    assert again.names == likelihood.names and again.columns == likelihood.columns
