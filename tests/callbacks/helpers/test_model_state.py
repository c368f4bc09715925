"""Tests of what a training step changes besides the weights."""

import types

import keras

from keras_vae.callbacks.helpers.model_state import optimizer_variables


def test_every_optimizer_of_a_model_is_found():
    weight = keras.Variable([0.0])
    main, adversary = keras.optimizers.SGD(momentum=0.9), keras.optimizers.Adam()
    for optimizer in (main, adversary):
        optimizer.build([weight])
    model = types.SimpleNamespace(optimizer=main, adversary_optimizer=adversary, weight=weight)
    found = optimizer_variables(model)
    assert [id(v) for v in found] == [id(v) for v in (*main.variables, *adversary.variables)]


def test_a_model_without_an_optimizer_has_none():
    assert optimizer_variables(types.SimpleNamespace(optimizer=None)) == []
