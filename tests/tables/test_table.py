"""Tests of rows as numbers, and of the way back."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae import distributions
from keras_vae.tables import Table

RANDOM = np.random.default_rng(0)
ROWS = 40


@pytest.fixture
def frame():
    """Every kind and most types, without holes."""
    return pd.DataFrame(
        {
            "width": RANDOM.normal(50, 7, ROWS),
            "rounded": np.round(RANDOM.normal(5, 2, ROWS), 2),
            "single": RANDOM.normal(size=ROWS).astype(np.float32),
            "price": (np.exp(RANDOM.normal(3, 1, ROWS)) + 0.01).round(2),
            "year": RANDOM.integers(1990, 2020, ROWS).astype(np.int16),
            "visits": RANDOM.poisson(30, ROWS).astype(np.uint8) * 2,
            "nullable": pd.array(RANDOM.poisson(9, ROWS) * 5, dtype="Int64"),
            "yes": RANDOM.random(ROWS) < 0.4,
            "flag": RANDOM.integers(0, 2, ROWS),
            "colour": RANDOM.choice(["red", "green", "blue"], ROWS),
            "grade": pd.Categorical(
                RANDOM.choice(["low", "high"], ROWS), ["low", "mid", "high"], ordered=True
            ),
            7: RANDOM.choice([3, 5, 8], ROWS),
            "km/h": RANDOM.random(ROWS),
            "object": RANDOM.choice(np.array(["x", "y"], object), ROWS),
        }
    )


@pytest.fixture
def table(frame):
    return Table.infer(frame, {"km/h": "proportion", "visits": "count"}, verbose=False)


def test_a_frame_becomes_numbers_and_comes_back(frame, table):
    rows = table.encode(frame)
    assert rows.dtype == np.float32 and rows.shape == (ROWS, table.width)
    again = table.decode(rows, index=frame.index)
    pd.testing.assert_frame_equal(again, frame, rtol=1e-5)
    # What has decimals or is whole comes back to the last digit.
    for name in ("rounded", "price", "year", "visits", "nullable"):
        assert (again[name] == frame[name]).all(), name


def test_numbers_are_standardised_and_logarithms_of_positive_ones(frame, table):
    rows = pd.DataFrame(table.encode(frame))
    groups = table.groups
    for name in ("width", "price", "year"):
        own = rows[groups[name].start]
        assert own.mean() == pytest.approx(0, abs=1e-5) and own.std(ddof=0) == pytest.approx(1)
    price = np.log(frame["price"])
    expected = (price - price.mean()) / price.std(ddof=0)
    np.testing.assert_allclose(rows[groups["price"].start], expected, atol=1e-5)
    assert (rows[groups["visits"].start] == frame["visits"]).all()
    one_hot = rows[list(groups["grade"])].to_numpy()
    assert (one_hot == np.eye(3)[frame["grade"].cat.codes]).all()


def test_columns_are_found_by_name_and_missing_values_are_nan(frame, table):
    shuffled = frame[[*reversed(frame.columns)]]
    np.testing.assert_array_equal(table.encode(shuffled), table.encode(frame))
    holes = frame.astype({"yes": "boolean", "visits": "Int64"})
    holes.loc[[3, 5], ["width", "visits", "yes", "colour", "grade", "nullable"]] = None
    rows = table.encode(holes)
    hidden = [
        place for name, place in table.groups.items() if name in holes and holes[name].isna().any()
    ]
    for place in hidden:
        assert np.isnan(rows[[3, 5], place.start : place.stop]).all()
    assert len(hidden) == 6
    assert np.isnan(rows).sum() == 2 * sum(map(len, hidden))


def test_a_dict_of_arrays_is_a_frame(frame, table):
    given = {name: frame[name].array for name in frame}
    np.testing.assert_array_equal(table.encode(given), table.encode(frame))
    rows = {"x": [1.5, None, 2.0], "y": ["a", "b", None]}
    kinds = [column.kind for column in Table.infer(rows, verbose=False).columns]
    assert kinds == ["number", "category"]


def test_groups_are_named_after_columns_in_a_way_that_logs_take():
    frame = pd.DataFrame(RANDOM.normal(size=(9, 5)), columns=["km/h", "km_h", "1", 1, ""])
    assert list(Table.infer(frame, verbose=False).groups) == ["km_h", "km_h_2", "1", "1_2", "_"]


def test_a_table_comes_back_from_json(frame, table):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(table)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.names == table.names and again.get_config() == table.get_config()
    np.testing.assert_array_equal(again.encode(frame), table.encode(frame))
    pd.testing.assert_frame_equal(
        again.decode(table.encode(frame)), table.decode(table.encode(frame))
    )


def test_numbers_far_out_stay_finite_and_samples_stay_within_their_type():
    frame = pd.DataFrame({"x": RANDOM.normal(size=9), "n": np.arange(9, dtype=np.int8) * 11 - 3})
    table = Table.infer(frame, verbose=False)
    rows = table.encode(pd.DataFrame({"x": [1e300, 0.0], "n": [1, 2]}))
    assert rows[0, 0] == np.float32(1e6)
    decoded = table.decode(np.array([[0.0, 1e5], [0.0, -1e5]], np.float32))
    assert decoded["n"].tolist() == [127, -128]


def test_a_positive_value_is_never_decoded_to_zero_or_infinity():
    frame = pd.DataFrame({"x": [0.01, 0.5, 10.0, 300.0]})
    table = Table.infer(frame, {"x": "positive"}, verbose=False)
    decoded = table.decode(np.array([[-1e4], [1e4]]))["x"]
    assert decoded[0] == 0.01 and np.isfinite(decoded[1])


# Densities -----------------------------------------------------------------------------------


def log_prob(table, frame, parameters):
    """Log p(values) under given parameters of the decoder."""
    distribution = table.likelihood().distribution(tf.constant(parameters, tf.float32))
    return distribution.log_prob(table.encode(frame)).numpy() + table.log_scale(frame)


def test_densities_are_those_of_the_values_in_their_own_units():
    frame = pd.DataFrame({"x": RANDOM.normal(50, 7, ROWS), "y": np.exp(RANDOM.normal(3, 1, ROWS))})
    kinds = {"x": ("number", distributions.Gaussian("decoded")), "y": "positive"}
    table = Table.infer(frame, kinds, verbose=False)
    parameters = np.tile([0.3, 0.2, -0.4, 0.7], (ROWS, 1))
    scales = np.log1p(np.exp([0.2, 0.7]))
    mean, deviation = frame["x"].mean(), frame["x"].std(ddof=0)
    logs = np.log(frame["y"])
    expected = stats.norm.logpdf(frame["x"], mean + 0.3 * deviation, scales[0] * deviation)
    spread = scales[1] * logs.std(ddof=0)
    median = np.exp(logs.mean() - 0.4 * logs.std(ddof=0))
    expected += stats.lognorm.logpdf(frame["y"], spread, scale=median)
    np.testing.assert_allclose(log_prob(table, frame, parameters), expected, rtol=1e-4)
    # Another unit is another density, by the logarithm of the factor.
    centimetres = frame.assign(x=frame["x"] * 100)
    other = Table.infer(centimetres, kinds, verbose=False)
    change = log_prob(other, centimetres, parameters) - log_prob(table, frame, parameters)
    np.testing.assert_allclose(change, -np.log(100), rtol=1e-3)


def test_what_is_missing_has_no_unit():
    frame = pd.DataFrame({"x": RANDOM.normal(50, 7, ROWS), "y": np.exp(RANDOM.normal(3, 1, ROWS))})
    table = Table.infer(frame, {"y": "positive"}, verbose=False)
    scale = table.columns[0].scale
    found = table.log_scale(pd.DataFrame({"x": [1.0, None], "y": [None, None]}, dtype=float))
    np.testing.assert_allclose(found, [-np.log(scale), 0.0])


def test_a_decoder_begins_with_every_column_as_it_was_seen():
    frame = pd.DataFrame(
        {
            "number": RANDOM.normal(50, 7, 500),
            "price": np.exp(RANDOM.normal(3, 1, 500)),
            "visits": RANDOM.negative_binomial(4, 0.02, 500),
            "few": RANDOM.poisson(0.3, 500),
            "yes": RANDOM.random(500) < 0.2,
            "colour": RANDOM.choice(["red", "green", "blue"], 500, p=[0.7, 0.2, 0.1]),
            "share": RANDOM.beta(2, 6, 500),
            "laplace": RANDOM.normal(size=500),
            "gaussian": RANDOM.normal(size=500),
        }
    )
    kinds = {
        "share": "proportion",
        "few": "poisson",
        "laplace": "laplace",
        "gaussian": distributions.Gaussian("decoded"),
    }
    table = Table.infer(frame, kinds, verbose=False)
    first = table.first_parameters()[None].astype(np.float32)
    assert first.shape[1:] == table.likelihood().parameters_shape((table.width,))
    likelihood = table.likelihood().distribution(first)
    rows = table.encode(frame)
    np.testing.assert_allclose(likelihood.mean()[0], rows.mean(axis=0), rtol=0.02, atol=1e-3)
    own = [place.start for name, place in table.groups.items() if name not in ("few", "colour")]
    variances = likelihood.variance().numpy()[0, own]
    np.testing.assert_allclose(variances, rows[:, own].var(axis=0), rtol=0.03)


def test_large_numbers_that_differ_little_keep_what_they_differ_by():
    values = 1e9 + 1e-4 * np.random.default_rng(0).normal(size=50)
    frame = pd.DataFrame({"x": values, "price": np.round(np.random.default_rng(1).random(50), 2)})
    table = Table.infer(frame, {"price": "number"}, verbose=False)
    assert [column.decimals for column in table.columns] == [None, 2]
    decoded = table.decode(table.encode(frame))
    np.testing.assert_allclose(decoded["x"] - 1e9, values - 1e9, atol=1e-6)


def test_pandas_categories_may_be_true_and_false():
    frame = pd.DataFrame({"b": pd.Categorical([True, False, True, None] * 5), "x": np.arange(20.0)})
    table = Table.infer(frame, {"x": "number"}, verbose=False)
    assert table.columns[0].kind == "category"
    table = Table.from_config(json.loads(json.dumps(table.get_config())))
    rows = table.encode(frame)
    place = table.groups["b"]
    assert np.isnan(rows[3, place.start : place.stop]).all()
    pd.testing.assert_frame_equal(table.decode(rows[:3]), frame[:3])


def test_holes_are_filled_in_the_type_of_the_frame_that_is_given():
    frame = pd.DataFrame(
        {"c": pd.Categorical(["a", "b", "c"] * 10), "x": np.arange(30) / 2, "y": np.arange(30.0)}
    )
    table = Table.infer(frame, {"y": "number"}, verbose=False)
    rows = table.encode(frame[2:3].assign(x=0.6, y=3.0)).repeat(3, axis=0)
    given = pd.DataFrame(
        {
            "c": pd.Categorical(["a", None, "a"]),  # Which knows of no "c".
            "x": pd.array([None, 1, 2], dtype="Int64"),
            "y": pd.array([None, 1.0, None], dtype="Float64"),
        },
        index=["i", "i", "j"],
    )
    filled = table.fill(given, rows)
    assert list(filled["c"]) == ["a", "c", "a"]
    assert list(filled["c"].cat.categories) == ["a", "c"]
    assert filled["x"].dtype == "Int64" and list(filled["x"]) == [1, 1, 2]
    assert filled["y"].dtype == "Float64" and list(filled["y"]) == [3.0, 1.0, 3.0]
    assert list(filled.index) == ["i", "i", "j"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_logarithms_of_numbers_of_any_size_are_those_of_a_positive_column(size):
    values = size * np.exp(np.random.default_rng(0).normal(size=40))
    frame = pd.DataFrame({"p": values, "x": np.arange(40.0)})
    table = Table.infer(frame, {"p": "positive", "x": "number"}, verbose=False)
    decoded = table.decode(table.encode(frame))
    np.testing.assert_allclose(decoded["p"], values, rtol=1e-5)


def test_identifiers_may_be_categories():
    key = 2**60 + np.array([0, 1, 2] * 10)
    frame = pd.DataFrame({"key": key, "x": np.random.default_rng(0).normal(size=30)})
    table = Table.infer(frame, {"key": "category"}, verbose=False)
    assert table.columns[0].width == 3
    pd.testing.assert_series_equal(table.decode(table.encode(frame))["key"], frame["key"])
