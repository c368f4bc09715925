"""Tests of what a column is taken for, rule by rule."""

import numpy as np
import pandas as pd
import pytest

from keras_vae import distributions
from keras_vae.tables import Table

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=200)


def kind(values, asked=None):
    kinds = None if asked is None else {"x": asked}
    (column,) = Table.infer(pd.DataFrame({"x": values}), kinds, verbose=False).columns
    return column.kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (NORMAL, "number"),
        (10 + NORMAL, "number"),
        (np.exp(NORMAL), "positive"),
        (np.append(np.exp(NORMAL), 0.0), "number"),
        (RANDOM.random(200), "number"),
        (RANDOM.poisson(20, 200), "count"),
        (RANDOM.poisson(20, 200).astype(float), "count"),
        (RANDOM.poisson(20, 200) - 20, "number"),
        # Variance far below the mean, as no negative binomial's.
        (RANDOM.integers(2000, 2020, 200), "number"),
        (RANDOM.integers(20_000, 90_000, 200), "number"),
        (RANDOM.integers(0, 10, 200), "category"),
        (RANDOM.integers(0, 2, 200), "boolean"),
        (RANDOM.integers(1, 3, 200), "category"),
        (RANDOM.random(200) < 0.5, "boolean"),
        (pd.array([True, None, False, True], dtype="boolean"), "boolean"),
        (np.array([True, None, False, True], dtype=object), "boolean"),
        (["a", "b", None, "a", "b"], "category"),
        (pd.Categorical(["a", "b", "a"], categories=["a", "b", "c"]), "category"),
        (pd.array([1, 2, None, 40, 11, 13, 17, 5, 6, 7, 8, 9], dtype="Int64"), "count"),
    ],
)
def test_a_column_is_of_the_kind_that_the_rules_say(values, expected):
    assert kind(values) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("count", "count"),
        ("poisson", "count"),
        ("category", "category"),
        ("number", "number"),
        (distributions.Laplace(), "number"),
        ("gaussian", "number"),
        (("positive", distributions.StudentT()), "positive"),
        ("log_normal", "positive"),
    ],
)
def test_what_is_asked_for_wins(asked, expected):
    assert kind([1, 2, 3, 1, 2, 3], asked) == expected
    assert kind(np.array([0.1, 0.4]), "proportion") == "proportion"


def test_a_likelihood_that_is_asked_for_is_the_columns():
    asked = {"x": "poisson", "y": distributions.StudentT(df=7.0)}
    frame = pd.DataFrame({"x": [1, 2, 3, 20], "y": NORMAL[:4]})
    table = Table.infer(frame, asked, verbose=False)
    assert [type(column.likelihood).__name__ for column in table.columns] == ["Poisson", "StudentT"]
    assert table.columns[1].likelihood.df == 7.0
    # Two models have a weight each, where a likelihood has some.
    parts = table.likelihood().parts
    assert parts["y"] is not table.likelihood().parts["y"] is not asked["y"]


def test_what_was_assumed_is_printed(capsys):
    frame = pd.DataFrame(
        {"rating": [1, 2, 3, 1], "km/h": [1.5, None, 2.25, 7.125], "id": [101, 250, 999, 5]}
    )
    frame = pd.concat([frame] * 4, ignore_index=True).assign(id=np.arange(16) ** 2)
    Table.infer(frame)
    printed = capsys.readouterr().out.splitlines()
    said = "3 whole numbers, 10 or fewer; for a count say kinds={'rating': 'count'}"
    assert printed[0] == "A table of 3 columns, 5 numbers a row:"
    assert printed[1].split() == ["rating", "category", *said.split()]
    assert printed[2].startswith("  km/h    positive") and printed[2].endswith("; some are missing")
    assert "no two alike (an identifier should be left out)" in printed[3]
    Table.infer(frame, verbose=False)
    assert capsys.readouterr().out == ""


def test_a_category_that_was_seen_once_is_kept_with_a_warning():
    with pytest.warns(UserWarning, match=r"Column 'x' has categories that were seen once.*: 'c'\."):
        table = Table.infer(pd.DataFrame({"x": list("aabbc")}), verbose=False)
    assert table.columns[0].categories == ["a", "b", "c"]
