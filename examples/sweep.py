"""Trains a VAE at many settings, and tabulates what came of each.

Every combination of some values:

    python examples/sweep.py --beta 0 0.01 1 --seed 0 1 2 --reduction mean --epochs 30

Or a search of 40 settings for the highest held-out ELBO, which gives up early on bad ones:

    python examples/sweep.py --search 40 --epochs 20

The settings are a study of Optuna's in a file, from which every process takes the next. Start the
same command as often as you like, on all machines that share the output folder, or let --workers
do so. A process that is killed or fails loses the setting it was at: another process takes that,
or the same command later. What comes of a setting depends on it alone. It needs the file locks of
Linux or macOS. In the output folder:

  results.csv    one row a setting: its parameters, then what it is worth on the held-out images
  epochs.csv     one row a setting and epoch: losses in training and, as val_, on held-out images
  latents.csv    one row a setting and latent: its KL in nats, the variance of its posterior means
  study.journal  the study, which `optuna.storages.JournalStorage` reads
  models/        with --save-models, one .keras file a setting

A search varies beta, latent_dim and learning_rate, unless they are given; whatever has several
values varies over them. It trains on nine tenths of the training images and measures on the rest,
so that the test images stay unseen.
"""

import argparse
import csv
import fcntl
import functools
import io
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

# One thread a process: figures must not depend on the number of cores, nor workers share them.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import arguments, evaluation, networks
from keras_vae.files import check_writable, write_whole

import keras
import optuna
import tensorflow as tf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

# What can be set, and what it is where it is not.
PARAMETERS = {
    "dataset": "mnist",
    "train_split": "train",
    "test_split": "test",
    "binarize": None,
    "network": "mlp",
    "latent_dim": 10,
    "hidden_sizes": "[100, 100]",
    "filters": "[32, 64]",
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
# What each is, for `--help`.
MEANINGS = {
    "dataset": "TFDS name, or typeset_digits",
    "train_split": "TFDS split string to train on",
    "test_split": "TFDS split string to measure on",
    "binarize": "dynamic or fixed: pixels drawn at every step, or once",
    "network": "mlp or conv",
    "latent_dim": "number of latents",
    "hidden_sizes": "units of an mlp's layers, with commas",
    "filters": "filters of a conv's layers, with commas",
    "kernel_size": "pixels a side of a conv's filters",
    "activation": "of the hidden layers",
    "scale": "how the encoder makes standard deviations positive",
    "likelihood": "of pixels",
    "beta": "weight of the KL",
    "reduction": "sum or mean, of pixels and of latents",
    "learning_rate": "of Adam",
    "batch_size": "images a step",
    "epochs": "passes over the training images",
    "seed": "of weights, noise and data order",
    "jit_compile": "whether XLA compiles the steps",
}
# What a search varies, and where it trains and measures, unless told otherwise.
SEARCHED = {
    "latent_dim": IntDistribution(2, 64, log=True),
    "beta": FloatDistribution(0.1, 10.0, log=True),
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
}
SEARCH_SPLITS = {"train_split": "train[:90%]", "test_split": "train[90%:]"}


@dataclass
class Sweep:
    """What was asked for: values of some parameters, one value of others, settings to search.

    A program that sweeps over something else subclasses it, and passes that to `main`: see
    `disentangle.py`.
    """

    varied: dict[str, list]
    fixed: dict
    search: int = 0
    save_models: bool = False

    parameters: ClassVar[dict] = PARAMETERS
    searched: ClassVar[dict] = SEARCHED
    meanings: ClassVar[dict] = MEANINGS

    @property
    def spaces(self) -> dict:
        """What Optuna chooses from."""
        searched = self.searched.items() if self.search else ()
        spaces = {name: space for name, space in searched if name not in self.fixed}
        spaces |= {name: CategoricalDistribution(given) for name, given in self.varied.items()}
        return {name: spaces[name] for name in self.parameters if name in spaces}

    def combinations(self) -> list[dict]:
        """All combinations, the last parameter varying fastest; of a range its lower end."""
        values = [getattr(space, "choices", None) or [space.low] for space in self.spaces.values()]
        return [dict(zip(self.spaces, row, strict=True)) for row in itertools.product(*values)]

    def setting(self, chosen: dict) -> dict:
        """Every parameter's value where Optuna has chosen these."""
        splits = SEARCH_SPLITS if self.search else {}
        return {**self.parameters, **splits, **self.fixed, **chosen}

    def name(self, trial) -> str:
        """A trial by its place and what was chosen, such as `0003_beta=1_seed=0`."""
        place = trial.number if self.search else self.combinations().index(trial.params)
        short = {
            k: f"{v:.3g}" if isinstance(v, float) else cell(v) for k, v in trial.params.items()
        }
        words = [f"{place:04}", *map("=".join, short.items())]
        return re.sub(r"[^\w.+=-]+", "-", "_".join(words))[:100]

    # One setting ---------------------------------------------------------------------------

    def check(self, setting: dict):
        """Refuses a setting that would fail; prepares its data if they are missing."""
        for name in ("batch_size", "epochs"):
            arguments.count(name, setting[name])
        arguments.seed("seed", setting["seed"])
        arguments.one_of("network", setting["network"], ("mlp", "conv"))
        if not 0 < (rate := setting["learning_rate"]) < math.inf:
            raise arguments.invalid("learning_rate", "a positive number", rate)
        data = ("dataset", "train_split", "test_split", "binarize")
        self.build(setting, image_shape(tuple((name, setting[name]) for name in data)))

    def load(self, setting: dict):
        """Batches to train on, and held-out ones, whose pixels are the same in all settings."""
        return load(setting)

    def build(self, setting: dict, shape) -> keras_vae.VAE:
        """The model of a setting, for images of shape `(height, width, channels)`."""
        return build(setting, shape)

    def callbacks(self, setting: dict) -> list[keras.callbacks.Callback]:
        """What else goes along with the training of a setting: nothing."""
        return []

    def measure(self, vae: keras_vae.VAE, setting: dict) -> dict:
        """Further figures of a trained model: none."""
        return {}


def check(sweep: Sweep):
    """Refuses, before any work, what would fail; prepares data that is missing."""
    for name, values in sweep.varied.items():
        if len(set(values)) < len(values):
            raise ValueError(f"Give each value of {name!r} once. Received: {values}")
    if sweep.search and not sweep.spaces:
        raise ValueError("There is nothing to search: every parameter has one value.")
    given = {**sweep.varied, **sweep.fixed}
    for name in {"filters", "kernel_size"} & given.keys():
        if "conv" not in given.get("network", ()):
            raise ValueError(f"{name!r} changes nothing without --network conv. Leave it out.")
    for setting in map(sweep.setting, sweep.combinations()):
        sweep.check(setting)


@functools.cache
def image_shape(data: tuple) -> tuple[int, int, int]:
    """Of the images that some parameters name, which are there from now on."""
    return load({**PARAMETERS, **dict(data)})[0].element_spec.shape[1:]


# One setting -------------------------------------------------------------------------------


def load(setting: dict):
    """Batches to train on, and held-out ones, whose pixels are the same in all settings."""
    binarize, held_out = setting["binarize"], setting["binarize"] and "fixed"
    read = functools.partial(keras_vae.datasets.load, setting["dataset"])
    size, seed = setting["batch_size"], setting["seed"]
    train = read(setting["train_split"], size, shuffle=True, binarize=binarize, seed=seed)
    return train, read(setting["test_split"], 1000, shuffle=False, binarize=held_out)


def build(setting: dict, shape) -> keras_vae.VAE:
    """The VAE of a setting, for images of shape `(height, width, channels)`."""
    sizes, filters = (json.loads(setting[name]) for name in ("hidden_sizes", "filters"))
    common = {name: setting[name] for name in ("latent_dim", "activation")}
    down = {"hidden_sizes": sizes, "scale": setting["scale"], **common}
    up = {"hidden_sizes": sizes[::-1], **common}
    if setting["network"] == "conv":
        size = setting["kernel_size"]
        encoder = networks.conv_encoder(shape, filters=filters, kernel_size=size, **down)
        decoder = networks.conv_decoder(shape, filters=filters[::-1], kernel_size=size, **up)
    else:
        encoder, decoder = networks.mlp_encoder(shape, **down), networks.mlp_decoder(shape, **up)
    chosen = {name: setting[name] for name in ("likelihood", "beta", "reduction", "seed")}
    return keras_vae.VAE(encoder, decoder, **chosen)


def train(sweep: Sweep, trial: optuna.Trial, folder: Path) -> dict:
    """Trains the VAE of a trial, and returns what its rows of the three tables hold.

    Tells Optuna the held-out ELBO of every epoch, and gives up by `optuna.TrialPruned` where Optuna
    says so.
    """
    setting = sweep.setting(trial.params)
    # Nothing may remain of the settings before.
    keras.utils.clear_session()
    keras.utils.set_random_seed(setting["seed"])
    images, held_out = sweep.load(setting)
    vae = sweep.build(setting, images.element_spec.shape[1:])
    optimizer = keras.optimizers.Adam(setting["learning_rate"])
    # Keras leaves XLA off where there is only a CPU; there it halves the time.
    vae.compile(optimizer, jit_compile=setting["jit_compile"])

    def report(epoch, logs):
        trial.report(logs["val_elbo"], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    reporter = keras.callbacks.LambdaCallback(on_epoch_end=report)
    watchers = [*sweep.callbacks(setting), reporter]
    fitting = {"epochs": setting.get("epochs", 1), "callbacks": watchers, "verbose": 0}
    logs = vae.fit(images, validation_data=held_out, **fitting).history
    figures = evaluation.evaluate_elbo(vae, held_out, progress=False)
    latents = evaluation.latent_statistics(vae, held_out, progress=False)
    figures["active_units"] = latents["active_units"]
    figures |= evaluation.reconstruction_error(vae, held_out, progress=False)
    figures |= {"train_loss": logs["loss"][-1], "train_elbo": logs["elbo"][-1]}
    figures["steps"] = int(vae.optimizer.iterations)
    figures |= sweep.measure(vae, setting)
    if sweep.save_models:
        (folder / "models").mkdir(exist_ok=True)
        vae.save(folder / "models" / f"{sweep.name(trial)}.keras")
    # Beta is a parameter already, and the logs have it in float32.
    logs = {name: values for name, values in logs.items() if name not in ("beta", "val_beta")}
    latents = {name: latents[name] for name in ("kl_per_dimension", "variance_of_means")}
    return {"results": figures, "epochs": logs, "latents": latents}


# All settings ------------------------------------------------------------------------------


def lock(path: Path, wait: bool = True):
    """Locks a file until what is returned is closed, or the process has ended in whatever way.

    Returns `None` where another process has it, on whatever machine, and `wait` is `False`.
    """
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def open_study(sweep: Sweep, folder: Path) -> optuna.Study:
    """The study in a folder, new if there is none."""
    # TensorFlow thinks that one process has one model, Optuna 4 that what 5 does by itself is new.
    tf.get_logger().setLevel("ERROR")
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    pruner = optuna.pruners.MedianPruner() if sweep.search else optuna.pruners.NopPruner()
    settings = {"study_name": "sweep", "direction": "maximize", "load_if_exists": True}
    storage = optuna.storages.JournalStorage(backend)
    return optuna.create_study(storage=storage, pruner=pruner, **settings)


def take(study: optuna.Study, sweep: Sweep, folder: Path, failed: list[dict]):
    """The next trial to train and its lock; `None` where all are done or with other processes."""
    with lock(folder / ".lock"):
        for trial in study.get_trials(states=[TrialState.RUNNING]):
            if held := lock(folder / f".trial_{trial.number}.lock", wait=False):
                # Its process has died.
                study.tell(trial.number, state=TrialState.FAIL)
                held.close()
        trials = study.get_trials()
        counted = [trial.params for trial in trials if trial.state != TrialState.FAIL] + failed
        lost = [trial.params for trial in trials if trial.state == TrialState.FAIL]
        for chosen in lost if sweep.search else sweep.combinations():
            # A trial that died before it had all of its parameters is none.
            if chosen not in counted and chosen.keys() == sweep.spaces.keys():
                waiting = {"state": TrialState.WAITING, "distributions": sweep.spaces}
                study.add_trial(optuna.create_trial(params=chosen, **waiting))
                counted.append(chosen)
        if not study.get_trials(states=[TrialState.WAITING]) and len(counted) >= sweep.search:
            return None
        # A process alone repeats the same search; of several, no two draw the same.
        study.sampler = optuna.samplers.TPESampler(seed=len(trials), constant_liar=True)
        trial = study.ask(sweep.spaces)
        return trial, lock(folder / f".trial_{trial.number}.lock")


def work(sweep: Sweep, folder: Path) -> dict[str, str]:
    """Trains until no setting is left, the tables written after each; returns what failed."""
    study, failed, failures = open_study(sweep, folder), [], {}
    while taken := take(study, sweep, folder, failed):
        trial, held = taken
        name, elbo, state = sweep.name(trial), None, TrialState.COMPLETE
        try:
            rows = train(sweep, trial, folder)
            trial.set_user_attr("rows", rows)
            elbo = rows["results"]["elbo"]
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except Exception as error:
            traceback.print_exc()
            state, failures[name] = TrialState.FAIL, f"{type(error).__name__}: {error}"
            failed.append(trial.params)
        with lock(folder / ".lock"), held:
            study.tell(trial, elbo, state)
            Path(held.name).unlink()
            write_tables(study, sweep, folder)
        print(f"{name}: {state.name.lower()}", f"elbo {elbo:.2f}" if elbo else "", flush=True)
    return failures


def start_workers(count: int) -> dict[str, str]:
    """Starts the same command several times, and waits; returns what failed."""
    command = [sys.executable, *sys.argv, "--workers", "1"]
    # Ctrl-C reaches this process alone, which then stops the others.
    workers = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        statuses = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return {f"worker {i}": f"exit status {status}" for i, status in enumerate(statuses) if status}


def claim(sweep: Sweep, folder: Path):
    """Makes a folder this sweep's own; raises ValueError if it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {library.__name__: library.__version__ for library in (keras_vae, keras, tf)}
    asked = {**vars(sweep), "versions": versions}
    path = folder / "sweep.json"
    with lock(folder / ".lock"):
        if not path.exists():
            write_whole(path, json.dumps(asked, indent=1))
    found = json.loads(path.read_text())
    differ = [f"{key}: {found[key]}, now {asked[key]}" for key in asked if found[key] != asked[key]]
    if differ:
        raise ValueError(
            f"{folder} holds another sweep, of {'; '.join(differ)}. Choose another --output-dir, "
            "or delete that folder."
        )


def write_tables(study: optuna.Study, sweep: Sweep, folder: Path):
    """Writes the tables. No times, no dates: the same settings give the same bytes."""
    tables = {"results": [], "epochs": [], "latents": []}
    for trial in sorted(study.get_trials(states=[TrialState.COMPLETE]), key=sweep.name):
        setting, rows = sweep.setting(trial.params), trial.user_attrs["rows"]
        varied = {key: setting[key] for key in sweep.spaces}
        tables["results"].append({**varied, **setting, **rows["results"]})
        for table, counter, first in (("epochs", "epoch", 1), ("latents", "latent", 0)):
            for index, row in enumerate(zip(*rows[table].values(), strict=True), first):
                columns = dict(zip(rows[table], row, strict=True))
                tables[table].append({**varied, counter: index, **columns})
    for table, rows in tables.items():
        text = io.StringIO()
        lines = [rows[0].keys(), *([cell(v) for v in row.values()] for row in rows)] if rows else []
        csv.writer(text, lineterminator="\n").writerows(lines)
        write_whole(folder / f"{table}.csv", text.getvalue())


def cell(value) -> str:
    """A value as it stands in a table or a name: words as they are, nothing for nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).removesuffix(".0")


# The command line --------------------------------------------------------------------------


def boolean(text: str) -> bool:
    """`true` or `false`."""
    return ["false", "true"].index(text.lower()) == 1


def sizes(text: str) -> str:
    """Integers between commas, as JSON: Optuna chooses from no lists."""
    return json.dumps([int(size) for size in text.split(",")] if text else [])


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    parser = _parser()
    run(Sweep, parser, vars(parser.parse_args()))


def run(kind: type[Sweep], parser: argparse.ArgumentParser, options: dict) -> Sweep:
    """Does what the options say, or ends the program with one line that says why not."""
    folder, workers = options["output_dir"], options["workers"]
    given = {name: options[name] for name in kind.parameters if options[name]}
    varied = {name: values for name, values in given.items() if len(values) > 1}
    fixed = {name: values[0] for name, values in given.items() if len(values) == 1}
    sweep = kind(varied, fixed, options["search"], options["save_models"])
    try:
        arguments.count("search", sweep.search, least=0)
        arguments.count("workers", workers)
        check_writable(folder)
        check(sweep)
        claim(sweep, folder)
        failures = work(sweep, folder) if workers == 1 else start_workers(workers)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(
            130, "\nStopped. The same command goes on with the settings that are missing.\n"
        )
    print(f"The tables are in {folder}/")
    finished = open_study(sweep, folder).get_trials(states=[TrialState.COMPLETE])
    if sweep.search and finished:
        print(f"The best setting: {sweep.name(max(finished, key=lambda trial: trial.value))}")
    if failures:
        lines = "".join(f"  {name}: {reason}\n" for name, reason in failures.items())
        parser.exit(1, f"What failed the same command tries again:\n{lines}")
    return sweep


def _parser():
    parser = parser_of(Sweep, __doc__, "runs/sweep")
    add = parser.add_argument
    add("--search", type=int, default=0, metavar="N", help="try N settings (every combination)")
    add("--save-models", action="store_true", help="keep every setting's model")
    return parser


def parser_of(kind: type[Sweep], doc: str, folder: str) -> argparse.ArgumentParser:
    """Options for every parameter, for the workers and for the output folder."""
    summary, _, details = doc.partition("\n\n")
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=form)
    add = parser.add_argument
    kinds = {"hidden_sizes": sizes, "filters": sizes, "binarize": str, "jit_compile": boolean}
    for name, default in kind.parameters.items():
        values = {"type": kinds.get(name, type(default)), "nargs": "+", "action": "extend"}
        shown = json.dumps(default).strip('"')
        if kinds.get(name) is sizes:
            shown = shown.strip("[]").replace(" ", "")
        text = f"{kind.meanings[name]} ({shown})"
        add(f"--{name.replace('_', '-')}", metavar="VALUE", help=text, **values)
    add("--workers", type=int, default=1, help="processes at work (1: this one)")
    add("--output-dir", type=Path, default=Path(folder), help=f"folder ({folder})")
    return parser


if __name__ == "__main__":
    main()
