"""Seconds from the start of a process to the end of its first training step, beside other ways.

    python benchmarks/first_step.py [--rounds 5] [--rivals ours_as_it_comes,stock_fit,...]

Every rival of `benchmarks/rivals.py` starts anew in every round, in turn: imports, building,
tracing, compiling and one step of the MLP of `examples/mnist.py`; then the convolutional network of
keras.io. `ours_cached` has XLA keep what it compiles in a folder, by the environment variable
TF_XLA_FLAGS=--tf_xla_persistent_cache_directory=FOLDER, which the first round fills. That round
counts as cold, where the system's cache may hold none of the libraries either; the table has it
apart, and the medians of the others with their spread. Prints what each took to the end of its
imports, of step 1 and of step 64, and the ratio to the stock Keras model of the same round.
`pip install -e '.[benchmark]'` brings PyTorch and JAX; a rival whose library is not installed is
left out.
"""

import argparse
import csv
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIBRARIES = {
    "ours_as_it_comes": "keras_vae",
    "ours_cached": "keras_vae",
    "stock_fit": "keras",
    "graph": "keras",
    "jax": "jax",
    "pytorch": "torch",
    "conv_ours": "keras_vae",
    "conv_stock": "keras",
    "conv_pytorch": "torch",
}
STOCK = {"ours_as_it_comes": "stock_fit", "ours_cached": "stock_fit", "conv_ours": "conv_stock"}

PROGRAM = """
import importlib, json, sys, time
began, name, library = float(sys.argv[1]), *sys.argv[2:]
importlib.import_module(library)
imported = time.time() - began
import numpy as np, rivals, convolutional_rivals as convolutional
if name.startswith("conv_"):
    sizes = convolutional.NETWORKS["keras_io"]
    train = convolutional.RIVALS.get(name, convolutional.stock_fit)
else:
    sizes, train = rivals.Sizes(), rivals.RIVALS[name]
images = np.random.default_rng(0).random((64 * sizes.batch, sizes.pixels), dtype=np.float32)
run = train(images, sizes)
run(1)
first = time.time() - began
run(63)
print(json.dumps([imported, first, time.time() - began]))
"""


def main():
    """Prints the table, and writes first_step.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="runs of each, but for the cold one (5)")
    add("--rivals", default=",".join(LIBRARIES), help=f"out of {', '.join(LIBRARIES)} (all)")
    add("--output-dir", type=Path, default=Path("runs/first_step"), help="folder (runs/first_step)")
    options = parser.parse_args()
    names = options.rivals.split(",")
    if set(names) - set(LIBRARIES):
        parser.error(f"unknown rival; known are {', '.join(LIBRARIES)}")
    names = [name for name in names if importlib.util.find_spec(LIBRARIES[name])]
    taken = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as cache:
        for number in range(options.rounds + 1):
            for name in names:
                taken[name].append(start(name, cache))
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    print(f"{'':18} imports   step 1    from      to   step 64   cold   to stock Keras")
    rows = []
    for name, (cold, *warm) in taken.items():
        imported, first, last = (statistics.median(times) for times in zip(*warm, strict=True))
        low, high = (choose(times[1] for times in warm) for choose in (min, max))
        ratio, compared = None, ""
        if STOCK.get(name) in taken:
            # Of the same round, so that what else the machine did then cancels out.
            pairs = zip(warm, taken[STOCK[name]][1:], strict=True)
            ratio = statistics.median(own[1] / stock[1] for own, stock in pairs)
            compared = f"{ratio:.2f} x"
        print(
            f"{name:18} {imported:7.2f} {first:8.2f} {low:7.2f} {high:7.2f} {last:9.2f} "
            f"{cold[1]:6.1f}   {compared}"
        )
        rows.append(
            {
                "rival": name,
                "imports": imported,
                "step_1": first,
                "least": low,
                "most": high,
                "step_64": last,
                "cold": cold[1],
                "to_stock": ratio,
            }
        )
    options.output_dir.mkdir(parents=True, exist_ok=True)
    with (options.output_dir / "first_step.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)


def start(name, cache):
    """Seconds to the end of the imports, of step 1 and of step 64 of a fresh process."""
    here = str(Path(__file__).parent)
    library, cached = LIBRARIES[name], {}
    if name == "ours_cached":
        name = "ours_as_it_comes"
        cached = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={cache}"}
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(time.time()), name, library],
        env={
            **os.environ,
            **cached,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise RuntimeError(f"{name} failed:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
