import types

import keras

from keras_vae.callbacks.capacity_schedule import CapacitySchedule


def test_rises_linearly_from_0_to_the_capacity():
    schedule = CapacitySchedule(end=25.0, warmup_steps=100)
    assert [schedule.value(step) for step in (0, 10, 100, 200)] == [0.0, 2.5, 25.0, 25.0]


def test_sets_the_capacity():
    model = types.SimpleNamespace(capacity=keras.Variable(5.0), optimizer=None)
    schedule = CapacitySchedule(end=10.0, warmup_steps=2)
    schedule.set_model(model)
    schedule.on_train_begin()
    schedule.on_epoch_begin(0)
    values = []
    for batch in range(3):
        schedule.on_train_batch_begin(batch)
        values.append(float(model.capacity))
        schedule.on_train_batch_end(batch)
    assert values == [0.0, 5.0, 10.0]
    logs = {}
    schedule.on_epoch_end(0, logs)
    assert logs == {"capacity": 10.0}
