"""What `import keras_vae` costs beyond the libraries that it stands on.

    python benchmarks/import_time.py [--rounds 5]

Imports tensorflow, keras, tensorflow_probability and keras_vae in this order, each round in a fresh
process, and prints the median time that each adds; then keras_vae alone, in a process of its own,
which imports the same libraries with Python's garbage collector at rest; and checks that keras_vae
imports nothing that only some uses need (TensorFlow itself imports pandas and matplotlib where they
are installed).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

LIBRARIES = ("tensorflow", "keras", "tensorflow_probability", "keras_vae")
LATER = ("tensorflow_datasets", "matplotlib.pyplot", "matplotlib.figure", "tensorboard", "pandas")
PROGRAM = """
import importlib, json, sys, time
taken = []
for name in {libraries}:
    before = set(sys.modules)
    start = time.perf_counter()
    importlib.import_module(name)
    if name == "tensorflow_probability":
        # It loads itself when it is first used, and the package uses its distributions.
        sys.modules[name].distributions
    taken.append(time.perf_counter() - start)
print(json.dumps([taken, [name for name in {later} if name in set(sys.modules) - before]]))
"""


def main():
    """Prints the table; exits with 1 if something was imported too early."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes (5)")
    options = parser.parse_args()
    rounds, alone, early = [], [], set()
    for number in range(options.rounds + 1):
        taken, imported = imports(LIBRARIES)
        (taken_alone,), _ = imports(["keras_vae"])
        early.update(imported)
        if number:  # The first fills the disk cache.
            rounds.append(taken)
            alone.append(taken_alone)
    print(f"{'':26}median s    from      to")
    for name, seconds in zip(LIBRARIES, zip(*rounds, strict=True), strict=True):
        print(f"{name:26}{statistics.median(seconds):8.2f}{min(seconds):8.2f}{max(seconds):8.2f}")
    name = "keras_vae alone"
    print(f"{name:26}{statistics.median(alone):8.2f}{min(alone):8.2f}{max(alone):8.2f}")
    libraries = [sum(taken[:-1]) for taken in rounds]
    tell("all four", [sum(taken) for taken in rounds], libraries)
    tell(name, alone, libraries)
    print("imported by keras_vae too early:", ", ".join(sorted(early)) or "nothing")
    sys.exit(bool(early))


def imports(names):
    """Seconds that each import takes, in that order in a fresh process, and what came too early."""
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(libraries=tuple(names), later=LATER)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def tell(name, taken, libraries):
    """Prints what imports took beside the first three of the same round."""
    ratios = [own / theirs for own, theirs in zip(taken, libraries, strict=True)]
    print(
        f"{name} over the first three: {statistics.median(ratios):.3f} "
        f"(from {min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
