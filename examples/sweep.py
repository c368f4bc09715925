"""Trains a VAE at every combination of some hyperparameters, and tabulates what came of each.

    python examples/sweep.py --set beta=0,0.01,1 --set seed=0,1,2 --fix reduction=mean --epochs 30

Every point trains on one split of the data and is measured on another, in a process of its own
with one thread: its figures depend neither on the other points nor on how many run at a time. A
point that is finished is on disk; run the same command again after an interruption, and it goes on
with the points that are missing. Left in the output folder:

  results.csv   one row a point: its parameters, then what it is worth on the held-out images
  epochs.csv    one row a point and epoch: losses in training and, as val_, on held-out images
  latents.csv   one row a point and latent: its KL in nats, the variance of its posterior means
  sweep.json    what was asked for
  points/       one JSON a finished point, from which the tables are made
  models/       with --save-models, one .keras file a point
  logs/         what points that failed have printed
"""

import argparse
import ast
import contextlib
import csv
import difflib
import io
import itertools
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

import keras_vae
from keras_vae import evaluation, networks
from keras_vae.datasets.source import prepared_builder
from keras_vae.files import check_writable, write_whole

# What can be set, and what it is where it is not.
PARAMETERS = {
    "dataset": "mnist",
    "train_split": "train",
    "test_split": "test",
    "binarize": None,
    "network": "mlp",
    "latent_dim": 10,
    "hidden_sizes": [100, 100],
    "filters": [32, 64],
    "kernel_size": 3,
    "activation": "relu",
    "scale": "square",
    "likelihood": "bernoulli",
    "beta": 1.0,
    "reduction": "sum",
    "learning_rate": 1e-3,
    "batch_size": 64,
    "epochs": 30,
    "seed": 0,
    "jit_compile": True,
}
CONVOLUTIONAL = ("filters", "kernel_size")
# These decide nothing about whether a model can be built.
TRAINING = ("learning_rate", "batch_size", "epochs", "seed", "jit_compile")
# A worker on MNIST peaks at 1.2 GB, of which TensorFlow and XLA are the most.
WORKER_BYTES = 1.5 * 2**30


@dataclass
class Sweep:
    """What was asked for: values of some parameters, and one value of each of the others."""

    varied: dict[str, list]
    fixed: dict
    save_models: bool = False

    @property
    def points(self) -> dict[str, dict]:
        """All combinations by name, the last parameter varying fastest."""
        combinations = list(itertools.product(*self.varied.values()))
        digits = len(str(len(combinations)))
        points = {}
        for index, values in enumerate(combinations):
            own = dict(zip(self.varied, values, strict=True))
            # The number keeps names apart that differ only in what a file name cannot hold.
            words = [f"{index:0{digits}}", *(f"{name}={_cell(own[name])}" for name in own)]
            name = re.sub(r"[^\w.+=-]+", "-", "_".join(words))[:100]
            points[name] = {key: {**self.fixed, **own}[key] for key in PARAMETERS}
        return points

    def description(self) -> dict:
        """What `sweep.json` holds: with all of it the same, the points are the same."""
        return {
            "set": self.varied,
            "fix": self.fixed,
            "save_models": self.save_models,
            "versions": {
                "keras_vae": keras_vae.__version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
        }


# Reading the command line ------------------------------------------------------------------


def parse(settings: list[str], fixings: list[str], save_models: bool = False) -> Sweep:
    """The sweep that a command line asks for.

    Args:
        settings: `"NAME=VALUE,VALUE,..."`, of parameters to vary.
        fixings: `"NAME=VALUE"`, of parameters to hold.
        save_models: Whether every point's model is kept.

    Raises:
        ValueError: If a parameter is unknown or given twice, or a value is of another kind.
    """
    varied, fixed = {}, {}
    for text, given in [(s, varied) for s in settings] + [(f, fixed) for f in fixings]:
        name, equals, values = text.partition("=")
        option = "--set" if given is varied else "--fix"
        if not equals:
            raise ValueError(f"Expected {option} NAME=VALUE. Received: {option} {text}")
        if name not in PARAMETERS:
            close = difflib.get_close_matches(name, PARAMETERS, n=1, cutoff=0.5)
            raise ValueError(
                f"Unknown parameter {name!r}."
                + (f" Did you mean {close[0]!r}?" if close else "")
                + f" Expected one of: {', '.join(PARAMETERS)}"
            )
        if name in varied or name in fixed:
            raise ValueError(f"The parameter {name!r} is given twice. Give all its values at once.")
        given[name] = [_value(name, part) for part in _parts(values)]
        for value in given[name]:
            if given[name].count(value) > 1:
                raise ValueError(f"{option} {text} names {_cell(value)} twice. Leave one out.")
        if given is fixed:
            if len(fixed[name]) > 1:
                raise ValueError(f"--fix takes one value. To vary {name}: --set {text}")
            (fixed[name],) = fixed[name]
    # In one order, whatever the order on the command line: it is the same sweep.
    varied = {name: varied[name] for name in PARAMETERS if name in varied}
    defaults = {name: value for name, value in PARAMETERS.items() if name not in varied}
    used = varied.get("network") or [fixed.get("network", PARAMETERS["network"])]
    for name in CONVOLUTIONAL:
        if name in {**varied, **fixed} and "conv" not in used:
            raise ValueError(f"{name!r} changes nothing without network=conv. Leave it out.")
    return Sweep(varied, {**defaults, **fixed}, save_models)


def _parts(text):
    """Splits at commas that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _value(name, text):
    """The value that a text stands for, of the kind that the parameter is of."""
    value = text.strip()
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            value = read(text.strip())
            break
    default = PARAMETERS[name]
    value = list(value) if isinstance(value, tuple) else value
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    kinds = (str, type(None)) if default is None else (type(default),)
    sound = type(value) in kinds and value != ""
    sound = sound and not (isinstance(value, float) and not math.isfinite(value))
    if not sound:
        kind = {
            float: "a number",
            int: "an integer",
            bool: "true or false",
            list: "a list such as [100,100]",
        }.get(type(default), "a word")
        raise ValueError(
            f"Invalid value for parameter {name!r}. Expected {kind}. Received: {text!r}"
        )
    return value


def check(sweep: Sweep):
    """Refuses, before any work, what a point would fail on; prepares the data that is missing.

    Raises:
        ValueError: If a value is invalid.
        DatasetUnavailableError: If a data set is neither prepared nor downloadable.
    """
    shapes, seen = {}, set()
    for point in sweep.points.values():
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            if point[name] < least:
                raise ValueError(
                    f"Invalid value for parameter {name!r}. Expected at least {least}. "
                    f"Received: {point[name]}"
                )
        if point["learning_rate"] <= 0:
            raise ValueError(
                "Invalid value for parameter 'learning_rate'. Expected a positive number. "
                f"Received: {point['learning_rate']}"
            )
        source = tuple(point[name] for name in ("dataset", "train_split", "test_split"))
        if source not in shapes:
            # Here, so that workers do not all download it.
            shapes[source] = _image_shape(*source)
        model = json.dumps([point[name] for name in point if name not in TRAINING])
        if model not in seen:
            seen.add(model)
            build(point, shapes[source])


def _image_shape(dataset, *splits):
    builder = prepared_builder(dataset)
    for split in splits:
        try:
            builder.info.splits[split].num_examples  # noqa: B018
        except (ValueError, KeyError):
            raise ValueError(
                f"Unknown split {split!r} of {dataset!r}. Expected a TFDS split string over "
                f"{sorted(builder.info.splits)}"
            ) from None
    return builder.info.features["image"].shape


# One point ---------------------------------------------------------------------------------


def build(point: dict, shape) -> keras_vae.VAE:
    """The VAE of a point.

    Args:
        point: `{parameter: value}`.
        shape: Of one image, `(height, width, channels)`.
    """
    sizes = point["hidden_sizes"]
    mirrored = {"activation": point["activation"], "latent_dim": point["latent_dim"]}
    if point["network"] == "mlp":
        encoder = networks.mlp_encoder(shape, hidden_sizes=sizes, scale=point["scale"], **mirrored)
        decoder = networks.mlp_decoder(shape, hidden_sizes=sizes[::-1], **mirrored)
    elif point["network"] == "conv":
        mirrored["kernel_size"] = point["kernel_size"]
        filters = point["filters"]
        encoder = networks.conv_encoder(
            shape, filters=filters, hidden_sizes=sizes, scale=point["scale"], **mirrored
        )
        decoder = networks.conv_decoder(
            shape, filters=filters[::-1], hidden_sizes=sizes[::-1], **mirrored
        )
    else:
        raise ValueError(
            "Invalid value for parameter 'network'. Expected 'mlp' or 'conv'. "
            f"Received: {point['network']!r}"
        )
    chosen = {name: point[name] for name in ("likelihood", "beta", "reduction", "seed")}
    return keras_vae.VAE(encoder, decoder, **chosen)


def train(point: dict, model_path: Path | None = None) -> dict:
    """Trains the VAE of a point and measures it on held-out images.

    Args:
        point: `{parameter: value}`.
        model_path: Where to save the model. Defaults to `None`: nowhere.

    Returns:
        `parameters`, `figures` (see `keras_vae.evaluation`), `latents`, `epochs` and `seconds`.
    """
    began = time.perf_counter()
    keras.utils.set_random_seed(point["seed"])
    dataset, binarize = point["dataset"], point["binarize"]
    images = keras_vae.datasets.load(
        dataset,
        point["train_split"],
        point["batch_size"],
        shuffle=True,
        binarize=binarize,
        seed=point["seed"],
    )
    # All points are measured on the same pixels.
    held_out = keras_vae.datasets.load(
        dataset, point["test_split"], 1000, shuffle=False, binarize=binarize and "fixed"
    )
    vae = build(point, images.element_spec.shape[1:])
    vae.compile(
        optimizer=keras.optimizers.Adam(point["learning_rate"]),
        steps_per_execution=64,
        # Keras leaves XLA off where there is only a CPU; there it halves the time.
        jit_compile=point["jit_compile"],
    )
    logs = vae.fit(images, validation_data=held_out, epochs=point["epochs"], verbose=0).history
    figures = evaluation.evaluate_elbo(vae, held_out, progress=False)
    latents = evaluation.latent_statistics(vae, held_out, progress=False)
    figures["active_units"] = latents["active_units"]
    figures |= evaluation.reconstruction_error(vae, held_out, progress=False)
    figures |= {"train_loss": logs["loss"][-1], "train_elbo": logs["elbo"][-1]}
    figures["steps"] = int(vae.optimizer.iterations)
    # Beta is a parameter already, and the logs have it in float32.
    logs = {name: values for name, values in logs.items() if name not in ("beta", "val_beta")}
    if model_path:
        _save_whole(vae, model_path)
    return {
        "parameters": point,
        "figures": figures,
        "latents": {name: latents[name] for name in ("kl_per_dimension", "variance_of_means")},
        "epochs": logs,
        "seconds": round(time.perf_counter() - began, 1),
    }


def _save_whole(vae, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    vae.save(temporary)
    os.replace(temporary, path)


def work():
    """A worker: reads one job from standard input, and dies when that ends before the job does."""
    job = json.loads(os.fdopen(0, "rb", buffering=0, closefd=False).readline())

    def die_with_the_sweep():
        # The sweep holds the other end and writes no more: this returns when the sweep has died.
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=die_with_the_sweep, daemon=True).start()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    result = train(job["point"], job["model_path"] and Path(job["model_path"]))
    write_whole(job["path"], json.dumps(result, indent=1, allow_nan=False))


# All points --------------------------------------------------------------------------------


class Worker:
    """A process that trains one point.

    Args:
        name: Of the point.
        point: `{parameter: value}`.
        folder: Of the sweep.
        save_model: Whether its model is kept.
    """

    def __init__(self, name: str, point: dict, folder: Path, save_model: bool):
        self.name = name
        self.log = folder / "logs" / f"{name}.txt"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        job = {
            "point": point,
            "path": str(_result_path(folder, name)),
            "model_path": str(folder / "models" / f"{name}.keras") if save_model else None,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--worker"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                # Ctrl-C reaches the sweep alone, which then stops its workers.
                start_new_session=True,
            )
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()

    def failure(self) -> str | None:
        """Why it failed, in a line; `None` if it has not, whose log goes."""
        code = self.process.returncode
        if code == 0:
            self.log.unlink()
            return None
        if code < 0:
            return f"killed by signal {-code} (if memory is short, try fewer --workers)"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else f'exit status {code}'} (all of it in {self.log})"

    def stop(self):
        """Ends the process at once, which leaves nothing that a later run would mistake."""
        self.process.kill()
        self.process.wait()


def run(sweep: Sweep, folder: Path, workers: int | None = None) -> dict[str, str]:
    """Trains the points that are not finished yet, and writes the tables.

    Args:
        sweep: What to train.
        folder: Where everything goes.
        workers: Points at a time. Defaults to `None`: as many as there are cores and memory for.

    Returns:
        `{point: why it failed}`.
    """
    points = sweep.points
    finished = {name for name in points if _result(folder, name, points[name])}
    waiting = [name for name in points if name not in finished]
    workers, why = (workers, "as asked") if workers else _default_workers(len(waiting))
    before = f"{len(finished)} of them finished before"
    print(f"{len(points)} points, {before}; {workers} at a time ({why})", flush=True)
    # What workers were writing when they were killed.
    for leftover in [*folder.glob("points/.*.tmp"), *folder.glob("models/.*.tmp.keras")]:
        leftover.unlink()
    write_tables(sweep, folder)
    began, done, running, failures = time.monotonic(), 0, [], {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name = waiting.pop(0)
                running.append(Worker(name, points[name], folder, sweep.save_models))
            time.sleep(0.1)
            for worker in [w for w in running if w.process.poll() is not None]:
                running.remove(worker)
                done += 1
                failure = worker.failure()
                if failure:
                    failures[worker.name] = failure
                    told = f"FAILED: {failure}"
                else:
                    result = _result(folder, worker.name, points[worker.name])
                    told = f"elbo {result['figures']['elbo']:.2f} ({result['seconds']:.0f} s)"
                    write_tables(sweep, folder)
                left = (time.monotonic() - began) / done * (len(waiting) + len(running))
                print(
                    f"[{len(finished) + done}/{len(points)}] {worker.name}: {told}; "
                    f"about {_duration(left)} left",
                    flush=True,
                )
    finally:
        for worker in running:
            worker.stop()
    return failures


def _default_workers(waiting):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits, why = [cores or 1], f"{cores} cores"
    with contextlib.suppress(OSError, AttributeError):
        (kilobytes,) = re.findall(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())
        available = 1024 * int(kilobytes)
        limits.append(int(available // WORKER_BYTES))
        why += f", {available / 2**30:.1f} GB free, {WORKER_BYTES / 2**30:.1f} GB each"
    return max(1, min([*limits, waiting])), why


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


# Files -------------------------------------------------------------------------------------


def claim(sweep: Sweep, folder: Path):
    """Makes a folder this sweep's own.

    Raises:
        ValueError: If it is another's.
    """
    path, wanted = folder / "sweep.json", sweep.description()
    if not path.exists():
        write_whole(path, json.dumps(wanted, indent=1))
        return
    found = json.loads(path.read_text())
    if found != wanted:
        there, now = (
            {**about.pop("set"), **about.pop("fix"), **about} for about in (found, wanted)
        )
        differ = [
            f"  {name}: there {json.dumps(there.get(name))}, now {json.dumps(now.get(name))}"
            for name in dict.fromkeys([*there, *now])
            if there.get(name) != now.get(name)
        ]
        raise ValueError(
            f"{folder} holds another sweep, which differs in\n"
            + "\n".join(differ)
            + "\nChoose another --output-dir, or delete that folder."
        )


@contextlib.contextmanager
def locked(folder: Path):
    """Keeps a second sweep out of the folder; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"Another sweep is at work in {folder}. Wait for it.") from None
        yield


def write_tables(sweep: Sweep, folder: Path):
    """Writes the three tables from the points that are finished, in the order of the sweep.

    They hold no times and no dates: the same points give the same bytes.
    """
    results, epochs, latents = [], [], []
    for name, point in sweep.points.items():
        result = _result(folder, name, point)
        if result is None:
            continue
        varied = {key: point[key] for key in sweep.varied}
        fixed = {key: point[key] for key in point if key not in varied}
        results.append({**varied, **fixed, **result["figures"]})
        for index in range(len(result["epochs"]["loss"])):
            row = {key: values[index] for key, values in result["epochs"].items()}
            epochs.append({**varied, "epoch": index + 1, **row})
        for index, row in enumerate(zip(*result["latents"].values(), strict=True)):
            row = dict(zip(result["latents"], row, strict=True))
            latents.append({**varied, "latent": index, **row})
    for name, rows in (("results", results), ("epochs", epochs), ("latents", latents)):
        write_whole(folder / f"{name}.csv", _csv(rows))


def _csv(rows):
    """Rows as CSV text, a column for every key that any row has."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = csv.writer(text, lineterminator="\n")
    if columns:
        table.writerow(columns)
    for row in rows:
        table.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value):
    """A value as it stands in a table or a name: words as they are, nothing for nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).removesuffix(".0")


def _result_path(folder, name):
    return folder / "points" / f"{name}.json"


def _result(folder, name, point):
    """What a finished point left; `None` if it is not finished."""
    path = _result_path(folder, name)
    try:
        result = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError:
        result = {}
    if result.get("parameters") != point:
        raise ValueError(f"{path} is damaged. Delete it, and the point is trained again.")
    return result


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    if sys.argv[1:] == ["--worker"]:
        work()
        return
    parser = _parser()
    options = parser.parse_args()
    fixings = options.fix + ([f"epochs={options.epochs}"] if options.epochs is not None else [])
    try:
        if options.workers is not None and options.workers < 1:
            raise ValueError(f"--workers must be at least 1. Received: {options.workers}")
        sweep = parse(options.set, fixings, options.save_models)
        check_writable(options.output_dir)
        check(sweep)
        with locked(options.output_dir):
            claim(sweep, options.output_dir)
            failures = run(sweep, options.output_dir, options.workers)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "\nStopped. The same command goes on with the points that are missing.\n")
    print(f"The tables are in {options.output_dir}/")
    if failures:
        lines = [f"  {name}: {failure}" for name, failure in failures.items()]
        parser.exit(1, f"Points that failed ({len(failures)}):\n" + "\n".join(lines) + "\n")


def _parser():
    summary, _, details = __doc__.partition("\n\n")
    defaults = "\n".join(f"  {name:14} {json.dumps(value)}" for name, value in PARAMETERS.items())
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=f"{details}\nparameters and their defaults:\n{defaults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help="a parameter to vary and all its values; repeat it for every combination of several",
    )
    add(
        "--fix",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter to hold at another value than its default",
    )
    add("--epochs", help="the same as --fix epochs=")
    add("--workers", type=int, help="points at a time (what cores and memory allow)")
    add("--save-models", action="store_true", help="keep every point's model")
    add("--output-dir", type=Path, default=Path("runs/sweep"), help="folder (runs/sweep)")
    return parser


if __name__ == "__main__":
    main()
