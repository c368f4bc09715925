"""Several trainings at once, a process each: what a sweep or a set of seeds gets out of the cores.

    python benchmarks/side_by_side.py [--rounds 5] [--steps 2048]

The MLP of `examples/mnist.py` trains in one process that may use every core; in one that may use
one; and in as many of those as there are cores, side by side. Prints steps a second of all
processes together, medians over alternating rounds with their spread. `examples/sweep.py --workers`
does as the last line does.
"""

import argparse
import multiprocessing
import os
import statistics
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import rivals

import numpy as np


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (5)")
    parser.add_argument("--steps", type=int, default=2048, help="steps of a process a run (2048)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    teams = {
        "one process, all cores": [Trainer(threads=cores)],
        "one process, one thread": [Trainer(threads=1)],
        f"{cores} processes, one thread each": [Trainer(threads=1) for _ in range(cores)],
    }
    rates = {name: [] for name in teams}
    for number in range(options.rounds + 1):
        for name, team in teams.items():
            began = time.perf_counter()
            for trainer in team:
                trainer.begin(options.steps)
            for trainer in team:
                trainer.wait()
            if number:  # The first compiles.
                rates[name].append(len(team) * options.steps / (time.perf_counter() - began))
    alone = statistics.median(rates["one process, one thread"])
    print(f"{'':33} steps/s    from      to   of one thread")
    for name, values in rates.items():
        median = statistics.median(values)
        spread = f"{min(values):7.0f} {max(values):7.0f}"
        print(f"{name:33} {median:7.0f} {spread}   {median / alone:.2f} x")
    for team in teams.values():
        for trainer in team:
            trainer.end()


class Trainer:
    """A process that trains when it is told to."""

    def __init__(self, threads):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, threads), daemon=True)
        self._process.start()

    def begin(self, steps):
        """Begins to train."""
        self._connection.send(steps)

    def wait(self):
        """Waits until it is done."""
        self._connection.recv()

    def end(self):
        """Ends the process."""
        self._connection.send(None)
        self._process.join()


def _serve(connection, threads):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    sizes = rivals.Sizes()
    images = np.random.default_rng(0).random((64 * sizes.batch, sizes.pixels), dtype=np.float32)
    run = rivals.ours_as_it_comes(images, sizes)
    while steps := connection.recv():
        run(steps)
        connection.send("done")


if __name__ == "__main__":
    main()
