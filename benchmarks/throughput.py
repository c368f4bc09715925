"""How many training steps a second: `model.fit` of this package beside other ways to write it.

    python benchmarks/throughput.py [--rounds 5] [--rivals ours,pytorch,...]

Every rival of `benchmarks/rivals.py` runs in a process of its own that stays alive; they train in
turn, never two at once, and each round begins with another one. Data are random images of MNIST's
size, held in memory. A first run compiles and does not count; its time is the time to the first
step. Prints medians over the rounds with their spread, and writes throughput.csv and
throughput.png. `pip install -e '.[benchmark]'` brings PyTorch and JAX; a rival whose library is not
installed is left out.

Further tables, instead of that of the rivals:

    --batch-sizes 64,256,1024     images a second of `ours` against the batch size
    --hidden-sizes 100,400,1600   time a step of `ours` and the floor against the layers' width
    --image-sizes 28,56,112       the same against the images' side
    --networks keras_io,burgess   convolutional networks, beside PyTorch in both memory formats;
                                  residual_64_grey and so on are residual ones
"""

import argparse
import csv
import dataclasses
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # For rivals of TensorFlow that are not ours.

import convolutional_rivals
import loop_variants
import residual_rivals
import rivals

import numpy as np

BY_NAME = rivals.RIVALS | loop_variants.RIVALS
ALL = BY_NAME | convolutional_rivals.RIVALS | residual_rivals.RIVALS
NETWORKS = convolutional_rivals.NETWORKS | residual_rivals.NETWORKS
LIBRARIES = {
    "pytorch": "torch",
    "conv_pytorch": "torch",
    "conv_pytorch_channels_last": "torch",
    "residual_pytorch": "torch",
    "residual_pytorch_channels_last": "torch",
    "jax": "jax",
    "jax_scan": "jax",
}
NAMES = {
    "eager": "eager TensorFlow, by hand",
    "graph": "TensorFlow, tf.function",
    "graph_xla": "TensorFlow, tf.function with XLA",
    "stock_fit": "Keras train_step, as in tutorials",
    "pytorch": "PyTorch, by hand",
    "jax": "JAX, by hand, one jitted step",
    "jax_scan": "JAX, by hand, a scan over 64 steps",
    "ours_step_by_step": "keras_vae, steps_per_execution=1",
    "ours_looked_at": "keras_vae, a batch hook of the user's",
    "ours_as_it_comes": "keras_vae, no argument for speed",
    "ours": "keras_vae, steps_per_execution=64",
    "bare_xla_loop": "one XLA loop, nothing logged",
    "floor": "the matrix products alone",
}
SLOW = {"eager": 8}  # Takes that many times fewer steps a round.


def main():
    """Parses the command line and prints the tables asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="runs of each rival (5)")
    add("--steps", type=int, default=2048, help="training steps a run (2048)")
    add(
        "--rivals",
        default=",".join(rivals.RIVALS),
        help=f"out of {', '.join(BY_NAME)} (all but those of loop_variants.py)",
    )
    add("--batch-sizes", help="numbers, separated by commas")
    add("--hidden-sizes", help="numbers, separated by commas")
    add("--image-sizes", help="numbers, separated by commas")
    add("--networks", help=f"out of {', '.join(NETWORKS)} (none)")
    add("--output-dir", type=Path, default=Path("runs/throughput"), help="folder (runs/throughput)")
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    names = options.rivals.split(",")
    networks = options.networks.split(",") if options.networks else []
    if set(networks) - set(NETWORKS):
        parser.error(f"unknown network; known are {', '.join(NETWORKS)}")
    if set(names) - set(BY_NAME):
        parser.error(f"unknown rival; known are {', '.join(BY_NAME)}")
    sizes = [
        rivals.Sizes(**{field: transform(int(number))})
        for field, numbers, transform in (
            ("batch", options.batch_sizes, int),
            ("hidden", options.hidden_sizes, int),
            ("pixels", options.image_sizes, lambda side: side * side),
        )
        for number in (numbers or "").split(",")
        if number
    ]
    if networks:
        compare_networks(networks, options)
    elif sizes:
        compare_sizes(sizes, options)
    else:
        compare_rivals(names, options)


def compare_rivals(names, options):
    """The main table: every rival at the sizes of `examples/mnist.py`."""
    runs = measure([(name, rivals.Sizes()) for name in names], options)
    rates = {name: [1 / seconds for seconds in run.seconds] for (name, _), run in runs.items()}
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ours = medians.get("ours_as_it_comes")
    print(f"\n{'':25} steps/s   from     to   first s   memory MiB   ours_as_it_comes is")
    rows = []
    for (name, _), run in runs.items():
        # Of the same round, so that what else the machine did then cancels out.
        own = rates.get("ours_as_it_comes", ())
        ratios = [a / b for a, b in zip(own, rates[name], strict=False)]
        row = {
            "rival": name,
            "steps_per_second": medians[name],
            "least": min(rates[name]),
            "most": max(rates[name]),
            "first_call_seconds": run.first,
            "peak_memory_mib": run.memory,
            "ours_by_medians": ours / medians[name] if ours else None,
            "ours_by_rounds": statistics.median(ratios) if ratios else None,
            "ours_by_rounds_least": min(ratios, default=None),
            "ours_by_rounds_most": max(ratios, default=None),
        }
        rows.append(row)
        compared = (
            f"{row['ours_by_medians']:6.2f} x, by rounds {row['ours_by_rounds']:.2f} x "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
            if ratios
            else ""
        )
        print(
            f"{name:25} {medians[name]:7.0f} {row['least']:6.0f} {row['most']:6.0f} "
            f"{run.first:9.1f} {run.memory:12.0f}   {compared}"
        )
    write_csv(options.output_dir / "throughput.csv", rows)
    draw(options.output_dir / "throughput.png", rows)


def compare_sizes(sizes, options):
    """`ours` and the floor at other sizes."""
    names = ["ours", "floor"]
    runs = measure([(name, size) for size in sizes for name in names], options)
    rows = []
    print("\n batch  hidden  pixels   images/s   ms/step   floor ms/step   floor/ours")
    for size in sizes:
        ours, floor = (statistics.median(runs[name, size].seconds) for name in names)
        rows.append(
            {
                **dataclasses.asdict(size),
                "images_per_second": size.batch / ours,
                "milliseconds_per_step": 1000 * ours,
                "floor_milliseconds_per_step": 1000 * floor,
            }
        )
        print(
            f"{size.batch:6} {size.hidden:7} {size.pixels:7} {size.batch / ours:10.0f} "
            f"{1000 * ours:9.3f} {1000 * floor:15.3f} {floor / ours:11.2f}"
        )
    write_csv(options.output_dir / "sizes.csv", rows)


def compare_networks(names, options):
    """`ours` beside PyTorch, of convolutional networks."""
    contestants = [
        (rival, network)
        for network in map(NETWORKS.get, names)
        for rival in module_of(network).RIVALS
    ]
    runs = measure(contestants, options)
    rows = []
    print(f"\n{'network':20}{'rival':31}ms/step    from      to   first s      MiB   ours is")
    for (rival, network), run in runs.items():
        ours = runs[next(iter(module_of(network).RIVALS)), network].seconds
        ratios = [theirs / own for theirs, own in zip(run.seconds, ours, strict=False)]
        low, middle, high = (1000 * f(run.seconds) for f in (min, statistics.median, max))
        rows.append(
            {
                "network": network.name,
                "rival": rival,
                "milliseconds_per_step": middle,
                "least": low,
                "most": high,
                "first_call_seconds": run.first,
                "peak_memory_mib": run.memory,
                "ours_by_rounds": statistics.median(ratios),
            }
        )
        print(
            f"{network.name:20}{rival:30} {middle:7.2f} {low:7.2f} {high:7.2f} {run.first:9.1f} "
            f"{run.memory:8.0f}   {statistics.median(ratios):.2f} x "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )
    write_csv(options.output_dir / "convolutions.csv", rows)


def module_of(network):
    """Where the rivals that train it are."""
    return residual_rivals if network.name in residual_rivals.NETWORKS else convolutional_rivals


@dataclasses.dataclass
class Runs:
    """What was measured of one rival: seconds a step of every round, and its first call."""

    first: float
    seconds: list
    memory: float = 0.0


def measure(contestants, options) -> dict:
    """Runs every `(rival, sizes)` in turn, `rounds` times; returns `{contestant: Runs}`."""
    context = multiprocessing.get_context("spawn")
    workers, results = {}, {}
    for name, sizes in contestants:
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(name, sizes, there), daemon=True)
        process.start()
        there.close()  # So that a worker that ends is heard of.
        steps = round_length(name, sizes, options.steps)
        first = ask(here, steps)
        if isinstance(first, str):
            print(f"{name} left out: {first}")
            continue
        workers[name, sizes] = here, steps, process
        results[name, sizes] = Runs(first[0], [])
        print(f"{name} is ready after {first[0]:.1f} s", file=sys.stderr, flush=True)
    order = list(workers)
    for number in range(options.rounds):
        for contestant in order[number % len(order) :] + order[: number % len(order)]:
            here, steps, _ = workers[contestant]
            answer = ask(here, steps)
            if isinstance(answer, str):
                sys.exit(f"{contestant[0]} stopped in round {number + 1}: {answer}")
            seconds, memory = answer
            results[contestant].seconds.append(seconds / steps)
            results[contestant].memory = memory
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    for here, _, process in workers.values():
        here.send(0)
        process.join()
    return results


def round_length(name, sizes, steps):
    """Fewer steps where each takes longer, always a multiple of 64."""
    if isinstance(sizes, residual_rivals.Residual):
        return max(8, steps // 128)
    if isinstance(sizes, convolutional_rivals.Convolutions):
        return max(16, steps // 32)
    work = sizes.batch * sizes.hidden * sizes.pixels / (64 * 100 * 784) * SLOW.get(name, 1)
    return max(64, int(steps / work) // 64 * 64)


def ask(connection, steps):
    """Has the worker at the other end train that many steps; returns what it answers."""
    connection.send(steps)
    try:
        return connection.recv()
    except EOFError:
        return "its process ended without an answer"


def serve(name, sizes, connection):
    """Runs one rival as often as it is asked to."""
    import importlib.util
    import resource

    library = LIBRARIES.get(name)
    if library and importlib.util.find_spec(library) is None:
        connection.recv()
        connection.send(f"{library} is not installed")
        return
    random = np.random.default_rng(0)
    # As many as MNIST has, or what 256 MiB hold.
    count = max(sizes.batch, min(70_000, 2**26 // sizes.pixels))
    images = random.random((count, sizes.pixels), dtype=np.float32)
    images[images < 0.8] = 0.0  # As dark as MNIST's.
    steps = connection.recv()
    start = time.perf_counter()
    run = ALL[name](images, sizes)
    run(8 if isinstance(sizes, residual_rivals.Residual) else 64)
    connection.send((time.perf_counter() - start, 0.0))
    run(steps)  # A process is slower at first, whoever trains in it.
    while steps := connection.recv():
        start = time.perf_counter()
        run(steps)
        seconds = time.perf_counter() - start
        connection.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def write_csv(path, rows):
    """One line a row, the first one the names."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)


def draw(path, rows):
    """Bars of the medians with a line from the slowest round to the fastest, from the table's rows.

    Those of a `throughput.csv` will do as well, so that a picture is drawn anew without measuring.
    """
    from keras_vae.drawing import PALETTE  # Here: workers of other libraries do without it.

    from matplotlib.figure import Figure

    rows = sorted(rows, key=lambda row: float(row["steps_per_second"]))
    figure = Figure(figsize=(8, 0.42 * len(rows) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        name = NAMES.get(row["rival"], row["rival"])
        median, least, most = (float(row[key]) for key in ("steps_per_second", "least", "most"))
        color = PALETTE[1] if row["rival"].startswith("ours") else PALETTE[0]
        axes.barh(name, median, color=color, alpha=0.75)
        axes.plot([least, most], [name, name], color="black", linewidth=1.2)
        axes.text(max(median, most), name, f"  {median:.0f}", va="center")
    axes.set_xlabel("training steps a second: the median of the rounds, and from least to most")
    title = "An MLP VAE on images of MNIST's size, batches of 64"
    axes.set_title(title, loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
