"""Tests of the metric that holds the running means and the recent steps."""

import keras
import numpy as np
import pytest

from keras_vae.training.term_tracker import TermTracker


@pytest.fixture
def tracker():
    tracker = TermTracker(history_length=4)
    tracker.build(["loss", "elbo"])
    return tracker


def update(tracker, loss, elbo, size=1, step=None):
    tracker.update_state({"elbo": (elbo, 2 * size), "loss": (loss, size)}, step=step)


def results(tracker):
    return {name: float(value) for name, value in tracker.result().items()}


def test_means_are_weighted_each_by_its_own_weight(tracker):
    update(tracker, loss=1.0, elbo=-3.0, size=8)
    update(tracker, loss=4.0, elbo=-9.0, size=4)
    assert results(tracker) == pytest.approx({"loss": 2.0, "elbo": -5.0})
    assert tracker.num_examples() == 12


def test_unbuilt_it_logs_and_remembers_nothing():
    unbuilt = TermTracker()
    unbuilt.reset_state()
    assert unbuilt.result() == {}
    assert unbuilt.step_logs(1) is None
    assert unbuilt.num_examples() == 0


def test_before_any_batch_the_means_are_zero(tracker):
    assert results(tracker) == {"loss": 0.0, "elbo": 0.0}


def test_a_batch_of_weight_zero_does_not_count(tracker):
    update(tracker, loss=1.0, elbo=-3.0)
    update(tracker, loss=100.0, elbo=-100.0, size=0)
    assert results(tracker) == pytest.approx({"loss": 1.0, "elbo": -3.0})


def test_reset_forgets_the_means_and_keeps_the_steps(tracker):
    update(tracker, loss=1.0, elbo=-3.0, step=0)
    tracker.reset_state()
    update(tracker, loss=5.0, elbo=-7.0)
    assert results(tracker) == pytest.approx({"loss": 5.0, "elbo": -7.0})
    assert tracker.step_logs(1) == {"loss": 1.0, "elbo": -3.0}


def test_steps_are_remembered_until_the_history_is_full(tracker):
    for step in range(6):
        update(tracker, loss=step, elbo=-step, step=step)
        assert tracker.step_logs(step + 1) == {"loss": float(step), "elbo": float(-step)}
    assert [step for step in range(-9, 20) if tracker.step_logs(step)] == [3, 4, 5, 6]


def test_nothing_is_remembered_at_the_start(tracker):
    assert [tracker.step_logs(step) for step in range(-5, 6)] == [None] * 11


def test_batches_without_a_step_leave_no_trace_in_the_history(tracker):
    update(tracker, loss=1.0, elbo=-3.0)
    assert np.count_nonzero(tracker.history) == 0


def test_it_owns_no_trainable_weight_and_is_a_metric(tracker):
    assert isinstance(tracker, keras.metrics.Metric)
    assert not any(variable.trainable for variable in tracker.variables)
    assert tracker.dtype == "float32"
