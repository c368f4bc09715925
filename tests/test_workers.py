import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.workers import reducible_logs, scalar_value, worker_folder

WORKER = """
import json, os, sys
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
import keras, numpy as np, keras_vae
from keras_vae.callbacks import BetaSchedule, ELBOLogger
keras.utils.set_random_seed(0)
images = np.random.default_rng(0).random((48, 4, 4, 1), dtype=np.float32)
data = keras_vae.datasets.from_arrays(images, batch_size=8, seed=1)
with strategy.scope():
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder((4, 4, 1), 2, [6]),
        keras_vae.networks.mlp_decoder((4, 4, 1), 2, [6]),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(1e-2))
history = vae.fit(
    data,
    validation_data=data,
    epochs=4,
    verbose=0,
    callbacks=[
        ELBOLogger("run", frequency=1, print_table=False),
        BetaSchedule("linear", warmup_steps=10),
    ],
).history
task = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
np.savez(f"weights_{task}.npz", *vae.get_weights()[:8])
with open(f"history_{task}.json", "w") as file:
    json.dump(history, file)
if task == 0:
    vae.save("model.keras")
tf.function(lambda: strategy.reduce("SUM", strategy.run(lambda: tf.constant(1)), axis=None))()
"""


def run_workers(folder, count):
    """Runs the program above as that many workers over loopback."""
    folder.mkdir()
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    workers = []
    for index in range(count):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-c", WORKER]
        workers.append(
            subprocess.Popen(
                command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
            )
        )
    for worker in workers:
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors[-3000:]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What one worker and what two workers left behind."""
    folder = tmp_path_factory.mktemp("workers")
    for count in (1, 2):
        run_workers(folder / str(count), count)
    return folder / "1", folder / "2"


def history(folder, worker=0):
    return json.loads((folder / f"history_{worker}.json").read_text())


@pytest.mark.slow
def test_two_workers_train_as_one_does(runs):
    alone, together = runs
    ours, theirs = (np.loadtxt(run / "run/elbo.csv", delimiter=",", skiprows=1) for run in runs)
    assert ours.shape == (24, 7)
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)
    for name, values in history(alone).items():
        np.testing.assert_allclose(history(together)[name], values, rtol=1e-4)
    one, other = np.load(alone / "weights_0.npz"), np.load(together / "weights_0.npz")
    for name in one.files:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_workers_agree_and_write_apart(runs):
    _, together = runs
    assert history(together, 0) == history(together, 1)
    chief, other = together / "run/elbo.csv", together / "run/worker_1/elbo.csv"
    assert chief.read_text() == other.read_text()


def test_the_chiefs_model_loads(runs):
    _, together = runs
    model = keras.saving.load_model(together / "model.keras")
    weights = np.load(together / "weights_0.npz")
    for value, name in zip(model.get_weights(), weights.files, strict=False):
        np.testing.assert_array_equal(value, weights[name])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, "run"),
        ({"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 0}}, "run"),
        (
            {"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 1}},
            "run/worker_1",
        ),
        (
            {
                "cluster": {"chief": ["a"], "worker": ["b"]},
                "task": {"type": "worker", "index": 0},
            },
            "run/worker_1",
        ),
        ({"cluster": {"chief": ["a"]}, "task": {"type": "chief", "index": 0}}, "run"),
        (
            {"cluster": {"worker": ["a"]}, "task": {"type": "evaluator", "index": 0}},
            "run/evaluator_0",
        ),
        ("no JSON", "run"),
    ],
)
def test_one_process_writes_into_the_folder_itself(monkeypatch, config, expected):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        monkeypatch.setenv("TF_CONFIG", text)
    assert worker_folder("run") == Path(expected)


def test_logs_are_left_alone_on_one_machine():
    logs = {"loss": tf.constant(1.0)}
    assert reducible_logs(logs) is logs


def test_the_value_of_a_variable():
    assert scalar_value(keras.Variable(2.5)) == 2.5
    assert scalar_value(3) == 3.0
