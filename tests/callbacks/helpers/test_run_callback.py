"""Tests of the life that all callbacks share: what comes when, and what becomes of a failure."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_vae
from keras_vae.callbacks.helpers.run_callback import RunCallback

IMAGES = np.zeros((20, 4), np.float32)


class Diary(RunCallback):
    """Notes every hook that it gets."""

    def __init__(self, folder=None, **kwargs):
        super().__init__(folder, **kwargs)
        self.notes = []

    def begin_run(self):
        self.notes.append("begin_run")

    def prepare(self, functions):
        self.notes.append(("prepare", functions.built))

    def before_epoch(self, epoch):
        self.notes.append(("before_epoch", epoch))

    def take_up(self, step):
        self.notes.append(("take_up", step))

    def after_steps(self, before, now, logs):
        self.notes.append(("after_steps", before, now, sorted(logs)))

    def after_epoch(self, epoch, logs):
        self.notes.append(("after_epoch", epoch, self.step, sorted(logs)))
        logs["seen"] = 1.0

    def end_run(self):
        self.notes.append("end_run")


def model(built=True, **kwargs):
    layers = [keras.Input((4,))] if built else []
    model = keras.Sequential([*layers, keras.layers.Dense(4)])
    model.compile("sgd", "mse", run_eagerly=True, **kwargs)
    return model


def fit(model, callback, **kwargs):
    return model.fit(IMAGES, IMAGES, batch_size=10, verbose=0, callbacks=[callback], **kwargs)


def test_the_hooks_come_in_the_order_of_a_run():
    diary = Diary()
    history = fit(model(), diary, validation_data=(IMAGES, IMAGES)).history
    assert diary.notes == [
        "begin_run",
        ("prepare", True),
        ("before_epoch", 0),
        ("take_up", 0),
        ("after_steps", 0, 1, ["loss"]),
        ("after_steps", 1, 2, ["loss"]),
        ("after_epoch", 0, 2, ["loss", "val_loss"]),
        "end_run",
    ]
    assert history["seen"] == [1.0]


def test_a_second_run_is_taken_up_at_its_own_step_once():
    diary, trained = Diary(), model()
    fit(trained, diary)
    diary.notes.clear()
    fit(trained, diary, epochs=2)
    assert [note[1] for note in diary.notes if note[0] == "take_up"] == [2]
    assert diary.notes[-2] == ("after_epoch", 1, 6, ["loss"])


def test_a_run_is_taken_up_after_what_restores_it(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def run(*callbacks):
        diary, backup = Diary(), keras.callbacks.BackupAndRestore(tmp_path)
        with contextlib.suppress(KeyboardInterrupt):
            model().fit(
                IMAGES,
                IMAGES,
                batch_size=10,
                epochs=2,
                verbose=0,
                callbacks=[diary, backup, *callbacks],
            )
        return [note for note in diary.notes if note[0] == "take_up"]

    assert run(Stop()) == [("take_up", 0)]
    assert run() == [("take_up", 2)]


def test_a_model_that_is_not_built_is_prepared_after_its_first_batch():
    diary = Diary()
    fit(model(built=False), diary)
    assert diary.notes[:5] == [
        "begin_run",
        ("before_epoch", 0),
        ("take_up", 0),
        ("prepare", True),
        ("after_steps", 0, 1, ["loss"]),
    ]


def test_an_execution_of_several_steps_is_told_as_one():
    diary = Diary()
    fit(model(steps_per_execution=2), diary)
    assert [note[1:3] for note in diary.notes if note[0] == "after_steps"] == [(0, 2)]


@pytest.mark.parametrize("hook", ["begin_run", "prepare"])
def test_what_fails_before_the_first_step_is_raised(monkeypatch, hook):
    def fail(self, *_):
        raise ValueError("does not fit")

    monkeypatch.setattr(Diary, hook, fail)
    trained = model()
    with pytest.raises(ValueError, match="does not fit"):
        fit(trained, Diary())
    assert int(trained.optimizer.iterations) == 0


@pytest.mark.parametrize(
    "hook", ["before_epoch", "take_up", "after_steps", "after_epoch", "end_run"]
)
def test_what_fails_later_is_one_warning(monkeypatch, hook):
    def fail(self, *_):
        raise OSError("disk full")

    monkeypatch.setattr(Diary, hook, fail)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(model(), Diary(), epochs=2).history
    (message,) = [str(w.message) for w in caught if "Diary" in str(w.message)]
    assert "and training goes on without: OSError: disk full" in message
    assert len(history["loss"]) == 2


def test_a_folder_that_cannot_be_written_is_an_error_before_any_hook(tmp_path):
    (tmp_path / "file").touch()
    diary = Diary(tmp_path / "file")
    with pytest.raises(OSError, match="Cannot write into the folder"):
        fit(model(), diary)
    assert diary.notes == []


def test_summaries_are_closed_with_the_run(tmp_path):
    class Summaries(RunCallback):
        def end_run(self):
            self.summaries.scalars({"answer": 42.0}, self.step)

    callback = Summaries(tmp_path, tensorboard=True)
    fit(model(), callback)
    assert callback.summaries._open is None
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"tensors": 0})
    events.Reload()
    (event,) = events.Tensors("answer")
    assert event.step == 2
    assert RunCallback(tmp_path).tensorboard is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tensorboard": True}, "needs a folder"),
        ({"encode": 3}, "`encode`. Expected a function or `None`. Received: encode=3"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RunCallback(**arguments)


class Writer(RunCallback):
    """Says that it writes a file, and may die."""

    def __init__(self, folder, dies=False):
        super().__init__(folder)
        self.dies = dies

    @property
    def written_files(self):
        return (self.folder / "table.csv",)

    def before_epoch(self, epoch):
        if self.dies:
            raise KeyboardInterrupt


def test_two_callbacks_that_write_the_same_file_are_refused_before_the_first_step(tmp_path):
    def run(*callbacks):
        trained = model()
        trained.fit(IMAGES, IMAGES, epochs=1, verbose=0, callbacks=callbacks)

    first, second = Writer(tmp_path), Writer(tmp_path / "." / "table" / "..")
    with pytest.raises(ValueError, match=r"Writer and Writer, would both write .*table\.csv") as e:
        run(first, Writer(tmp_path))
    assert "Give one of them another folder" in str(e.value)
    run(first, Writer(tmp_path / "other"))
    # Not those of other runs, even of one that died, or of runs one inside the other.
    with pytest.raises(KeyboardInterrupt):
        run(Writer(tmp_path, dies=True))
    run(first)
    outer = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: run(Writer(tmp_path)))
    run(first, outer)
    run(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ELBOLogger", {}), ("ELBOLogger", {"names": ["kl_loss"], "frequency": 5})),
        (("LossCurves", {}), ("LossCurves", {"names": ["loss"]})),
        (("PriorSamples", {}), ("PriorSamples", {})),
        (("StopOnNonFinite", {}), ("StopOnNonFinite", {})),
    ],
)
def test_callbacks_of_this_package_say_what_they_write(make_vae, images, tmp_path, one, other):
    vae = make_vae(eager=True)
    pair = [getattr(keras_vae.callbacks, name)(tmp_path, **args) for name, args in (one, other)]
    with pytest.raises(ValueError, match="Two callbacks of one `fit`"):
        vae.fit(images, verbose=0, callbacks=pair)
    assert int(vae.optimizer.iterations) == 0


def test_two_grids_are_told_apart_by_folder_or_by_epochs_and_steps(make_vae, images, tmp_path):
    grid = keras_vae.callbacks.ReconstructionGrid
    vae = make_vae(eager=True)
    with pytest.raises(ValueError, match="ReconstructionGrid and ReconstructionGrid"):
        vae.fit(
            images, verbose=0, callbacks=[grid(images[:2], tmp_path), grid(images[2:], tmp_path)]
        )
    grids = [grid(images[:2], tmp_path), grid(images[:2], tmp_path, frequency=1)]
    vae.fit(images, verbose=0, callbacks=grids)
    assert len(list(tmp_path.rglob("*.png"))) == 2
