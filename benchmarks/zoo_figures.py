"""Measures the trained models anew and compares the figures with those on their cards.

    python benchmarks/zoo_figures.py [NAME ...] [--num-samples 100]

Runs `examples/evaluate.py` on the data of each card, each model in a fresh process. A figure is off
if it differs from the card's by more than the card's standard error; where it has none, counts must
be the same, nats of single latents within 0.001 and standard errors within 5%. The exit status is 1
if any figure is off. With another number of samples than the card's the log-likelihood is another
bound, which is shown and not judged.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import presets

EVALUATE = Path(__file__).parents[1] / "examples" / "evaluate.py"


def measure(name: str, num_samples: int | None = None) -> dict:
    """What `examples/evaluate.py` prints of a preset.

    Raises:
        RuntimeError: If it fails; with its last line.
    """
    command = [sys.executable, str(EVALUATE), name, "--json", "--quiet"]
    if num_samples is not None:
        command += ["--num-samples", str(num_samples)]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError((finished.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(finished.stdout)


def compare(expected: dict, measured: dict) -> list[tuple]:
    """One row `(figure, expected, measured, difference, verdict)` for each figure of a card."""
    other_bound = expected.get("num_samples") != measured.get("num_samples")
    rows = []
    for figure, value in expected.items():
        found = measured.get(figure)
        if other_bound and figure.startswith(("log_likelihood", "nll", "num_samples")):
            rows.append((figure, value, found, "", "not judged"))
        elif found is None:
            rows.append((figure, value, found, "", "MISSING"))
        else:
            difference, fits = _difference(figure, value, found, expected)
            rows.append((figure, value, found, difference, "" if fits else "OFF"))
    return rows


def _difference(figure, value, found, expected):
    """How a figure differs, in words, and whether it may."""
    error = expected.get(f"{'log_likelihood' if figure == 'nll' else figure}_standard_error")
    if error is not None:
        away = (found - value) / error if error else math.copysign(math.inf, found - value)
        return f"{away:+.3f} SE", found == value or abs(away) <= 1
    if isinstance(value, list):
        if len(value) != len(found):
            return f"{len(value)} and {len(found)} entries", False
        furthest = max(abs(b - a) for a, b in zip(value, found, strict=True))
        return f"{furthest:.4f} at most", furthest <= 1e-3
    if figure.endswith("_standard_error"):
        return f"{found / value - 1:+.2%}" if value else "", abs(found - value) <= 0.05 * abs(value)
    return f"{found - value:+g}", found == value


def _shown(value):
    if isinstance(value, list):
        return f"{len(value)}, sum {sum(value):.4f}"
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)


def main() -> int:
    """Measures, prints a table for each model, and counts what is off."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets (all VAEs among them)")
    parser.add_argument(
        "--num-samples", type=int, help="of the log-likelihood; 0 leaves it out (the card's)"
    )
    options = parser.parse_args()
    known = presets.names(keras_vae.VAE)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {known}")
    names, failed = options.names or known, []
    for name in names:
        began = time.perf_counter()
        try:
            rows = compare(presets.card(name)["figures"], measure(name, options.num_samples))
        except RuntimeError as error:
            print(f"{name}: {error}\n", flush=True)
            failed.append(name)
            continue
        print(f"{name}, {time.perf_counter() - began:.0f} s:")
        for figure, value, found, difference, verdict in rows:
            print(
                f"  {figure:34} {_shown(value):>18} {_shown(found):>18} "
                f"{difference:>16} {verdict}".rstrip()
            )
        print(flush=True)
        if any(row[-1] in ("OFF", "MISSING") for row in rows):
            failed.append(name)
    good = len(names) - len(failed)
    print(f"{good} of {len(names)} models have the figures of their cards.", end=" ")
    print(f"Off: {', '.join(failed)}" if failed else "")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
