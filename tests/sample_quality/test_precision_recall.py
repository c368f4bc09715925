"""Tests of precision and recall on sets whose values are known."""

import importlib

import numpy as np
import pytest

from keras_vae.sample_quality import precision_recall


def cluster(centre, count=60, seed=0):
    return centre + np.random.default_rng(seed).normal(size=(count, 4))


def values(real, generated, **arguments):
    found = precision_recall(real, generated, **arguments)
    return found["precision"], found["recall"]


def test_the_same_set_has_all():
    assert values(cluster(0), cluster(0)) == (1.0, 1.0)


def test_sets_far_from_each_other_have_nothing():
    assert values(cluster(0), cluster(100)) == (0.0, 0.0)


def test_half_of_the_real_points_covered():
    real = np.concatenate([cluster(0), cluster(100, seed=1)])
    assert values(real, cluster(0)) == (1.0, 0.5)


def test_half_of_the_generated_points_real():
    generated = np.concatenate([cluster(0), cluster(100, seed=1)])
    assert values(cluster(0), generated) == (0.5, 1.0)


def test_a_mode_that_is_repeated_is_precise_and_recalls_little():
    real = cluster(0)
    precision, recall = values(real, real[:1] + 1e-3 * cluster(0, seed=2))
    assert precision == 1.0 and recall <= 0.05


@pytest.mark.parametrize("num_neighbors", [1, 3])
def test_it_is_what_loops_find(num_neighbors, monkeypatch):
    # Blocks of a few rows, the last one ragged.
    module = importlib.import_module("keras_vae.sample_quality.precision_recall")
    monkeypatch.setattr(module, "_DISTANCES", 7 * 25)
    real, generated = cluster(0, 30, seed=1), cluster(0.7, 25, seed=2)

    def share(centres, others):
        radii = [
            sorted(np.linalg.norm(centre - other) for other in centres)[num_neighbors]
            for centre in centres
        ]
        inside = [
            any(
                np.linalg.norm(other - centre) <= radius
                for centre, radius in zip(centres, radii, strict=True)
            )
            for other in others
        ]
        return sum(inside) / len(inside)

    expected = share(real, generated), share(generated, real)
    assert min(expected) > 0 and max(expected) < 1
    assert values(real, generated, num_neighbors=num_neighbors) == expected
