"""Which objective disentangles, and do the metrics agree? A study on images of known factors.

    python examples/disentangle.py --workers 2

Trains members of the family with the networks of Burgess et al. (2018) on sprites, each with
several seeds, scores every model by all metrics of `keras_vae.disentanglement`, and prints how the
scores spread over methods and seeds, and how the metrics rank the models. A method is a name and
its strength, `beta:4`:

  vae             the VAE, which has none
  beta:B          beta-VAE
  annealed:C      the KL at gamma 1000 pulled to a capacity, which rises to C nats over the first
                  third of the steps
  beta_tc:B       beta-TC-VAE
  factor:G        FactorVAE at gamma G
  dip_i:L         DIP-VAE-I with lambda_off_diagonal L
  dip_ii:L        DIP-VAE-II

Settings are trained as by `sweep.py`: any number of processes share a folder, a killed one loses
the setting that it was at, and the same command goes on. In the output folder, beside the sweep's
own files:

  scores.csv        one row a model: every score
  correlations.csv  Spearman's rank correlation of each score with each, over all models
  best.png          of the model whose mean rank over all metrics is best, one latent a row
  worst.png         of the worst

With what is not said otherwise, 7 methods of 5 seeds train for 11,520 steps, an epoch of
disentangling-vae: about 15 hours of one core with TF_ENABLE_ONEDNN_OPTS=1. Locatello et al.,
"Challenging common assumptions in the unsupervised learning of disentangled representations"
(2019), had six methods, six strengths and 50 seeds of 300,000 steps.

`dci` is that of random forests instead of gradient boosting, which takes a tenth of the time.
"""

import csv
import io
from pathlib import Path
from typing import ClassVar

# First, because it sets the number of threads.
import sweep

# isort: split
import keras_vae
from keras_vae import arguments, disentanglement, drawing, latent_walks, networks, objectives
from keras_vae.callbacks import CapacitySchedule
from keras_vae.datasets import factors
from keras_vae.disentanglement.measurements import METRICS
from keras_vae.files import write_whole

import keras
import numpy as np
from optuna.trial import TrialState
from scipy.stats import rankdata

METHODS = ["vae", "beta:4", "annealed:25", "beta_tc:6", "factor:35", "dip_i:10", "dip_ii:10"]
SEEDS = [0, 1, 2, 3, 4]
PARAMETERS = {
    "dataset": "sprites",
    "test_split": "test[:2000]",
    "latent_dim": 10,
    "learning_rate": 5e-4,
    "batch_size": 64,
    "steps": 11_520,
    "num_train": 10_000,
    "num_test": 5_000,
    # XLA's convolutions are slow on a CPU.
    "jit_compile": False,
    "seed": 0,
    # Varies fastest, so that a study that is not finished has some seeds of all methods.
    "method": "vae",
}
MEANINGS = {
    **sweep.MEANINGS,
    "dataset": "sprites or another set of known factors",
    "steps": "training steps of each model",
    "num_train": "points that predictors of the metrics learn from",
    "num_test": "points that they are tested on",
    "method": "NAME or NAME:STRENGTH out of the list below; without it seven of them",
    "seed": "one model each; without it 0 to 4",
}
GAMMA = 1000.0
# What stands beside the headline number of a metric.
PARTS = {
    "dci": ("completeness", "informativeness"),
    "modularity_explicitness": ("explicitness",),
}
LOWER_IS_BETTER = "gaussian_total_correlation"
RANKING = "unsupervised_disentanglement_ranking"


class Study(sweep.Sweep):
    """A sweep over methods and seeds, whose models are scored for disentanglement."""

    parameters: ClassVar[dict] = PARAMETERS
    searched: ClassVar[dict] = {}
    meanings: ClassVar[dict] = MEANINGS

    def check(self, setting: dict):
        """Refuses a setting that would fail."""
        for name in ("batch_size", "steps"):
            arguments.count(name, setting[name])
        for name in ("num_train", "num_test"):
            arguments.count(name, setting[name], least=2)
        arguments.seed("seed", setting["seed"])
        arguments.positive("learning_rate", setting["learning_rate"])
        self.build(setting, factors.load(setting["dataset"]).image_shape)
        self.load(setting)

    def load(self, setting: dict):
        """As many batches as there are steps, and held-out ones."""
        size, seed = setting["batch_size"], setting["seed"]
        load = keras_vae.datasets.load
        train = load(setting["dataset"], "train", size, shuffle=True, seed=seed)
        held_out = load(setting["dataset"], setting["test_split"], 1000, shuffle=False)
        return train.repeat().take(setting["steps"]), held_out

    def build(self, setting: dict, shape) -> keras_vae.VAE:
        """The untrained model of a method."""
        name, strength = parsed(setting["method"])
        latent_dim = setting["latent_dim"]
        encoder = networks.burgess_encoder(shape, latent_dim)
        decoder = networks.burgess_decoder(shape, latent_dim)
        cls, given = {
            "vae": (keras_vae.VAE, {}),
            "beta": (keras_vae.VAE, {"beta": strength}),
            "annealed": (objectives.AnnealedVAE, {"gamma": GAMMA}),
            "beta_tc": (objectives.BetaTCVAE, {"beta": strength}),
            "factor": (objectives.FactorVAE, {"gamma": strength}),
            "dip_i": (objectives.DIPVAE, {"kind": "i", "lambda_off_diagonal": strength}),
            "dip_ii": (objectives.DIPVAE, {"kind": "ii", "lambda_off_diagonal": strength}),
        }[name]
        return cls(encoder, decoder, seed=setting["seed"], **given)

    def callbacks(self, setting: dict) -> list[keras.callbacks.Callback]:
        """The rise of the capacity, for the annealed VAE."""
        name, strength = parsed(setting["method"])
        if name != "annealed":
            return []
        return [CapacitySchedule(end=strength, warmup_steps=max(1, setting["steps"] // 3))]

    def measure(self, vae: keras_vae.VAE, setting: dict) -> dict:
        """All scores of a trained model."""
        from sklearn.ensemble import RandomForestClassifier

        forest = {"classifier": lambda: RandomForestClassifier(max_depth=8), "num_jobs": 1}
        metrics = {name: {} for name in METRICS} | {"dci": forest}
        report = disentanglement.evaluate(
            vae,
            factors.load(setting["dataset"]),
            metrics,
            num_train=setting["num_train"],
            num_test=setting["num_test"],
            progress=False,
        )
        scores = dict(report.scores)
        for metric, parts in PARTS.items():
            scores |= {part: report[metric][part] for part in parts}
        return scores


def parsed(method: str) -> tuple[str, float | None]:
    """The name and the strength of a method; raises ValueError if there is none such."""
    name, _, strength = method.partition(":")
    known = [example.partition(":")[0] for example in METHODS]
    if name not in known or (name == "vae") != (strength == ""):
        raise ValueError(
            f"Invalid value for argument `method`. Expected one of {known}, all but 'vae' with a "
            f"strength, such as 'beta:4'. Received: method={method!r}"
        )
    try:
        return name, arguments.number("method", float(strength), least=0) if strength else None
    except ValueError:
        raise arguments.invalid(
            "method", "a strength that is a number of at least 0", method
        ) from None


# What came of it ---------------------------------------------------------------------------


def report(study: Study, folder: Path):
    """Prints and writes what the models that are trained so far are worth."""
    found = sweep.open_study(study, folder).get_trials(states=[TrialState.COMPLETE])
    trials = sorted(found, key=study.name)
    models = [scored(study, trial, folder) for trial in trials]
    if len(models) < 2:
        print("There is nothing to compare yet: a study needs two models or more.")
        return
    add_rankings(study, trials, models, folder)
    names = [name for name in models[0] if name not in ("method", "seed")]
    write(folder / "scores.csv", [models[0].keys(), *(model.values() for model in models)])
    print(f"{len(models)} of {len(study.combinations())} models\n")
    print_scores(models, names)
    print_spread(models, names)
    print_correlations(models, names, folder)
    draw_extremes(study, trials, models, folder)


def scored(study, trial, folder) -> dict:
    """Method, seed and scores of a trained model."""
    setting, results = study.setting(trial.params), trial.user_attrs["rows"]["results"]
    kept = ("elbo", "active_units", *METRICS, *sum(PARTS.values(), ()))
    return {
        "method": setting["method"],
        "seed": setting["seed"],
        **{name: results[name] for name in kept},
    }


def add_rankings(study, trials, models, folder):
    """Adds to each model how far the other seeds of its method found the same latents."""
    for method in dict.fromkeys(model["method"] for model in models):
        chosen = [index for index, model in enumerate(models) if model["method"] == method]
        rankings = [float("nan")] * len(chosen)
        if len(chosen) > 1:
            codes, kl = zip(*(seen(study, trials[i], folder) for i in chosen), strict=True)
            rankings = disentanglement.unsupervised_disentanglement_ranking(codes, kl)["scores"]
        for index, ranking in zip(chosen, rankings, strict=True):
            models[index][RANKING] = float(ranking)


def seen(study, trial, folder):
    """Codes `[n, latent]` of the held-out images, and the KL of each latent, of a trained model."""
    vae = load_model(study, trial, folder)
    _, held_out = study.load(study.setting(trial.params))
    codes = np.concatenate([vae.embed(images) for images in held_out])
    return codes, trial.user_attrs["rows"]["latents"]["kl_per_dimension"]


def load_model(study, trial, folder) -> keras_vae.VAE:
    """The model that a trial left."""
    return keras.saving.load_model(folder / "models" / f"{study.name(trial)}.keras")


def by_method(models, name) -> dict[str, list[float]]:
    """A score of all seeds of each method."""
    methods = dict.fromkeys(model["method"] for model in models)
    return {m: [model[name] for model in models if model["method"] == m] for m in methods}


def print_scores(models, names):
    """A Markdown table: mean and standard deviation over the seeds."""
    scores = {name: by_method(models, name) for name in names}
    methods = list(scores[names[0]])
    print("Mean over the seeds ± standard deviation:\n")
    print(f"| | {' | '.join(f'`{method}`' for method in methods)} |")
    print("|---" * (len(methods) + 1) + "|")
    for name in names:
        cells = [spread(scores[name][method], 1 if name == "elbo" else 2) for method in methods]
        print(f"| `{name}` | {' | '.join(cells)} |")


def spread(values, digits=2) -> str:
    """A mean, and the standard deviation where there are several values."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean + (f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else "")


def print_spread(models, names):
    """How much of the variance of each score methods explain, and how much seeds do."""
    num_methods = len({model["method"] for model in models})
    chance = (len(models) - num_methods) / (len(models) - 1)
    print("\nShare of a score's variance that lies between seeds of a method, not methods")
    print(f"(if methods made no difference, {chance:.0%}):\n")
    print("| score | between seeds |\n|---|---|")
    for name in names:
        groups = by_method(models, name).values()
        total = np.var([value for group in groups for value in group])
        within = sum(len(group) * np.var(group) for group in groups) / len(models)
        print(f"| `{name}` | {within / total:.0%} |" if total > 0 else f"| `{name}` | |")


def print_correlations(models, names, folder):
    """Spearman's rank correlations, of which 1 means that two scores rank the models alike.

    All are written, and those of headline numbers printed.
    """
    table = np.array([[model[name] for name in names] for model in models], float)
    # A score that is the same of all models, or that some have not, correlates with none: NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = np.corrcoef(rankdata(table, axis=0), rowvar=False)
    rows = [
        [name, *(round(float(value), 3) for value in row)]
        for name, row in zip(names, correlations, strict=True)
    ]
    write(folder / "correlations.csv", [["score", *names], *rows])
    shown = [i for i, name in enumerate(names) if name in ("elbo", *METRICS, RANKING)]
    print(f"\nSpearman's rank correlations; of `{LOWER_IS_BETTER}` less is better:\n")
    print(f"| | {' | '.join(str(number) for number in range(1, len(shown) + 1))} |")
    print("|---" * (len(shown) + 1) + "|")
    for number, index in enumerate(shown, 1):
        cells = " | ".join(f"{correlations[index, other]:.2f}" for other in shown)
        print(f"| {number} `{names[index]}` | {cells} |")


def mean_ranks(models) -> np.ndarray:
    """The mean over all metrics of a model's rank among the others, 1 the best, `[models]`."""
    better = {
        name: (-1 if name == LOWER_IS_BETTER else 1) * np.array([model[name] for model in models])
        for name in METRICS
    }
    ranks = [(score[:, None] < score).sum(axis=1) + 1 for score in better.values()]
    return np.mean(ranks, axis=0)


def draw_extremes(study, trials, models, folder):
    """Draws the models of the best and of the worst mean rank, one latent a row."""
    ranks = mean_ranks(models)
    print("\nBy the mean of their ranks in all metrics:")
    for word, index in (("best", ranks.argmin()), ("worst", ranks.argmax())):
        method, seed = models[index]["method"], models[index]["seed"]
        print(f"  {word}: {method}, seed {seed}, mean rank {ranks[index]:.1f} of {len(models)}")
        kl = np.array(trials[index].user_attrs["rows"]["latents"]["kl_per_dimension"])
        vae = load_model(study, trials[index], folder)
        picture = traversal(vae, kl, held_out_image(study, trials[index]))
        write_whole(folder / f"{word}.png", drawing.png(picture))


def held_out_image(study, trial):
    """The first image that no model was trained on, `[1, height, width, channels]`."""
    _, held_out = study.load(study.setting(trial.params))
    return next(iter(held_out))[:1]


def traversal(vae, kl, image):
    """A row for each latent, the largest KL first; the others stay at the code of an image."""
    values, order = np.linspace(-2, 2, 9), np.argsort(-kl, kind="stable")
    codes = latent_walks.rows(order, values, np.asarray(vae.embed(image))[0])
    images = np.stack([vae.decode(row).mean().numpy() for row in codes])
    return drawing.image_grid(
        images,
        [f"z{latent}  KL {kl[latent]:.2f}" for latent in order],
        scale=1,
        column_labels=[f"{value:.1f}" for value in values],
    )


def write(path, rows):
    """Writes a table, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(path, text.getvalue())


def main():
    """Trains what is missing, then says what came of it."""
    parser = sweep.parser_of(Study, __doc__, "runs/disentangle")
    options = vars(parser.parse_args())
    options["method"] = options["method"] or METHODS
    options["seed"] = options["seed"] or SEEDS
    study = sweep.run(Study, parser, {**options, "search": 0, "save_models": True})
    report(study, options["output_dir"])


if __name__ == "__main__":
    main()
