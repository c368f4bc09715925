"""Factors in all combinations, equally often, so that what is known of them holds to the digit."""

import numpy as np
import pytest

SIZES = (3, 4, 5)


class Grid:
    """A data set of known factors whose images are the factors themselves."""

    factor_names = ("shape", "colour", "size", "x")
    factor_sizes = (3, 1, 4, 5)
    num_factors = 4

    def sample_factors(self, count, generator, held=None):
        factors = generator.integers(0, self.factor_sizes, (count, self.num_factors))
        for name, values in (held or {}).items():
            factors[:, self.factor_names.index(name)] = values
        return factors

    def sample(self, factors, generator=None):
        return np.asarray(factors, np.float32)

    def draw(self, count, generator):
        factors = self.sample_factors(count, generator)
        return factors, self.sample(factors, generator)


@pytest.fixture
def grid():
    return Grid()


@pytest.fixture(scope="session")
def factors():
    """Ints `[1200, 3]`: each of 60 combinations of 3, 4 and 5 values 20 times."""
    return np.tile(np.stack(np.unravel_index(np.arange(60), SIZES), axis=1), (20, 1))


@pytest.fixture(scope="session")
def codes(factors):
    """The factors themselves, centred."""
    return factors - factors.mean(axis=0)


@pytest.fixture(scope="session")
def noise():
    """Gaussian noise `[1200, 3]`."""
    return np.random.default_rng(7).normal(size=(1200, 3))


@pytest.fixture(scope="session")
def gaussian():
    """Gaussian `[2000, 2]` whose sample covariance is the identity to the digit."""
    points = np.random.default_rng(3).normal(size=(2000, 2))
    points -= points.mean(axis=0)
    return points @ np.linalg.inv(np.linalg.cholesky(points.T @ points / len(points))).T


def rotation(degrees):
    """The matrix that turns by an angle."""
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.fixture(scope="session")
def rotated(gaussian):
    """Turns the Gaussian points by an angle in degrees."""
    return lambda degrees: gaussian @ rotation(degrees)
