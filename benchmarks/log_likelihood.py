"""Speed and peak memory of the log-likelihood estimator, beside the same one in plain PyTorch.

    python benchmarks/log_likelihood.py [--images 1000] [--num-samples 1000] [--rounds 3]
    python benchmarks/log_likelihood.py --images 10000 --num-samples 5000 --rounds 1 --no-pytorch

Estimates log p(x) of a trained model's test images from importance samples, with
`keras_vae.evaluation.log_likelihood` and with the PyTorch below, which is given the same images and
the same weights but draws its own samples. The two take turns, each time in a fresh process that
holds one framework, so that memory is the framework's own. Seconds are those of the estimate, with
the tracing of ours and without imports. Prints each run, then medians and the ratio of each round.

The model is an MLP VAE with a Bernoulli likelihood. Without PyTorch only ours is measured. On a
machine that others use too, pass `--threads 1` and compare processor time: with more, PyTorch's
threads spin while they wait for those that were interrupted.
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import numpy as np

# What PyTorch decodes at once, as ours does.
BATCH, ROWS = 64, 4096


def ours(folder: Path, num_samples: int) -> dict:
    """The estimate by `keras_vae`."""
    import keras_vae

    vae = keras_vae.VAE.from_preset((folder / "preset.txt").read_text())
    images = np.load(folder / "images.npy")
    return timed(
        lambda: keras_vae.evaluation.log_likelihood(vae, images, num_samples, progress=True)
    )


def pytorch(folder: Path, num_samples: int) -> dict:
    """The same estimate in PyTorch, from exported weights."""
    import torch

    networks = json.loads((folder / "networks.json").read_text())
    weights = {k: torch.from_numpy(v) for k, v in np.load(folder / "weights.npz").items()}
    images = torch.from_numpy(np.load(folder / "images.npy")).flatten(1)
    activations = {"linear": lambda x: x, "relu": torch.relu, "tanh": torch.tanh}
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    scales = {
        "softplus": torch.nn.functional.softplus,
        "square": torch.square,
        "exp": lambda a: a.clamp(-10, 10).exp(),
        "log_variance": lambda a: (a / 2).clamp(-10, 10).exp(),
    }

    def dense(x, layer):
        kernel, bias = weights[f"{layer['name']}/0"], weights[f"{layer['name']}/1"]
        return activations[layer["activation"]](torch.addmm(bias, x, kernel))

    def run(x, layers):
        for layer in layers:
            x = dense(x, layer)
        return x

    def estimate(x):
        features = run(x, networks["encoder"])
        scale = scales[networks["scale"]](dense(features, networks["raw_scale"]))
        posterior = torch.distributions.Normal(
            dense(features, networks["loc"]), scale + networks["minimum_scale"]
        )
        prior = torch.distributions.Normal(0.0, 1.0)
        parts = []
        for start in range(0, num_samples, ROWS // BATCH):
            z = posterior.sample((min(ROWS // BATCH, num_samples - start),))
            logits = run(z.flatten(0, 1), networks["decoder"]).unflatten(0, z.shape[:2])
            # A third of the time of `x * logits - softplus(logits)`, which is two passes more.
            log_prob = -cross_entropy(logits, x.expand_as(logits), reduction="none").sum(-1)
            ratio = (prior.log_prob(z) - posterior.log_prob(z)).sum(-1)
            parts.append(torch.logsumexp(log_prob + ratio, 0))
        return torch.logsumexp(torch.stack(parts), 0) - math.log(num_samples)

    def log_likelihood():
        with torch.inference_mode():
            values = torch.cat([estimate(batch) for batch in images.split(BATCH)]).double()
        return {
            "nll": -float(values.mean()),
            "log_likelihood_standard_error": float(values.std(correction=0)) / len(values) ** 0.5,
        }

    torch.manual_seed(0)
    return timed(log_likelihood)


KINDS = {"keras_vae": ours, "PyTorch": pytorch}


def timed(function) -> dict:
    """What a function returns, and the seconds and the memory that it took."""
    resident = memory("VmRSS")
    start = time.perf_counter(), time.process_time()
    result = function()
    return {
        "seconds": time.perf_counter() - start[0],
        "processor_seconds": time.process_time() - start[1],
        "nll": result["nll"],
        "error": result["log_likelihood_standard_error"],
        "resident": resident,
        "peak": memory("VmHWM"),
    }


def memory(entry: str) -> float:
    """This process's megabytes, now (`VmRSS`) or at most (`VmHWM`); NaN where Linux is not.

    `resource.getrusage` would begin with the peak of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return math.nan
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) / 1024


def export(folder: Path, preset: str, dataset: str | None, num_images: int) -> int:
    """Writes images and weights as both kinds read them; returns the number of images.

    Raises:
        ValueError: If the preset is unknown, or is no MLP with a Bernoulli likelihood.
        DatasetUnavailableError: If there are no such images on this machine.
    """
    import keras_vae

    import keras

    vae = keras_vae.VAE.from_preset(preset)
    evaluated = {"dataset": None, "split": "test", "binarize": None}
    evaluated |= keras_vae.presets.card(preset).get("evaluation", {})
    kinds = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)
    kinds += (keras.layers.Dense, keras_vae.networks.PositiveScale)
    every_layer = [*vae.encoder.layers, *vae.decoder.layers]
    if not isinstance(vae.likelihood, keras_vae.distributions.Bernoulli) or not all(
        isinstance(layer, kinds) for layer in every_layer
    ):
        raise ValueError(f"{preset} is not an MLP with a Bernoulli likelihood.")

    weights = {}

    def dense_layers(network):
        found = {}
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dense):
                name = f"{network.name}/{layer.name}"
                weights.update({f"{name}/{i}": w for i, w in enumerate(layer.get_weights())})
                found[layer.name] = {"name": name, "activation": layer.activation.__name__}
        return found

    encoder, decoder = dense_layers(vae.encoder), dense_layers(vae.decoder)
    scale = vae.encoder.get_layer("scale")
    networks = {
        "loc": encoder.pop("loc"),
        "raw_scale": encoder.pop("raw_scale"),
        "encoder": list(encoder.values()),
        "decoder": list(decoder.values()),
        "scale": scale.parameterization,
        "minimum_scale": scale.minimum,
    }
    batches = keras_vae.datasets.load(
        dataset or evaluated["dataset"],
        evaluated["split"],
        batch_size=1000,
        binarize=evaluated["binarize"],
        shuffle=False,
    )
    images = np.concatenate([batch.numpy() for batch in batches])[:num_images]
    np.save(folder / "images.npy", images)
    np.savez(folder / "weights.npz", **weights)
    (folder / "networks.json").write_text(json.dumps(networks))
    (folder / "preset.txt").write_text(preset)
    return len(images)


def main():
    """Exports, measures by turns and prints what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--preset", default="binarized_mnist_mlp", help="which model (binarized_mnist_mlp)")
    add("--dataset", help="another data set than the preset's, such as typeset_digits")
    add("--images", type=int, default=1000, help="test images (1000; there are 10000)")
    add("--num-samples", type=int, default=1000, help="an image (1000)")
    add("--rounds", type=int, default=3, help="runs of each kind (3)")
    add("--threads", type=int, help="of each kind (what each takes by itself)")
    add("--no-pytorch", action="store_true", help="measure ours alone")
    add("--worker", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        kind, folder = options.worker
        result = KINDS[kind](Path(folder), options.num_samples)
        (Path(folder) / "result.json").write_text(json.dumps(result))
        return
    if min(options.images, options.num_samples, options.rounds, options.threads or 1) < 1:
        parser.error("--images, --num-samples, --rounds and --threads must be at least 1")

    kinds = list(KINDS)
    if options.no_pytorch or importlib.util.find_spec("torch") is None:
        kinds.remove("PyTorch")
        if not options.no_pytorch:
            print("PyTorch is not installed (`pip install torch`): only keras_vae is measured.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            count = export(Path(folder), options.preset, options.dataset, options.images)
        except (ValueError, RuntimeError) as error:
            parser.exit(2, f"{parser.prog}: error: {error}\n")
        print(f"{options.preset}, {count} images, {options.num_samples} samples each:", flush=True)
        runs = {kind: [] for kind in kinds}
        for round_number in range(options.rounds):
            # Turn about, so that neither kind always runs first.
            for kind in kinds[:: -1 if round_number % 2 else 1]:
                run = in_a_fresh_process(kind, folder, options.num_samples, options.threads)
                runs[kind].append(run)
                print(
                    f"round {round_number + 1} {kind:>9}: {run['seconds']:7.2f} s, of processors "
                    f"{run['processor_seconds']:7.2f} s, NLL {run['nll']:.3f} +- "
                    f"{run['error']:.3f}, {run['resident']:.0f} MB before, "
                    f"{run['peak']:.0f} MB at most",
                    flush=True,
                )
    report(runs)


def in_a_fresh_process(kind: str, folder: str, num_samples: int, threads: int | None) -> dict:
    """What one kind's function returns; its progress bar is seen."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = os.environ | (dict.fromkeys(names, str(threads)) if threads else {})
    command = [sys.executable, __file__, "--worker", kind, folder]
    command += ["--num-samples", str(num_samples)]
    subprocess.run(command, env=environment, check=True)
    return json.loads((Path(folder) / "result.json").read_text())


def report(runs: dict):
    """Prints medians, spread and ratios."""
    for kind, results in runs.items():
        seconds = [result["seconds"] for result in results]
        grown = [result["peak"] - result["resident"] for result in results]
        print(
            f"{kind}: median {statistics.median(seconds):.2f} s, from {min(seconds):.2f} to "
            f"{max(seconds):.2f} s; peak {max(result['peak'] for result in results):.0f} MB, of "
            f"which {max(grown):.0f} MB came with the estimate"
        )
    if len(runs) < 2:
        return
    for what in ("seconds", "processor_seconds"):
        pairs = zip(runs["keras_vae"], runs["PyTorch"], strict=True)
        ratios = [one[what] / other[what] for one, other in pairs]
        print(
            f"{what.replace('_', ' ')}, keras_vae / PyTorch: {statistics.median(ratios):.2f}, the "
            f"median of the rounds' ratios (from {min(ratios):.2f} to {max(ratios):.2f})"
        )
    one, other = runs["keras_vae"][0], runs["PyTorch"][0]
    print(
        f"NLL, keras_vae - PyTorch: {one['nll'] - other['nll']:+.4f} nats; the standard error over "
        f"the images is {one['error']:.4f}"
    )


if __name__ == "__main__":
    main()
