"""The notebook: it runs on few digits in few steps, and its saved outputs are of one whole run."""

import base64
import io
import json
import os
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from PIL import Image

from keras_vae.datasets import source, typeset_digits

NOTEBOOK = Path(__file__).parents[2] / "examples" / "beta_vae_mnist.ipynb"
STEPS = 32

# Runs after the notebook's own imports: not even a machine with a network takes MNIST here.
WITHOUT_MNIST = """
def without_mnist(name):
    raise keras_vae.datasets.DatasetUnavailableError("no MNIST here")

keras_vae.datasets.source.prepared_builder = without_mnist
"""

# Runs last. Strings, because JSON knows no other keys.
REPORT = """
import json

print(json.dumps({
    "dataset": dataset,
    "rows": logger.rows,
    "losses": losses,
    "beta_sum": beta_sum,
    "elbos": [elbo_by_hand, logs["elbo"]],
    "deviations": deviations.tolist(),
    "gradients": [float(tf.norm(gradient)) for gradient in gradients],
    "from_prior": from_prior.sum(axis=1).tolist(),
    "from_encoder": from_encoder.sum(axis=1).tolist(),
    "results": [results[beta] for beta in betas],
    "bounds": list(bounds.values()),
    "steps": [before, int(again.optimizer.iterations)],
}))
"""


class ThisPython(AsyncKernelManager):
    """Starts kernels with the interpreter that runs the tests, whatever Jupyter has installed."""

    @property
    def kernel_spec(self):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def outputs_of(cells):
    """The outputs of the code cells, one list a cell."""
    return [cell.outputs for cell in cells if cell.cell_type == "code"]


def kinds(outputs):
    """What a cell shows, in order: `["stdout", "image/png"]`."""
    shown = []
    for output in outputs:
        kind = output.get("name") or next(iter(sorted(output.get("data", {"error": None}))))
        # A kernel may hand over one stream in several parts.
        if not (shown and kind == shown[-1] == "stdout"):
            shown.append(kind)
    return shown


def pictures_of(outputs):
    """The PNGs that a cell shows, opened."""
    encoded = [output.get("data", {}).get("image/png") for output in outputs]
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in encoded if png]


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a short run on a few typeset digits; its folder; what it reports."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typeset_digits, "SPLITS", {"train": 400, "test": 100})
        source.prepared_builder("typeset_digits", folder / "data")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    imports = next(i for i, cell in enumerate(notebook.cells) if "import keras_vae" in cell.source)
    notebook.cells.insert(imports + 1, nbformat.v4.new_code_cell(WITHOUT_MNIST))
    notebook.cells.append(nbformat.v4.new_code_cell(REPORT))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    environment = {
        **os.environ,
        "KERAS_VAE_NOTEBOOK_STEPS": str(STEPS),
        "TFDS_DATA_DIR": str(folder / "data"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    client = NotebookClient(
        notebook, km=ThisPython(), timeout=300, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    report = json.loads(notebook.cells.pop().outputs[0].text)
    del notebook.cells[imports + 1]
    return notebook, folder, report


@pytest.mark.slow
def test_it_shows_what_the_saved_run_shows_without_errors_or_noise(executed, committed):
    notebook, _, report = executed
    assert report["dataset"] == "typeset_digits"
    shown = [kinds(outputs) for outputs in outputs_of(notebook.cells)]
    assert shown == [kinds(outputs) for outputs in outputs_of(committed.cells)]
    assert {kind for cell in shown for kind in cell} == {"stdout", "image/png"}


@pytest.mark.slow
def test_its_pictures_are_none_of_them_blank(executed):
    notebook, folder, _ = executed
    pictures = [p for outputs in outputs_of(notebook.cells) for p in pictures_of(outputs)]
    assert len(pictures) > 10
    for picture in pictures:
        assert min(picture.size) > 50
        darkest, lightest = picture.convert("L").getextrema()
        assert lightest - darkest > 50
    run = folder / "runs" / "notebook"
    for written in ("losses.png", "elbo.csv", "model.keras", "traversals/grid/step_00000032.png"):
        assert (run / written).is_file()


def test_its_training_learns_and_its_losses_add_up(executed):
    report = executed[-1]
    rows = report["rows"]
    assert [row["step"] for row in rows] == [1, 2, 4, 8, 16, 32]
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["elbo"] > rows[0]["elbo"]
    for row in rows:
        total = row["reconstruction_loss"] + row["beta"] * row["kl_loss"]
        assert row["loss"] == pytest.approx(total, rel=1e-5)
    assert report["steps"][0] == STEPS < report["steps"][1]


def test_its_two_forms_of_beta_agree(executed):
    report = executed[-1]
    assert report["beta_sum"] == pytest.approx(0.784)
    assert 784 * report["losses"]["mean"] == pytest.approx(report["losses"]["sum"], rel=1e-5)
    # Two samples of q(z|x) an image.
    assert report["elbos"][0] == pytest.approx(report["elbos"][1], rel=0.01)


def test_its_estimators_of_the_gradient_behave_as_it_says(executed):
    report = executed[-1]
    score_function, pathwise = np.transpose(report["deviations"])
    # d/dz (z - 1)^2 = 2 (z - 1), whose standard deviation is 2.
    np.testing.assert_allclose(pathwise, 2, rtol=0.03)
    assert (np.diff(score_function) > 0).all() and (score_function > pathwise).all()
    assert min(report["gradients"]) > 0


def test_its_gradient_steps_improve_on_the_prior_and_not_much_on_the_encoder(executed):
    report = executed[-1]
    for name in ("from_prior", "from_encoder"):
        assert report[name][-1] < report[name][0]


def test_its_bounds_tighten_and_its_betas_order_the_rates(executed):
    report = executed[-1]
    guided, blind = np.transpose(report["bounds"])
    assert (np.diff(guided) > 0).all() and blind[0] < blind[-1]
    # With 1,000 codes, after so short a training, both are near log p(x); and blind ones are the
    # same for all images: one that happens to suit many moves the mean by nats.
    assert (guided[:-1] > blind[:-1]).all()
    rates = [result["rate"] for result in report["results"]]
    assert rates[0] > rates[-1]
    for result in report["results"]:
        assert result["elbo"] == pytest.approx(-result["distortion"] - result["rate"], rel=1e-6)


def test_the_saved_outputs_are_those_of_one_run_from_top_to_bottom(committed):
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    shown = {kind for outputs in outputs_of(committed.cells) for kind in kinds(outputs)}
    assert shown == {"stdout", "image/png"}
    # All but the preparations: stderr, imports, and the training that the logger speaks for.
    assert sum(not cell.outputs for cell in code) == 2
    assert "mnist (2000, 28, 28, 1)" in "".join(o.get("text", "") for o in code[2].outputs)


def test_the_saved_notebook_is_small_and_says_nothing_of_the_machine(committed):
    assert NOTEBOOK.stat().st_size < 1.5e6
    assert set(committed.metadata) == {"kernelspec", "language_info"}
    assert committed.metadata.kernelspec.name == "python3"
    assert not any(cell.metadata for cell in committed.cells)
    absolute = re.compile(r"(?<![\w./])/(?:[\w.-]+/)+[\w.-]+|\b[A-Za-z]:\\")
    for cell in committed.cells:
        texts = [cell.source] if cell.cell_type == "code" else []
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        for text in texts:
            assert not absolute.search(text), text
