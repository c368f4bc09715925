import math

import numpy as np
import pytest

from keras_vae.callbacks.helpers.frequency import Frequency


def test_powers_of_two():
    frequency = Frequency("power_of_two")
    assert frequency.due(0, 20) == [1, 2, 4, 8, 16]
    assert frequency.due(15, 16) == [16]
    assert frequency.due(16, 31) == []


@pytest.mark.parametrize("count", [3, np.int64(3)])
def test_every_n_steps(count):
    assert Frequency(count).due(0, 10) == [3, 6, 9]
    assert Frequency(count).due(3, 5) == []
    assert Frequency(count).due(5, 6) == [6]


def test_logarithmic_steps_are_the_same_however_they_are_asked_for():
    frequency = Frequency("logarithmic")
    at_once = frequency.due(0, 5000)
    one_by_one = [step for now in range(1, 5001) for step in frequency.due(now - 1, now)]
    assert at_once == one_by_one
    assert at_once[:10] == list(range(1, 11))
    assert sum(100 < step <= 1000 for step in at_once) == 20
    assert {10, 100, 1000} <= set(at_once)


def test_epochs():
    assert Frequency("epoch").by_epoch
    assert Frequency("epoch").due(0, 100) == []
    assert not Frequency(3).by_epoch


@pytest.mark.parametrize("value", ["power_of_too", 0, -1, 2.0, True, None, [1, 2]])
def test_rejects_what_is_no_frequency(value):
    with pytest.raises(ValueError, match=r"`frequency`.*Expected 'power_of_two'.*Received"):
        Frequency(value)


@pytest.mark.parametrize("value", ["power_of_two", "logarithmic", 1, 3, 50])
def test_the_next_due_step_is_the_first_of_those_that_follow(value):
    frequency = Frequency(value)
    for step in range(200):
        assert frequency.next_due(step) == frequency.due(step, 10_000)[0]


def test_by_epochs_no_step_is_due_next():
    assert Frequency("epoch").next_due(7) == math.inf
