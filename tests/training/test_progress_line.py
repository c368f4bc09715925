"""Tests of the progress bar in a terminal of given width, and of what else Keras would show."""

import io
import re

import keras
import pytest

from keras_vae.training.progress_line import ProgressLine, with_progress_line

LOSSES = ("loss", "kl_loss", "elbo", "reconstruction_loss", "beta")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard output a terminal of so many columns; returns it."""

    def make(columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        stream = Terminal()
        monkeypatch.setattr("sys.stdout", stream)
        return stream

    return make


def lines_of(stream):
    """All that was ever to be seen in a line, each time that it was drawn."""
    text = re.sub(r"\x1b\[\d*m|\x08", "", stream.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]", text) if line.strip()]


def names_in(lines):
    return [name for line in lines for name in re.findall(r"- (\w+):", line)]


def test_no_line_is_longer_than_the_terminal_and_no_number_is_left_out(terminal, make_vae, images):
    stream = terminal(80)
    vae = make_vae(eager=True)
    vae.fit(images, validation_data=images, epochs=2, batch_size=8, verbose=1)
    lines = lines_of(stream)
    assert max(map(len, lines)) < 80
    assert [line for line in lines if line.startswith("Epoch")] == ["Epoch 1/2", "Epoch 2/2"]
    last = lines[len(lines) - lines[::-1].index("Epoch 2/2") :]
    finished = max(i for i, line in enumerate(last) if line.startswith("3/3"))
    ended = names_in(last[finished:])
    assert sorted(ended) == sorted([*LOSSES, *(f"val_{name}" for name in LOSSES)])
    assert ended[0] == "loss"


def test_evaluation_draws_its_own_and_returns_the_same(terminal, make_vae, images):
    vae = make_vae(eager=True)
    stream = terminal(80)
    shown = vae.evaluate(images, batch_size=8, return_dict=True)
    lines = lines_of(stream)
    assert max(map(len, lines)) < 80
    assert set(names_in(lines)) == set(LOSSES)
    assert f"loss: {shown['loss']:.4f}" in lines[-2]


def test_data_without_a_known_end_are_counted(terminal, make_vae, images):
    stream = terminal(80)
    vae = make_vae(eager=True)
    vae.fit((images[start : start + 8] for start in (0, 8)), verbose=1)
    lines = lines_of(stream)
    assert max(map(len, lines)) < 80
    assert any(line.startswith("2/2 ") for line in lines)


def test_a_wide_terminal_shows_more_at_a_time(terminal):
    logs = {name: 44.5 for name in LOSSES}
    shown = {}
    for columns in (40, 80, 120, 200):
        stream = terminal(columns)
        line = ProgressLine()
        line.set_params({"verbose": 1, "epochs": 1, "steps": 10})
        line.on_train_begin()
        line.on_epoch_begin(0)
        line.on_train_batch_end(0, logs)
        shown[columns] = names_in(lines_of(stream))
    assert shown[40] == []
    assert shown[80] == ["loss", "kl_loss"]
    assert len(shown[80]) < len(shown[120]) < len(shown[200]) == len(LOSSES)


def test_keras_draws_where_nothing_is_drawn_anew_and_where_it_is_told_how(terminal, monkeypatch):
    own = keras.callbacks.ProgbarLogger()
    terminal(80)
    assert [type(one) for one in with_progress_line([], "auto")] == [ProgressLine]
    assert with_progress_line([own], 1) == [own]
    assert with_progress_line([], 2) == with_progress_line([], 0) == []
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert with_progress_line([], 1) == []
