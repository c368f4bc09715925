"""What trains any Keras model whose loss is a sum of named terms; it knows no q, p or beta."""

from keras_vae.training.term_trainer import TermTrainer
from keras_vae.training.terms import LoggedMean, Pass, Term

__all__ = ["LoggedMean", "Pass", "Term", "TermTrainer"]
