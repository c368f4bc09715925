"""Draws and tabulates what the two sweeps of docs/experiments.md came to.

Reads the folders that `examples/sweep.py` left: one over beta with `--save-models`, one over the
number of latents, both over several seeds. Writes pictures, and copies of the sweeps' tables, into
the output folder, and prints every number that the document states, as Markdown. After the ± stands
the standard deviation over the seeds.
"""

import argparse
import csv
import json
import math
import os
import statistics
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import drawing, latent_walks
from keras_vae.drawing.palette import GRID, MUTED
from keras_vae.files import check_writable, write_whole

import keras
import numpy as np
from matplotlib.figure import Figure

TABLES = ("results", "epochs", "latents")
PIXELS = 784
# Of the comparison: test images, rows of samples, traversed latents.
COLUMNS, SAMPLE_ROWS, LATENTS = 6, 3, 3
BLUE, RED = drawing.PALETTE[:2]


class Sweep:
    """What one sweep left: its tables, grouped by the parameter that is varied besides the seed.

    Args:
        folder: Of the sweep.
        parameter: `"beta"` or `"latent_dim"`.

    Raises:
        ValueError: If it is no such sweep, or it is not finished.
    """

    def __init__(self, folder: Path, parameter: str):
        if not (folder / "sweep.json").exists():
            raise ValueError(f"There is no sweep in {folder}. Run examples/sweep.py first.")
        varied = json.loads((folder / "sweep.json").read_text())["varied"]
        if set(varied) - {"seed"} != {parameter}:
            raise ValueError(
                f"Expected a sweep over {parameter} and seed in {folder}. "
                f"Received: one over {', '.join(varied) or 'nothing'}"
            )
        self.folder, self.parameter = folder, parameter
        self.values, self.varied = sorted(varied[parameter]), list(varied)
        self.rows = {name: _rows(folder / f"{name}.csv") for name in TABLES}
        missing = math.prod(map(len, varied.values())) - len(self.rows["results"])
        if missing:
            raise ValueError(f"{missing} points of {folder} are missing. Run its command again.")

    def of(self, value, table: str = "results") -> list[dict]:
        """The rows of one value of the parameter."""
        return [row for row in self.rows[table] if row[self.parameter] == value]

    def figures(self, value, name: str) -> np.ndarray:
        """One figure of every seed."""
        return np.array([row[name] for row in self.of(value)])

    def means(self, name: str) -> np.ndarray:
        """One figure's mean over the seeds, `[values]`."""
        return np.array([self.figures(value, name).mean() for value in self.values])

    def spreads(self, name: str) -> np.ndarray:
        """One figure's standard deviation over the seeds, `[values]`; 0 of a single seed."""
        return np.array([_deviation(self.figures(value, name)) for value in self.values])

    def curves(self, value, name: str) -> np.ndarray:
        """One log by epoch, `[seeds, epochs]`."""
        seeds = {}
        for row in self.of(value, "epochs"):
            seeds.setdefault(row.get("seed"), []).append(row[name])
        return np.array(list(seeds.values()))

    def kl(self, value) -> np.ndarray:
        """KL of each latent in nats, the most used first, mean over seeds, `[latents]`."""
        seeds = {}
        for row in self.of(value, "latents"):
            seeds.setdefault(row.get("seed"), []).append(row["kl_per_dimension"])
        return np.sort(list(seeds.values()), axis=1)[:, ::-1].mean(axis=0)


def _rows(path):
    """A table, its numbers as floats."""

    def number(text):
        try:
            return float(text)
        except ValueError:
            return text

    with path.open(newline="") as file:
        return [{key: number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def _deviation(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


def in_sum_form(row: dict) -> float:
    """The beta of a point as it is under `reduction="sum"`: nats of KL against nats of pixels."""
    factor = PIXELS / row["latent_dim"] if row["reduction"] == "mean" else 1
    return row["beta"] * factor


def last_quarter(curves) -> np.ndarray:
    """What each of some curves, `[seeds, epochs]`, gained over the last quarter of the epochs."""
    return curves[:, -1] - curves[:, -1 - curves.shape[1] // 4]


# Tables ------------------------------------------------------------------------------------


def table(sweep: Sweep) -> str:
    """All values of the parameter and what came of them, as Markdown."""
    beta = sweep.parameter == "beta"
    columns = {
        "elbo": ("ELBO", 2),
        "distortion": ("distortion", 2),
        "rate": ("rate", 2),
        "active_units": ("active units", 1),
        "mean_squared_error": ("squared error a pixel", 4),
    }
    head = ["beta" if beta else "latents", "beta, sum form"]
    head += [words for words, _ in columns.values()]
    head += ["ELBO gained in the last quarter of the epochs", "ELBO in training's last epoch"]
    lines = [head, ["---"] * len(head)]
    for value in sweep.values:
        cells = [f"{value:g}", f"{in_sum_form(sweep.of(value)[0]):.4g}"]
        cells += [
            _with_spread(sweep.figures(value, name), digits)
            for name, (_, digits) in columns.items()
        ]
        cells.append(_with_spread(last_quarter(sweep.curves(value, "val_elbo")), 2))
        cells.append(_with_spread(sweep.figures(value, "train_elbo"), 2))
        lines.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def steps(sweep: Sweep, names: tuple[str, ...]) -> str:
    """How figures change from each value to the next, and by how many standard errors.

    The standard error is that of a difference of two means over seeds: the root of the sum of the
    two variances over the seeds, each divided by the number of seeds.
    """
    lines = [["from", "to", *names], ["---"] * (2 + len(names))]
    for low, high in zip(sweep.values, sweep.values[1:], strict=False):
        cells = [f"{low:g}", f"{high:g}"]
        for name in names:
            change, error = difference(sweep, name, low, high)
            cells.append(f"{change:+.2f} ({_in_errors(change, error)})")
        lines.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def models_with_idle_latents(sweep: Sweep) -> str:
    """Active units and ELBO of every model that does not use all of its latents."""
    lines = [["latents", "seed", "active units", "ELBO"], ["---"] * 4]
    for row in sweep.rows["results"]:
        if row["active_units"] < row["latent_dim"]:
            whole = [f"{row[name]:g}" for name in ("latent_dim", "seed", "active_units")]
            lines.append([*whole, f"{row['elbo']:.2f} ± {row['elbo_standard_error']:.2f}"])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def difference(sweep: Sweep, name: str, low, high) -> tuple[float, float]:
    """What a figure gains from one value to another, and the standard error of that."""
    before, after = sweep.figures(low, name), sweep.figures(high, name)
    error = math.hypot(*(_deviation(seeds) / math.sqrt(len(seeds)) for seeds in (before, after)))
    return float(after.mean() - before.mean()), error


def enough_latents(sweep: Sweep) -> float:
    """The fewest latents that no larger number betters by more than two standard errors."""
    for index, low in enumerate(sweep.values):
        gains = [difference(sweep, "elbo", low, high) for high in sweep.values[index + 1 :]]
        if all(gain <= 2 * error for gain, error in gains):
            return low
    raise AssertionError("the largest number has none above it")


def _in_errors(change, error):
    return f"{abs(change) / error:.1f} standard errors" if error else "one seed"


def _with_spread(values, digits):
    return f"{np.mean(values):.{digits}f} ± {_deviation(values):.{digits}f}"


# Pictures ----------------------------------------------------------------------------------


def rate_distortion(sweep: Sweep):
    """Every beta in the plane of rate and distortion."""
    pairs = {
        f"{value:g}": (sweep.figures(value, "rate"), sweep.figures(value, "distortion"))
        for value in sweep.values
    }
    first = next(iter(pairs))
    return drawing.rate_distortion_points({f"beta {first}": pairs.pop(first), **pairs})


def terms_by_beta(sweep: Sweep) -> Figure:
    """Distortion and rate against beta, 0 on a place of its own left of the logarithmic axis."""
    figure = Figure(figsize=(9, 3.8), dpi=100, layout="constrained")
    positive = [value for value in sweep.values if value > 0]
    places = np.log10([value or positive[0] / 30 for value in sweep.values])
    for axes, name in zip(figure.subplots(1, 2), ("distortion", "rate"), strict=True):
        _style(axes, "beta, mean form", f"{name}  [nats an image]")
        means = sweep.means(name)
        whole = slice(len(sweep.values) - len(positive), None)
        axes.errorbar(
            places[whole],
            means[whole],
            sweep.spreads(name)[whole],
            color=BLUE,
            marker="o",
            capsize=3,
        )
        if whole.start:
            axes.plot(places[:1], means[:1], "o", color=BLUE)
            # No line leads to a place that a logarithmic axis does not have.
            axes.axvline(places[:2].mean(), color=MUTED, linestyle=":")
        # On the side that the line leaves free; of equal ones the first.
        style = {"ha": {"distortion": "right", "rate": "left"}[name], "size": 9}
        words = [f"{mean:.1f}" for mean in means]
        for index, (place, word) in enumerate(zip(places, words, strict=True)):
            if word not in words[:index]:
                axes.annotate(
                    word, (place, means[index]), (0, 7), textcoords="offset points", **style
                )
        axes.set_xticks(places, [f"{value:g}" for value in sweep.values])
        axes.margins(x=0.1, y=0.12)
    return figure


def active_units(sweeps: dict[str, Sweep]) -> Figure:
    """Active units against the number of latents."""
    figure, axes = _by_latents("active units")
    sizes = next(iter(sweeps.values())).values
    axes.plot(sizes, sizes, color=MUTED, linestyle=":", label="all of them")
    for (label, sweep), color in zip(sweeps.items(), (BLUE, RED), strict=False):
        spread = sweep.spreads("active_units")
        axes.errorbar(
            sweep.values,
            sweep.means("active_units"),
            spread,
            color=color,
            marker="o",
            capsize=3,
            label=label,
        )
    axes.set_yscale("log")
    axes.set_yticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    _finish_by_latents(axes, sizes)
    return figure


def elbo_by_latents(sweeps: dict[str, Sweep]) -> Figure:
    """ELBO against the number of latents."""
    figure, axes = _by_latents("held-out ELBO  [nats an image]")
    for (label, sweep), color in zip(sweeps.items(), (BLUE, RED), strict=False):
        means, spread = sweep.means("elbo"), sweep.spreads("elbo")
        axes.errorbar(sweep.values, means, spread, color=color, marker="o", capsize=3, label=label)
        for value in sweep.values:
            seeds = sweep.figures(value, "elbo")
            axes.plot([value] * len(seeds), seeds, ".", color=color, markersize=3, alpha=0.6)
    _finish_by_latents(axes, next(iter(sweeps.values())).values)
    return figure


def _by_latents(label):
    figure = Figure(figsize=(6.4, 4.4), dpi=100, layout="constrained")
    axes = figure.subplots()
    _style(axes, "number of latents", label)
    return figure, axes


def _finish_by_latents(axes, sizes):
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False)


def by_epoch(sweep: Sweep) -> Figure:
    """The held-out ELBO of every point by epoch, a panel for each value of the parameter."""
    columns = 4
    rows = math.ceil(len(sweep.values) / columns)
    figure = Figure(figsize=(11, 2.6 * rows), dpi=90, layout="constrained")
    panels = iter(figure.subplots(rows, columns, squeeze=False).flat)
    word = "beta" if sweep.parameter == "beta" else "latents"
    for value, axes in zip(sweep.values, panels, strict=False):
        curves = sweep.curves(value, "val_elbo")
        epochs = np.arange(1, curves.shape[1] + 1)
        _style(axes, "", "")
        axes.set_title(f"{value:g} latents" if word == "latents" else f"beta {value:g}", size=10)
        for curve in curves:
            axes.plot(epochs, curve, color=BLUE, linewidth=1)
        # The first epochs rise from nothing, beside which the rest would look level.
        shown = curves[:, min(2, curves.shape[1] - 1) :]
        margin = max(0.08 * np.ptp(shown), 0.5)
        axes.set_ylim(shown.min() - margin, shown.max() + margin)
    for axes in panels:
        axes.set_visible(False)
    figure.supxlabel("epoch", size=10)
    figure.supylabel("held-out ELBO  [nats an image]", size=10)
    return figure


def kl_by_latent(sweeps: dict[str, Sweep]) -> Figure:
    """KL of each latent, the most used first: a panel a sweep, a line a value."""
    figure = Figure(figsize=(5 * len(sweeps), 4), dpi=100, layout="constrained")
    for axes, (label, sweep) in zip(
        figure.subplots(1, len(sweeps), squeeze=False)[0], sweeps.items(), strict=True
    ):
        _style(axes, "latents, the most used first", "KL  [nats]")
        colors = _shades(len(sweep.values))
        for value, color in zip(sweep.values, colors, strict=True):
            kl = sweep.kl(value)
            axes.plot(
                range(1, len(kl) + 1),
                kl,
                color=color,
                marker=".",
                linewidth=1.2,
                label=f"{value:g}",
            )
        # Linear up to a hundredth of a nat, below which a latent says nothing.
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, title=label, fontsize=8, title_fontsize=9, ncols=2)
    return figure


def _shades(count):
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.9, count))


def _style(axes, x, y):
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.tick_params(labelsize=9)


def comparison(models: dict[str, keras_vae.VAE], images) -> Figure:
    """Some models side by side, shown the same test images, the same codes, the same walk.

    Args:
        models: `{title: model}`, all with as many latents.
        images: `[n, height, width, channels]`. The first are shown; from all it is found which
            latents are most used.
    """
    shown, shape = images[:COLUMNS], images.shape[1:]
    walk = np.linspace(-2.5, 2.5, COLUMNS)
    height = 0.95 * (2 + SAMPLE_ROWS + LATENTS) * 0.48 + 1.6
    figure = Figure(figsize=(3.1 * len(models), height), dpi=100, layout="constrained")
    ratios = (2, SAMPLE_ROWS, LATENTS)
    panels = figure.subplots(3, len(models), squeeze=False, height_ratios=ratios)
    for column, (title, model) in enumerate(models.items()):
        samples = model.sample(COLUMNS * SAMPLE_ROWS, seed=0).numpy()
        kl = model.kl_per_dimension(model.encode(images)).numpy().mean(axis=0)
        most_used = np.argsort(kl)[::-1][:LATENTS]
        codes = latent_walks.rows(most_used, walk, np.zeros(model.latent_dim))
        walked = model.decode(codes.reshape(-1, model.latent_dim)).mean().numpy()
        blocks = (
            np.stack([shown, model.reconstruct(shown).numpy()]),
            samples.reshape(SAMPLE_ROWS, COLUMNS, *shape),
            walked.reshape(LATENTS, COLUMNS, *shape),
        )
        for axes, block in zip(panels[:, column], blocks, strict=True):
            axes.imshow(drawing.image_grid(block, scale=2).convert("RGB"))
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        panels[0, column].set_title(title, size=9)
    words = (
        "test images,\nreconstructions",
        "samples of\nthe prior",
        "a walk along the\nthree most used",
    )
    for axes, text in zip(panels[:, 0], words, strict=True):
        axes.set_ylabel(text, size=10)
    return figure


def title(sweep: Sweep, beta: float) -> str:
    """What a reader must know of a column of the comparison."""
    distortion, rate = (sweep.of(beta)[0][name] for name in ("distortion", "rate"))
    told = f"beta {beta:g}: distortion {distortion:.0f}, rate {rate:.0f}"
    if beta == 0:
        return f"Plain autoencoder: no digits from\nthe prior, which its codes never met\n{told}"
    return told


# All of it ---------------------------------------------------------------------------------


def beta_sweep(sweep: Sweep, folder: Path, compared: list[float]):
    """The first question: what the KL's weight buys."""
    models = {title(sweep, beta): _model(sweep, beta) for beta in compared}
    images = keras_vae.datasets.load(sweep.rows["results"][0]["dataset"], "test[:500]", 500)
    print(f"## beta\n\n{table(sweep)}")
    print(f"From each beta to the next:\n\n{steps(sweep, ('distortion', 'rate', 'elbo'))}")
    _write(folder / "rate_distortion.png", rate_distortion(sweep))
    _write(folder / "beta_terms.png", terms_by_beta(sweep))
    _write(folder / "beta_epochs.png", by_epoch(sweep))
    drawn = comparison(models, next(iter(images)).numpy())
    # Digits have no colour: a third of the bytes.
    _write(folder / "beta_comparison.png", drawing.rendered(drawn).convert("L"))
    _copy(sweep, folder, "beta")


def latents_sweep(sweeps: dict[str, Sweep], folder: Path):
    """The second question: how many latents."""
    for index, (label, sweep) in enumerate(sweeps.items()):
        print(f"## latents, {label}\n\n{table(sweep)}")
        print(f"From each number to the next:\n\n{steps(sweep, ('elbo', 'distortion', 'rate'))}")
        print(
            "The fewest that no larger number betters by more than two standard errors: "
            f"{enough_latents(sweep):g}.\n"
        )
        print(f"Models with idle latents, ± over images:\n\n{models_with_idle_latents(sweep)}")
        _copy(sweep, folder, "latent_dim" if index == 0 else "latent_dim_mean")
    _write(folder / "active_units.png", active_units(sweeps))
    _write(folder / "latent_dim_elbo.png", elbo_by_latents(sweeps))
    _write(folder / "latent_dim_epochs.png", by_epoch(next(iter(sweeps.values()))))


def _model(sweep, beta):
    """The model of the first seed."""
    index = [row["beta"] for row in sweep.rows["results"]].index(beta)
    found = sorted((sweep.folder / "models").glob("*.keras"))
    if len(found) != len(sweep.rows["results"]):
        raise ValueError(f"{sweep.folder} has no models. Run its sweep with --save-models.")
    return keras.saving.load_model(found[index])


def _copy(sweep, folder, prefix):
    for name in TABLES:
        content = (sweep.folder / f"{name}.csv").read_bytes()
        write_whole(folder / f"{prefix}_{name}.csv", content)


def _write(path, picture):
    write_whole(path, drawing.png(picture))


def main():
    """Parses the command line, and says in one line what is wrong with it."""
    parser = _parser()
    options = parser.parse_args()
    try:
        check_writable(options.output_dir)
        betas = Sweep(options.beta, "beta")
        if unknown := set(options.compare) - set(betas.values):
            raise ValueError(f"--compare {unknown} must be among the betas {betas.values}")
        sweeps = {"sum form, beta 1": Sweep(options.latents, "latent_dim")}
        if options.latents_mean:
            sweeps["mean form, beta 0.01"] = Sweep(options.latents_mean, "latent_dim")
        beta_sweep(betas, options.output_dir, options.compare)
        latents_sweep(sweeps, options.output_dir)
        drawn = kl_by_latent({"beta": betas, "latents": next(iter(sweeps.values()))})
        _write(options.output_dir / "kl_by_latent.png", drawn)
    except (ValueError, OSError, keras_vae.datasets.DatasetUnavailableError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--beta", type=Path, default=Path("runs/beta"), help="sweep over beta (runs/beta)")
    add("--latents", type=Path, default=Path("runs/latents"), help="over latent_dim (runs/latents)")
    add("--latents-mean", type=Path, help="the same with reduction=mean, beta=0.01 (none)")
    add(
        "--compare",
        type=float,
        nargs="+",
        default=[0.0, 0.01, 0.1, 1.0],
        help="betas of which a model each is shown (0 0.01 0.1 1)",
    )
    default = Path("docs/experiments")
    add("--output-dir", type=Path, default=default, help=f"folder ({default})")
    return parser


if __name__ == "__main__":
    main()
