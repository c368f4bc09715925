"""`Digits`: typeset digits by their factors, drawn when they are asked for."""

import numpy as np

from keras_vae import arguments
from keras_vae.datasets.factors.factor_data import FactorData


class Digits(FactorData):
    """The digits of the set `typeset_digits`, of evenly spread values of its factors.

    Factors are digit (10), font (15), and size, rotation, shear, shift_x, shift_y and stroke, which
    are continuous and of which there are so many values from one end of their range to the other;
    see `keras_vae.datasets.typeset_digits`.

    Args:
        num_values: Int. Values of each continuous factor. Defaults to `10`.

    Raises:
        ValueError: If there are fewer than two.
    """

    def __init__(self, num_values: int = 10):
        # It brings TensorFlow Datasets with it, which is slow.
        from keras_vae.datasets.typeset_digits import FONTS, IMAGE_SIZE, RANGES

        arguments.count("num_values", num_values, least=2)
        values: dict = {"digit": np.arange(10), "font": tuple(FONTS)}
        for name, (low, high) in RANGES.items():
            values[name] = np.linspace(low, high, num_values, dtype=np.float32)
        super().__init__(values, (IMAGE_SIZE, IMAGE_SIZE, 1))

    def sample(self, factors, generator=None):
        """Images of given factor values; there is one of each."""
        from keras_vae.datasets.typeset_digits import render

        columns = dict(zip(self.factor_names, self.checked(factors).T, strict=True))
        given = {"label": columns.pop("digit"), "font": columns.pop("font")}
        for name, indices in columns.items():
            given[name] = self.factor_values[self.column(name)][indices]
        return render(given) / np.float32(255)
