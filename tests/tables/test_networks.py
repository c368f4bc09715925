"""The networks of tables: an encoder sees the same however it is run."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_vae.tables import LogCounts, Table, TableVAE

ROWS = np.array([[np.nan, 3.0, np.nan], [7.0, np.nan, -1.0], [0.0, -2.0, 5.0]], np.float32)


@pytest.mark.parametrize("how", ["eagerly", "as a graph", "compiled"])
def test_a_count_that_is_missing_stays_missing(how):
    layer = LogCounts([0, 2])
    # Graphs are rewritten: "not less than 0" becomes "at least 0", which NaN is not.
    run = layer if how == "eagerly" else tf.function(layer, jit_compile=how == "compiled")
    expected = [[np.nan, 3.0, np.nan], [np.log(8.0), np.nan, 0.0], [0.0, -2.0, np.log(6.0)]]
    np.testing.assert_allclose(run(tf.constant(ROWS)), expected, rtol=1e-6)


@pytest.mark.slow
def test_rows_with_holes_are_worth_the_same_however_a_model_is_run():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=40), "count": rng.poisson(300, 40)})
    frame = frame.mask(rng.random(frame.shape) < 0.3)
    keras.utils.set_random_seed(0)
    model = TableVAE(Table.infer(frame, {"count": "count"}, verbose=False), latent_dim=2)
    found = []
    for settings in ({"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}):
        model.compile(keras.optimizers.Adam(), **settings)
        found.append(model.evaluate(frame, verbose=0, return_dict=True)["loss"])
    assert found == pytest.approx([found[0]] * 3, rel=1e-4)
