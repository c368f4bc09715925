"""A million rows by ten columns: an epoch's seconds, and the memory that it takes.

    python benchmarks/million_rows.py [--rows 1000000] [--rounds 3]

The columns are four numbers, two positive ones, two counts and two of classes. `TableVAE.fit` takes
the frame; beside it PyTorch, as it is written by hand, trains the same layers on the same encoded
rows with the same likelihoods. Every run is a process of its own, so that its memory is its own;
ours and theirs alternate, and medians are printed. The first epoch compiles and is told apart.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import numpy as np

BATCH, LATENT, HIDDEN, RATE, CLASSES = 1024, 5, (64, 32), 1e-3, (3, 6)


def make_frame(rows):
    """Columns that depend on two factors."""
    import pandas as pd

    random = np.random.default_rng(0)
    factors = random.normal(size=(rows, 2))
    columns = {}
    for name in "abcd":
        columns[name] = factors @ random.normal(size=2) + 0.3 * random.normal(size=rows)
    for name in ("income", "price"):
        logs = factors @ random.normal(size=2)
        columns[name] = np.exp(3 + 0.5 * logs + 0.3 * random.normal(size=rows))
    for name in ("visits", "clicks"):
        columns[name] = random.poisson(np.exp(1 + 0.6 * factors @ random.normal(size=2)))
    for name, count in zip(("colour", "city"), CLASSES, strict=True):
        logits = factors @ random.normal(size=(2, count)) + random.gumbel(size=(rows, count))
        columns[name] = np.array([f"{name} {k}" for k in range(count)])[logits.argmax(axis=1)]
    return pd.DataFrame(columns)


def ours(frame, epochs):
    """Seconds to encode the frame, and of each epoch's `fit`."""
    from keras_vae.tables import Table, TableVAE

    import keras

    began = time.perf_counter()
    table = Table.infer(frame, verbose=False)
    inferred = time.perf_counter()
    table.encode(frame)
    encoded = time.perf_counter()
    vae = TableVAE(table, LATENT, HIDDEN, seed=0)
    vae.compile(keras.optimizers.Adam(RATE))
    epochs_clock = clock()
    vae.fit(frame, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[epochs_clock])
    return {
        "infer": inferred - began,
        "encode": encoded - inferred,
        "fit": time.perf_counter() - encoded,
        "epochs": epochs_clock.seconds,
        "kinds": [column.kind for column in table.columns],
    }


def clock():
    """A callback that keeps the seconds of epochs, and looks at nothing else."""
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds = []

        def on_epoch_begin(self, epoch, logs=None):
            self._began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self._began)

    return Clock()


def by_hand(frame, epochs):
    """PyTorch: the rows are encoded, as ours are, before the clock starts."""
    from keras_vae.tables import Table

    import torch
    from torch import nn
    from torch.nn import functional

    table = Table.infer(frame, verbose=False)
    rows = torch.from_numpy(table.encode(frame))
    kind_of = dict(zip(table.groups, [column.kind for column in table.columns], strict=True))
    likelihood = table.likelihood()
    # Columns alike stand side by side, all first parameters before all second ones.
    groups = [
        (kind_of[likelihood.names[name][0]], place) for name, place in likelihood.columns.items()
    ]
    is_count = torch.zeros(table.width, dtype=torch.bool)
    is_count[table.count_columns()] = True
    means, variances = map(torch.from_numpy, table.encoder_moments())

    def mlp(inputs, sizes, outputs):
        layers = []
        for size in sizes:
            layers += [nn.Linear(inputs, size), nn.ReLU()]
            inputs = size
        return nn.Sequential(*layers, nn.Linear(inputs, outputs))

    encoder = mlp(table.width, HIDDEN, 2 * LATENT)
    decoder = mlp(LATENT, HIDDEN[::-1], len(table.first_parameters()))
    with torch.no_grad():
        decoder[-1].bias.copy_(torch.from_numpy(table.first_parameters()))
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)

    def log_prob(x, parameters):
        total, at = 0.0, 0
        for kind, place in groups:
            own = x[:, place[0] : place[-1] + 1]
            size = len(place) * (1 if kind == "category" else 2)
            part = parameters[:, at : at + size]
            at += size
            if kind == "category":
                total = total + (own * functional.log_softmax(part, -1)).sum(-1)
                continue
            first, second = part.chunk(2, -1)
            second = functional.softplus(second)
            if kind == "count":
                logits = first.clamp(-20, 20) - second.log()
                each = torch.distributions.NegativeBinomial(second, logits=logits)
            elif kind == "number":
                each = torch.distributions.StudentT(4.0, first, second)
            else:
                each = torch.distributions.Normal(first, second)
            total = total + each.log_prob(own).sum(-1)
        return total

    torch.distributions.Distribution.set_default_validate_args(False)
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), BATCH):
            x = rows[order[start : start + BATCH]]
            seen = torch.where(is_count, torch.log1p(x.clamp(min=0)), x)
            seen = (seen - means) / variances.sqrt()
            loc, log_variance = encoder(seen).chunk(2, -1)
            scale = (0.5 * log_variance).exp()
            parameters = decoder(loc + scale * torch.randn_like(loc))
            kl = 0.5 * (loc**2 + scale**2 - 1 - log_variance).sum(-1)
            loss = (kl - log_prob(x, parameters)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        float(loss)
        seconds.append(time.perf_counter() - began)
    return {"epochs": seconds}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the frame (1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--epochs", type=int, default=2, help="of a run, after the first (2)")
    parser.add_argument("--only", choices=("ours", "by_hand"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        frame = make_frame(options.rows)
        before = peak_memory()
        result = globals()[options.only](frame, options.epochs + 1)
        print(json.dumps({**result, "memory": peak_memory(), "before": before}))
        return
    results = {"ours": [], "by_hand": []}
    for _ in range(options.rounds):
        for name, own in results.items():
            command = [sys.executable, __file__, "--only", name, "--rows", str(options.rows)]
            command += ["--epochs", str(options.epochs)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            own.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{options.rows:,} rows, kinds {results['ours'][0]['kinds']}, batches of {BATCH}")
    print(f"{'':20} epoch (s)   from     to   first epoch (s)   peak memory (MB)   with data (MB)")
    for name, title in (("ours", "keras_vae, TableVAE"), ("by_hand", "PyTorch, by hand")):
        seconds = [value for run in results[name] for value in run["epochs"][1:]]
        first = statistics.median(run["epochs"][0] for run in results[name])
        memory = statistics.median(run["memory"] for run in results[name])
        before = statistics.median(run["before"] for run in results[name])
        spread = f"{min(seconds):6.2f} {max(seconds):6.2f}"
        median = statistics.median(seconds)
        print(f"{title:20} {median:9.2f} {spread} {first:17.2f} {memory:18.0f} {before:16.0f}")
    for name in ("infer", "encode"):
        median = statistics.median(run[name] for run in results["ours"])
        print(f"`Table.{name}` of the frame: {median:.2f} s")


def peak_memory():
    """Of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
