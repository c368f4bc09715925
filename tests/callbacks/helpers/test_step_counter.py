import types

import keras
import numpy as np
import pytest

from keras_vae.callbacks.helpers.step_counter import StepCounter, steps_taken


class Follow(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.counter = StepCounter()
        self.spans = []

    def on_epoch_begin(self, epoch, logs=None):
        self.counter.begin_epoch(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.spans.append(self.counter.end_batch(self.model, batch))


def dense_model(optimizer, **kwargs):
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile(optimizer, "mse", jit_compile=False, **kwargs)
    return model


def fit(model, callback, num_batches, epochs=1):
    # Large enough that a loss scaled by 2 ** 127 overflows.
    x, y = np.full((num_batches, 4), 1e3, np.float32), np.zeros((num_batches, 1))
    model.fit(x, y, batch_size=1, epochs=epochs, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("steps_per_execution", [1, 2, 5])
def test_every_step_is_counted_once(steps_per_execution):
    model = dense_model(keras.optimizers.SGD(1e-9), steps_per_execution=steps_per_execution)
    follow = Follow()
    # Five batches an epoch: an execution of two steps ends beyond the data.
    fit(model, follow, num_batches=5, epochs=3)
    assert [before for before, _ in follow.spans[1:]] == [now for _, now in follow.spans[:-1]]
    assert follow.spans[0][0] == 0
    assert follow.spans[-1][1] == steps_taken(model) == 15


def test_a_second_fit_counts_on():
    model = dense_model(keras.optimizers.SGD(1e-9))
    follow = Follow()
    for expected in (3, 6):
        fit(model, follow, num_batches=3)
        assert follow.counter.step == expected


def test_accumulated_gradients_count_batches():
    model = dense_model(keras.optimizers.SGD(1e-9, gradient_accumulation_steps=2))
    follow = Follow()
    fit(model, follow, num_batches=4, epochs=2)
    fit(model, follow, num_batches=4)
    assert follow.counter.step == 12


def test_a_model_with_an_optimizer_of_its_own_counts_batches():
    model = types.SimpleNamespace(
        optimizer=types.SimpleNamespace(iterations=0), steps_per_execution=2
    )
    counter = StepCounter()
    spans = []
    for _ in range(2):
        counter.begin_epoch(model)
        spans += [counter.end_batch(model, batch) for batch in (1, 3)]
    assert spans == [(0, 2), (2, 4), (4, 6), (6, 8)]


def test_steps_that_a_scaled_loss_skips_are_not_counted():
    inner = types.SimpleNamespace(iterations=0)
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(inner_optimizer=inner))
    counter = StepCounter()
    counter.begin_epoch(model)
    assert counter.end_batch(model, 0) == (0, 0)
    inner.iterations = 1
    assert counter.end_batch(model, 1) == (0, 1)


def test_an_optimizer_that_scales_its_loss_is_followed():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1e-9), initial_scale=2.0**127
    )
    model = dense_model(optimizer)
    follow = Follow()
    fit(model, follow, num_batches=6)
    assert follow.counter.step == steps_taken(model) < 6


def test_without_an_optimizer_it_begins_at_0():
    assert steps_taken(types.SimpleNamespace(optimizer=None)) == 0
