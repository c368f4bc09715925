"""`FactorData`: images whose generating factors are known."""

import abc
from collections.abc import Mapping, Sequence

import numpy as np

from keras_vae import arguments


class FactorData(abc.ABC):
    """Images that can be had by the values of the factors that they were made from.

    A factor has finitely many values, which are known by their index. What metrics need is
    "hold one factor, draw the others", which is one call:

    ```python
    data = keras_vae.datasets.factors.load("sprites")
    factors, images = data.draw(64, generator=0, held={"scale": 5})
    ```

    A subclass has `sample` and, where not every combination of values is there, `sample_factors`.

    Attributes:
        factor_names: Names of the factors.
        factor_values: For each, what its value indices stand for.
        factor_sizes: For each, the number of its values.
        num_factors: Number of factors.
        image_shape: Shape of one image.

    Args:
        factor_values: The values of each factor, by its name.
        image_shape: Shape of one image.
    """

    def __init__(self, factor_values: Mapping[str, Sequence], image_shape: Sequence[int]):
        self.factor_names = tuple(factor_values)
        self.factor_values = tuple(factor_values.values())
        self.factor_sizes = tuple(len(values) for values in self.factor_values)
        self.num_factors = len(self.factor_names)
        self.image_shape = tuple(image_shape)

    @abc.abstractmethod
    def sample(
        self, factors: np.ndarray, generator: np.random.Generator | int | None = None
    ) -> np.ndarray:
        """Images of given factor values.

        Args:
            factors: Ints `[n, num_factors]`: indices of values.
            generator: NumPy generator or seed, which picks where several images have the same
                factors. Defaults to `None`: the first of them.

        Returns:
            Float32 `[n, *image_shape]` in [0, 1].

        Raises:
            ValueError: If there are no such values, or no image has them.
        """

    def sample_factors(
        self,
        count: int,
        generator: np.random.Generator | int,
        held: Mapping[str, int | np.ndarray] | None = None,
    ) -> np.ndarray:
        """Factor values of images that are drawn, each as likely as any other.

        Args:
            count: Int. How many.
            generator: NumPy generator, or seed of one.
            held: Indices of values at which factors are held, by name: an int for all, or `[count]`
                for each. Defaults to `None`: all are drawn.

        Returns:
            Int64 `[count, num_factors]`: indices of values.

        Raises:
            ValueError: If an argument is invalid.
        """
        held_at = self._held(arguments.count("count", count), held)
        generator = seeded(generator)
        factors = generator.integers(0, self.factor_sizes, (count, self.num_factors))
        for column, index in held_at.items():
            factors[:, column] = index
        return factors

    def draw(
        self,
        count: int,
        generator: np.random.Generator | int,
        held: Mapping[str, int | np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Images that are drawn, and their factors.

        Pairs that have one factor in common, each its own value:

        ```python
        first, images = data.draw(64, generator)
        second, others = data.draw(64, generator, held={"x": first[:, data.column("x")]})
        ```

        Args:
            count: As for `sample_factors`.
            generator: As for `sample_factors`.
            held: As for `sample_factors`.

        Returns:
            Int64 `[count, num_factors]` and float32 `[count, *image_shape]` in [0, 1].

        Raises:
            ValueError: If an argument is invalid.
        """
        generator = seeded(generator)
        factors = self.sample_factors(count, generator, held)
        return factors, self.sample(factors, generator)

    def column(self, name: str) -> int:
        """Where a factor stands among the others.

        Raises:
            ValueError: If there is no such factor.
        """
        return self.factor_names.index(arguments.one_of("name", name, self.factor_names))

    def _held(self, count, held):
        """Held values `[count]` by column, checked."""
        columns = {}
        for name, index in (held or {}).items():
            if name not in self.factor_names:
                raise arguments.invalid("held", f"factors out of {list(self.factor_names)}", held)
            index, size = np.asarray(index), self.factor_sizes[self.column(name)]
            if index.dtype.kind not in "iu" or index.shape not in ((), (count,)):
                raise ValueError(
                    "Invalid value for argument `held`. Expected for each factor the index of a "
                    f"value, or {count} of them. Received: {index.dtype.name} of shape "
                    f"{index.shape} for {name!r}"
                )
            _check_range(name, index, size)
            columns[self.column(name)] = np.broadcast_to(index, (count,))
        return columns

    def checked(self, factors: np.ndarray) -> np.ndarray:
        """Factor values as int64 `[n, num_factors]`; for subclasses.

        Raises:
            ValueError: If they are anything else, or there are no such values.
        """
        factors = np.asarray(factors)
        if (
            factors.dtype.kind not in "iu"
            or factors.ndim != 2
            or factors.shape[1] != self.num_factors
        ):
            raise ValueError(
                "Invalid value for argument `factors`. Expected indices of values, integers [n, "
                f"{self.num_factors}], of {list(self.factor_names)}. "
                f"Received: {factors.dtype.name} of shape {factors.shape}"
            )
        for name, size, column in zip(self.factor_names, self.factor_sizes, factors.T, strict=True):
            _check_range(name, column, size)
        return factors.astype(np.int64)


def seeded(generator: np.random.Generator | int) -> np.random.Generator:
    """A generator as it was given, or one from a seed.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(generator, np.random.Generator):
        return generator
    try:
        return np.random.default_rng(arguments.seed("generator", generator))
    except ValueError:
        expected = "a NumPy generator, or a seed from 0 to 2**31 - 1"
        raise arguments.invalid("generator", expected, generator) from None


def _check_range(name, indices, size):
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        outside = indices[(indices < 0) | (indices >= size)].flat[0]
        raise ValueError(
            f"Factor {name!r} has {size} values. Expected: indices from 0 to {size - 1}. "
            f"Received: {outside}"
        )
