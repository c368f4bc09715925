import io
import re
import sys

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae.callbacks.elbo_logger import ELBOLogger


class StepLogs(keras.callbacks.Callback):
    """Asks the model for every step's own values, at the end of each execution."""

    def on_train_begin(self, logs=None):
        self.values = {}

    def on_train_batch_end(self, batch, logs=None):
        for step in range(1, int(self.model.optimizer.iterations) + 1):
            self.values[step] = self.model.step_logs(step)


class Killed(Exception):
    """What a test raises in the middle of training."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            raise Killed


@pytest.fixture
def plain_autoencoder():
    x = keras.Input((4, 4, 1))
    y = keras.layers.Dense(16)(keras.layers.Flatten()(x))
    model = keras.Model(x, keras.layers.Reshape((4, 4, 1))(y))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def read(folder):
    return pandas.read_csv(folder / "elbo.csv")


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_rows_are_the_steps_own_values(make_vae, images, tmp_path, steps_per_execution):
    vae = make_vae(compile_kwargs={"steps_per_execution": steps_per_execution})
    seen = StepLogs()
    # Five batches an epoch end in the middle of an execution of two.
    vae.fit(
        images,
        batch_size=4,
        epochs=2,
        verbose=0,
        callbacks=[ELBOLogger(tmp_path, print_table=False), seen],
    )
    frame = read(tmp_path)
    assert list(frame["step"]) == [1, 2, 4, 8]
    names = ["loss", "reconstruction_loss", "kl_loss", "elbo", "beta"]
    assert list(frame.columns) == ["step", *names, "learning_rate"]
    for row in frame.to_dict("records"):
        for name in names:
            assert row[name] == pytest.approx(seen.values[row["step"]][name], rel=1e-6)


def test_epochs_are_logged_with_their_validation(make_vae, images, tmp_path):
    logger = ELBOLogger(tmp_path, frequency="epoch", names=("loss", "elbo"), print_table=False)
    history = make_vae().fit(
        images,
        validation_data=images[:8],
        validation_freq=2,
        batch_size=8,
        epochs=3,
        verbose=0,
        callbacks=[logger],
    )
    frame = read(tmp_path)
    assert list(frame.columns) == ["step", "epoch", "loss", "elbo", "val_loss", "val_elbo"]
    assert list(frame["step"]) == [3, 6, 9]
    assert list(frame["epoch"]) == [1, 2, 3]
    np.testing.assert_allclose(frame["loss"], history.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(frame["val_elbo"].dropna(), history.history["val_elbo"], rtol=1e-6)
    assert list(frame["val_elbo"].isna()) == [True, False, True]


def test_a_model_with_nothing_but_a_loss(plain_autoencoder, images, tmp_path):
    logger = ELBOLogger(tmp_path, frequency=2, print_table=False)
    plain_autoencoder.fit(images, images, batch_size=4, verbose=0, callbacks=[logger])
    frame = read(tmp_path)
    assert list(frame.columns) == ["step", "loss", "learning_rate"]
    assert list(frame["step"]) == [2, 4]
    assert logger.rows[0]["learning_rate"] == pytest.approx(0.1)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_each_row_has_the_learning_rate_of_its_step(
    make_vae, images, tmp_path, steps_per_execution
):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    vae = make_vae(
        optimizer=keras.optimizers.SGD(schedule),
        compile_kwargs={"steps_per_execution": steps_per_execution},
    )
    vae.fit(images, batch_size=5, verbose=0, callbacks=[ELBOLogger(tmp_path, 1, print_table=False)])
    expected = [0.1, 0.05, 0.025, 0.0125]
    np.testing.assert_allclose(read(tmp_path)["learning_rate"], expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(make_vae, images, tmp_path, save_freq):
    def train(folder, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=save_freq)
        logger = ELBOLogger(folder, frequency=1, print_table=False)
        make_vae().fit(
            images,
            batch_size=4,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=[logger, backup, *callbacks],
        )
        return read(folder)

    with pytest.raises(Killed):
        train(tmp_path / "killed", KillAt(8))
    with (tmp_path / "killed" / "elbo.csv").open("a") as file:
        file.write("9,0.1")
    resumed = train(tmp_path / "killed")
    steps = list(resumed["step"])
    assert steps == list(range(1, steps[-1] + 1))
    if save_freq == "epoch":
        pandas.testing.assert_frame_equal(resumed, train(tmp_path / "unbroken"))


def test_a_second_fit_appends_and_a_new_model_begins_anew(make_vae, images, tmp_path):
    vae, logger = make_vae(), ELBOLogger(tmp_path, print_table=False)
    for expected in ([1, 2], [1, 2, 4]):
        vae.fit(images, batch_size=8, verbose=0, callbacks=[logger])
        assert list(read(tmp_path)["step"]) == expected
    assert [row["step"] for row in logger.rows] == [1, 2, 4]
    vae.compile(keras.optimizers.Adam(), jit_compile=False)
    vae.fit(images, batch_size=8, verbose=0, callbacks=[logger])
    assert list(read(tmp_path)["step"]) == [1, 2]


def test_tensorboard_holds_every_scalar(make_vae, images, tmp_path):
    logger = ELBOLogger(tmp_path, print_table=False, tensorboard=True)
    make_vae().fit(images, batch_size=8, verbose=0, callbacks=[logger])
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    frame = read(tmp_path).set_index("step")
    assert sorted(events.Tags()["tensors"]) == sorted(frame.columns)
    for name in frame.columns:
        logged = {
            event.step: float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(name)
        }
        assert logged == pytest.approx(dict(frame[name]), rel=1e-6)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(text):
    """What a wide terminal shows of a text: understands \\r, \\b and the wiping of a line."""
    lines, column = [""], 0
    for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", text):
        if token == "\n":
            lines.append("")
            column = 0
        elif token == "\r":
            column = 0
        elif token == "\b":
            column = max(column - 1, 0)
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not token.startswith("\x1b"):
            lines[-1] = lines[-1][:column].ljust(column) + token + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_on_a_terminal_rows_and_progress_bar_keep_their_lines(
    plain_autoencoder, images, tmp_path, monkeypatch
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    plain_autoencoder.fit(
        images, images, batch_size=4, epochs=2, verbose=1, callbacks=[ELBOLogger(tmp_path)]
    )
    lines = [line for line in screen(terminal.getvalue()) if line]
    kinds = "".join(
        "E" if line.startswith("Epoch") else "b" if "step" in line and "━" in line else "r"
        for line in lines
    )
    # Title and steps 1, 2, 4; the bar; step 8; the bar.
    assert kinds == "ErrrrbErb"
    rows = [line.split() for line, kind in zip(lines, kinds, strict=True) if kind == "r"]
    assert rows[0] == ["step", "loss", "learning_rate"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "4", "8"]
    assert len({len(line) for line, kind in zip(lines, kinds, strict=True) if kind == "r"}) == 1


def test_in_a_file_every_row_has_a_line_of_its_own(plain_autoencoder, images, tmp_path, capsys):
    plain_autoencoder.fit(images, images, batch_size=4, verbose=1, callbacks=[ELBOLogger(tmp_path)])
    lines = capsys.readouterr().out.split("\n")
    rows = [line.split() for line in lines if re.fullmatch(r" +\d+( +\S+){2}", line)]
    assert [row[0] for row in rows] == ["1", "2", "4"]


def test_prints_nothing_if_told_so(plain_autoencoder, images, tmp_path, capsys):
    logger = ELBOLogger(tmp_path, print_table=False)
    plain_autoencoder.fit(images, images, verbose=0, callbacks=[logger])
    assert capsys.readouterr().out == ""


def test_a_full_disk_is_one_warning_and_loses_no_row(
    plain_autoencoder, images, tmp_path, monkeypatch
):
    logger = ELBOLogger(tmp_path, frequency=1, print_table=False)
    append, failures = logger._table._append, iter(range(2))

    def full_disk_twice(text):
        if next(failures, None) is not None:
            raise OSError("No space left on device")
        append(text)

    monkeypatch.setattr(logger._table, "_append", full_disk_twice)
    with pytest.warns(UserWarning, match="ELBOLogger could not write .*No space left") as warned:
        plain_autoencoder.fit(images, images, batch_size=4, verbose=0, callbacks=[logger])
    assert sum("ELBOLogger" in str(warning.message) for warning in warned) == 1
    assert list(read(tmp_path)["step"]) == [1, 2, 3, 4, 5]


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(
    plain_autoencoder, images, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot write into the folder"):
        plain_autoencoder.fit(
            images, images, verbose=0, callbacks=[ELBOLogger(tmp_path / "file" / "run")]
        )
    assert int(plain_autoencoder.optimizer.iterations) == 0


@pytest.mark.parametrize("names", ["loss", ()])
def test_names_must_be_a_sequence(tmp_path, names):
    with pytest.raises(ValueError, match=r"`names`.*Received"):
        ELBOLogger(tmp_path, names=names)
