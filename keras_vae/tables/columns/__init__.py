"""The kinds of columns: how values become numbers of a row, what explains those, and back."""

from collections.abc import Mapping

import keras

from keras_vae.tables.columns.boolean import Boolean
from keras_vae.tables.columns.category import Category
from keras_vae.tables.columns.column import Column
from keras_vae.tables.columns.count import Count
from keras_vae.tables.columns.number import Number
from keras_vae.tables.columns.positive import Positive
from keras_vae.tables.columns.proportion import Proportion

__all__ = [
    "KINDS",
    "Boolean",
    "Category",
    "Column",
    "Count",
    "Number",
    "Positive",
    "Proportion",
    "from_config",
]

#: Classes of columns by the names that `Table.infer(kinds=...)` takes.
KINDS = {cls.kind: cls for cls in (Number, Positive, Count, Category, Boolean, Proportion)}


def from_config(config: Mapping) -> Column:
    """The column that `get_config` describes.

    Raises:
        ValueError: If there is no such kind.
    """
    config = dict(config)
    kind = config.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"There is no kind of column {kind!r}. Expected one of {list(KINDS)}")
    likelihood = keras.saving.deserialize_keras_object(config.pop("likelihood"))
    return KINDS[kind](likelihood=likelihood, **config)
