"""What every kind of column does."""

import keras
import numpy as np

from keras_vae.distributions import Likelihood


class Column:
    """One column of a table: its name, its type, and what it learned of the values it has seen.

    A subclass is a kind. `encode` and `decode` translate between values and `width` numbers of a
    row, which are what `likelihood` explains.

    Attributes:
        name: A string or an integer.
        dtype: The name of its type in pandas.
        likelihood: A `keras_vae.distributions.Likelihood` of its numbers, as a model begins with.
        has_holes: Bool. Whether values were missing.
        reason: Why it is taken for what it is, in words.
    """

    kind = ""
    width = 1

    def __init__(self, name, dtype, likelihood=None, has_holes=False, reason=""):
        self.name = name
        self.dtype = dtype
        self.likelihood = likelihood or self.default_likelihood()
        self.has_holes = has_holes
        self.reason = reason

    @classmethod
    def default_likelihood(cls) -> Likelihood:
        """What explains such values unless another is asked for."""
        raise NotImplementedError

    @classmethod
    def takes(cls, likelihood: Likelihood) -> bool:
        """Whether a likelihood is one of such values."""
        return isinstance(likelihood, type(cls.default_likelihood()))

    @classmethod
    def learned(cls, name, series, **kwargs) -> "Column":
        """The column that has seen a series of pandas, of which not all values are missing.

        Raises:
            ValueError: If a value is none of this kind.
        """
        raise NotImplementedError

    def encode(self, series) -> np.ndarray:
        """Numbers of rows, float64 `[n, width]`, NaN where a value is missing.

        Raises:
            ValueError: If a value is none of this column's.
        """
        raise NotImplementedError

    def decode(self, numbers: np.ndarray, index=None):
        """A series of values, of means or samples of the numbers, `[n, width]`."""
        raise NotImplementedError

    def log_scale(self, series) -> np.ndarray:
        """Log |d number / d value|, `[n]`: what turns a density of numbers into one of values."""
        return np.zeros(len(series))

    def first_parameters(self) -> np.ndarray:
        """What a decoder returns of this column alone, before it has learned of any other.

        The likelihood is then about that of the values seen, whatever the code.
        """
        return np.zeros(self.likelihood.parameters_shape((self.width,)))

    def encoder_moments(self) -> tuple[float, float]:
        """Mean and variance by which an encoder's inputs are standardised."""
        return 0.0, 1.0

    def get_config(self) -> dict:
        """The constructor's arguments, and the kind."""
        return {
            "kind": self.kind,
            "name": self.name,
            "dtype": self.dtype,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "has_holes": self.has_holes,
            "reason": self.reason,
        }


def softplus_inverse(value: float) -> float:
    """What softplus turns into a value above 0; into 0.001, where it is less."""
    # Where softplus is the identity to the last digit, its inverse would overflow.
    return float(value if value > 30 else np.log(np.expm1(max(value, 1e-3))))
