"""Tables with holes, counts and classes: from a frame of pandas to a model, and back.

`Table.infer(frame)` says what each column is taken for; `TableVAE(table)` is a member of the family
whose `fit` takes the frame, and which gives frames: rows that it makes up, and rows with their
holes filled in. pandas is imported when a frame is there, and not before.
"""

from keras_vae.tables.columns import KINDS, Column
from keras_vae.tables.models import TableIWAE, TableModel, TableVAE
from keras_vae.tables.networks import LogCounts
from keras_vae.tables.table import Table

__all__ = ["KINDS", "Column", "LogCounts", "Table", "TableIWAE", "TableModel", "TableVAE"]
