"""The main job, on a few small images in place of MNIST."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import keras_vae
from keras_vae.datasets import source

pytestmark = pytest.mark.usefixtures("steps_one_by_one")

ROOT = Path(__file__).parents[2]
SETTINGS = ["--steps", "5", "--batch-size", "8", "--hidden-sizes", "6", "--latent-dim", "3"]


@pytest.fixture
def mnist(load_program):
    return load_program("examples/mnist.py")


@pytest.fixture
def loaded(monkeypatch):
    """Twenty images of 8x8 pixels for every data set; records which were trained on."""
    images = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
    names = []

    def load(name, split, batch_size, seed=0, start=0, **_):
        if split == "train+test":
            names.append(name)
        return keras_vae.datasets.from_arrays(images, None, batch_size, seed=seed, start=start)

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    monkeypatch.setattr(source, "prepared_builder", lambda name: None)
    return names


def run(mnist, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mnist.py", *arguments])
    mnist.main()


def test_it_leaves_everything_that_it_promises(mnist, loaded, monkeypatch, tmp_path, capsys):
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "run"))

    assert loaded == ["mnist"]
    folder = tmp_path / "run"
    table = pd.read_csv(folder / "elbo.csv")
    assert list(table) == ["step", "loss", "reconstruction_loss", "kl_loss", "elbo", "beta"]
    assert table["step"].tolist() == [1, 2, 4]
    np.testing.assert_allclose(
        table["loss"], table["reconstruction_loss"] + 0.01 * table["kl_loss"], rtol=1e-5
    )
    for picture in (
        "losses.png",
        "reconstructions/step_00000004.png",
        "traversals/grid/step_00000004.png",
        "traversals/latents/step_00000004.png",
    ):
        with Image.open(folder / picture) as opened:
            opened.load()
    vae = keras.saving.load_model(folder / "model.keras")
    assert int(vae.optimizer.iterations) == 5
    printed = capsys.readouterr().out
    assert "Mean loss of steps 1 to 5" in printed


@pytest.mark.slow
def test_without_mnist_it_says_so_and_takes_typeset_digits(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    load = keras_vae.datasets.load

    def unavailable(name, *arguments, **settings):
        if name == "mnist":
            raise keras_vae.datasets.DatasetUnavailableError("no MNIST here")
        return load(name, *arguments, **settings)

    monkeypatch.setattr(keras_vae.datasets, "load", unavailable)
    monkeypatch.setattr(source, "prepared_builder", unavailable)
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path))
    assert loaded == ["typeset_digits"]
    assert (
        "MNIST is neither prepared here nor downloadable: training on typeset_digits instead."
        in capsys.readouterr().out
    )

    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, "--dataset", "mnist", "--output-dir", str(tmp_path))
    assert exit.value.code == 2
    assert "error: no MNIST here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beta", "-1"], "`beta`. Expected a finite number of at least 0. Received: beta=-1"),
        (["--beta", "nan"], "`beta`. Expected a finite number"),
        (
            ["--latent-dim", "0"],
            "`latent_dim`. Expected a positive integer. Received: latent_dim=0",
        ),
        (["--hidden-sizes", "-3"], "`hidden_sizes`. Expected a sequence of positive integers"),
        (["--steps", "0"], "`steps`. Expected a positive integer. Received: steps=0"),
        (["--steps", "-5"], "`steps`. Expected a positive integer. Received: steps=-5"),
        (["--steps", "0", "--resume"], "`steps`. Expected a positive integer. Received: steps=0"),
        (["--batch-size", "0"], "`batch_size`. Expected a positive integer"),
        (["--learning-rate", "0"], "`learning_rate`. Expected a positive number"),
        (["--learning-rate", "inf"], "`learning_rate`. Expected a positive number"),
        (["--seed", "-1"], "`seed`. Expected an integer from 0 to"),
    ],
)
def test_bad_settings_are_one_clear_line_and_nothing_is_written(
    mnist, loaded, monkeypatch, tmp_path, capsys, arguments, message
):
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, *arguments, "--output-dir", str(tmp_path / "run"))
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists() and loaded == []


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "file" / "run"))
    assert exit.value.code == 2
    assert "Cannot write into the folder" in capsys.readouterr().err
    assert loaded == []


@pytest.mark.slow
def test_an_interrupted_run_ends_as_one_that_never_was(mnist, loaded, monkeypatch, tmp_path):
    def train(folder):
        run(mnist, monkeypatch, *SETTINGS, "--resume", "--output-dir", str(tmp_path / folder))

    def die(resume, epoch, logs=None):
        if epoch == 3:
            raise SystemExit

    monkeypatch.setattr(mnist, "_steps_between_saves", lambda steps: 1)
    train("unbroken")
    with monkeypatch.context() as broken:
        broken.setattr(keras_vae.callbacks.Resume, "on_epoch_begin", die)
        with pytest.raises(SystemExit):
            train("broken")
    train("broken")
    tables = [(tmp_path / folder / "elbo.csv").read_text() for folder in ("unbroken", "broken")]
    assert tables[0] == tables[1]
    one, other = (
        keras.saving.load_model(tmp_path / folder / "model.keras")
        for folder in ("unbroken", "broken")
    )
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def error_of(mnist, monkeypatch, capsys, status, *arguments):
    """What a run that ends with this status says of it, in its last line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, *SETTINGS, *arguments)
    assert exit.value.code == status
    printed = capsys.readouterr()
    assert "Everything is in" not in printed.out
    (line,) = printed.err.strip().splitlines()
    return line


@pytest.mark.exhaustive
@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.filterwarnings("error:StopOnNonFinite")
def test_a_training_that_diverges_is_an_error_and_leaves_no_model(
    mnist, loaded, monkeypatch, tmp_path, capsys, resume
):
    monkeypatch.setattr(mnist, "_steps_between_saves", lambda steps: 5)
    folder = tmp_path / "run"
    arguments = ["--steps", "40", "--learning-rate", "1e30", *resume, "--output-dir", str(folder)]
    error = error_of(mnist, monkeypatch, capsys, 1, *arguments)
    assert "has diverged: at step" in error and "--learning-rate lower than 1e+30" in error
    assert not list(folder.glob("*.keras"))
    if resume:  # It cannot be gone on with as if that epoch were done.
        assert "has diverged" in error_of(mnist, monkeypatch, capsys, 1, *arguments)


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.exhaustive
def test_the_folder_is_named_after_the_data_set_and_another_run_in_it_is_left_alone(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    run(mnist, monkeypatch, *SETTINGS)
    run(mnist, monkeypatch, *SETTINGS, "--dataset", "dots")
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"mnist", "dots"}
    before = files_of(tmp_path)
    for again in ([], ["--steps", "3"], ["--resume"]):
        error = error_of(mnist, monkeypatch, capsys, 2, *again)
        assert "runs/mnist holds another run. To replace it: `python mnist.py --steps 5" in error
        assert "--overwrite`. To keep it, choose another folder by --output-dir." in error
        assert files_of(tmp_path) == before


@pytest.mark.exhaustive
def test_what_is_overwritten_is_what_the_program_writes_and_nothing_else(
    mnist, loaded, monkeypatch, tmp_path
):
    folder = tmp_path / "run"
    where = ["--output-dir", str(folder)]
    run(mnist, monkeypatch, *SETTINGS, "--resume", *where)
    written = set(files_of(folder))
    mine = {"notes.txt", "reconstructions/mine.png", "resume/mine"}
    for name in mine:
        (folder / name).write_text("mine")
    (folder / "step_00000001.png").mkdir()
    run(mnist, monkeypatch, *SETTINGS, "--steps", "3", "--overwrite", *where)
    left = files_of(folder)
    later = {name for name in written if "00000004" in name or name.startswith("resume/")}
    assert set(left) == written - later | mine
    assert all(left[name] == b"mine" for name in mine)
    assert pd.read_csv(folder / "elbo.csv")["step"].tolist() == [1, 2]

    # A run that saves its state begins anew, too, whatever the one before had for settings.
    run(mnist, monkeypatch, *SETTINGS, "--resume", "--overwrite", *where)
    run(mnist, monkeypatch, *SETTINGS, "--resume", "--steps", "4", "--overwrite", *where)
    assert int(keras.saving.load_model(folder / "model.keras").optimizer.iterations) == 4


@pytest.mark.slow
@pytest.mark.parametrize("resume", [False, True])
def test_ctrl_c_ends_with_a_line_that_says_where_it_stopped_and_how_to_go_on(
    mnist, loaded, monkeypatch, tmp_path, capsys, resume
):
    folder = tmp_path / "run"
    arguments = ["--output-dir", str(folder), *(["--resume"] if resume else [])]
    move = mnist.Progress.on_train_batch_end

    def interrupted(progress, batch, logs=None):
        move(progress, batch, logs)
        if int(progress.model.optimizer.iterations) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(mnist.Progress, "on_train_batch_end", interrupted)
        line = error_of(mnist, monkeypatch, capsys, 130, *arguments)
    assert line.startswith("Stopped at step 3 of 5. ") and f"the model are in {folder}/" in line
    vae = keras.saving.load_model(folder / "model.keras")
    assert int(vae.optimizer.iterations) == 3
    if resume:
        assert line.endswith("The same command goes on.")
    else:
        assert line.endswith("--overwrite --resume`.")
        arguments += ["--overwrite", "--resume"]
    run(mnist, monkeypatch, *SETTINGS, *arguments)
    assert "Mean loss of steps 1 to 5" in capsys.readouterr().out


def test_ctrl_c_before_the_first_step_says_so(mnist, monkeypatch, tmp_path, capsys):
    def load(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(keras_vae.datasets, "load", load)
    line = error_of(mnist, monkeypatch, capsys, 130, "--output-dir", str(tmp_path / "run"))
    assert line == "Stopped before the first step."


@pytest.mark.slow
def test_a_terminal_shows_a_bar_with_the_time_left_within_80_columns(
    mnist, loaded, monkeypatch, tmp_path, capsys
):
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "plain"))
    assert "\u2501" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    run(mnist, monkeypatch, *SETTINGS, "--output-dir", str(tmp_path / "terminal"))
    plain = re.sub(r"\x1b\[\d*[mK]|\x08", "", capsys.readouterr().out)
    lines = [line for line in re.split(r"[\r\n]+", plain) if str(tmp_path) not in line]
    assert any(re.match(r"1/5 \u2501+ \d+s? ?.*/step", line) for line in lines)
    assert any(line.startswith("5/5 \u2501") for line in lines)
    assert max(map(len, lines)) <= 80


def test_it_says_what_it_does_before_tensorflow_is_imported():
    program = [sys.executable, "examples/mnist.py", "--help"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        first = running.stdout.readline()
        running.kill()
    assert first.startswith("Loading TensorFlow")


def test_the_help_names_every_option(mnist, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit:
        run(mnist, monkeypatch, "--help")
    assert exit.value.code == 0
    printed = capsys.readouterr().out
    for option in (
        "dataset",
        "beta",
        "reduction",
        "latent-dim",
        "hidden-sizes",
        "scale",
        "batch-size",
        "learning-rate",
        "steps",
        "seed",
        "overwrite",
        "output-dir",
    ):
        assert f"--{option}" in printed
