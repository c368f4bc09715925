"""When a sensor misbehaves: anomalies of five kinds in a long series, found by a VAE of windows.

    python examples/strange_series.py [--seeds 0 1 2] [--output-dir runs/strange_series]

Makes two days of two coupled sensors, a reading a minute: a daily wave, a faster one whose pace
drifts, and noise. A convolutional VAE is trained on windows of the quiet first part, and a
threshold is set by a quiet second one so that 2% of its steps would raise an alarm. In the third
part anomalies are planted, 30 of each kind: a spike, a sensor that stands still, a shift of level,
a faster wave, and two sensors that no longer go together. The score of a step is what it adds to
-log p(x|z), averaged over the windows that it is in and over a quarter of an hour.

Prints precision and recall by kind beside an isolation forest on the same windows and a linear
prediction of each step from the sixteen before it, all with thresholds of that same rule; writes
series.png. `pip install 'keras-vae[anomaly]'` brings scikit-learn.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import anomaly, drawing

import keras
import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import Ridge

KINDS = ("spike", "stuck", "shift", "faster", "decoupled")
WINDOW, LAGS, SMOOTH = 64, 16, 15
EACH, ROOM = 30, 300

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="runs to average over (0)")
parser.add_argument("--epochs", type=int, default=30, help="passes over the windows (30)")
parser.add_argument("--steps", type=int, default=12_000, help="of the quiet part (12,000)")
parser.add_argument(
    "--output-dir",
    type=Path,
    default=Path("runs/strange_series"),
    help="folder (runs/strange_series)",
)


def sensors(steps, random, pace=1.0, coupling=1.0):
    """Readings `[steps, 2]` of two sensors that follow the same two waves."""
    time = np.arange(steps)
    drift = np.cumsum(random.normal(size=steps)) * 0.004
    fast = np.sin(2 * np.pi * pace * time / 24 + drift + random.uniform(0, 2 * np.pi))
    slow = np.sin(2 * np.pi * time / 1440 + random.uniform(0, 2 * np.pi))
    other = np.sin(2 * np.pi * time / 24 + random.uniform(0, 2 * np.pi))
    second = coupling * fast + (1 - coupling) * other
    readings = np.stack([fast + slow, 0.7 * second - 0.5 * slow], axis=-1)
    return readings + random.normal(size=readings.shape, scale=0.1)


def planted(random):
    """A series with anomalies, and the kind of each step: -1 where it is quiet."""
    series = sensors(len(KINDS) * EACH * ROOM, random)
    kinds = np.full(len(series), -1)
    for number, kind in enumerate(random.permutation(np.repeat(np.arange(len(KINDS)), EACH))):
        start = number * ROOM + random.integers(100, 200)
        length = {"spike": 2, "stuck": 12}.get(KINDS[kind], 40)
        part = slice(start, start + length)
        sensor = random.integers(2)
        if KINDS[kind] == "spike":
            series[part, sensor] += random.choice([-1, 1]) * random.uniform(0.3, 0.8)
        elif KINDS[kind] == "stuck":
            series[part, sensor] = series[start, sensor]
        elif KINDS[kind] == "shift":
            series[part, sensor] += random.choice([-1, 1]) * random.uniform(0.2, 0.6)
        elif KINDS[kind] == "faster":
            centre = series[part].mean(axis=0)
            series[part] = sensors(length, random, pace=1.3) * [1, 0.7] * 0.9 + centre
        else:
            centre = series[part].mean(axis=0)
            series[part, 1] = 0.7 * sensors(length, random)[:, 1] + centre[1]
        kinds[part] = kind
    return series, kinds


def windows(series, stride=1):
    """Windows of a series as Keras cuts them, `[n, WINDOW, features]`."""
    cut = keras.utils.timeseries_dataset_from_array(
        series, None, WINDOW, sequence_stride=stride, batch_size=1024, shuffle=False
    )
    return np.concatenate(list(cut.as_numpy_iterator())).astype(np.float32)


def smoothed(scores):
    """Means over a quarter of an hour around each step."""
    return np.convolve(scores, np.ones(SMOOTH) / SMOOTH, mode="same")


def trained_vae(quiet, seed, epochs):
    """Scores by a VAE of windows: what a step adds to -log p(x|z)."""
    keras.utils.set_random_seed(seed)
    vae = keras_vae.VAE.for_data(windows(quiet), latent_dim=8, verbose=False, seed=seed)
    vae.compile(keras.optimizers.Adam(2e-3))
    vae.fit(windows(quiet, stride=4), batch_size=64, epochs=epochs, verbose=2)

    def score(series):
        by_step = anomaly.attribution(vae, windows(series), progress=False)
        return smoothed(anomaly.over_time(by_step, WINDOW))

    return score


def isolation_forest(quiet, seed):
    """Scores by an isolation forest of the same windows."""
    forest = IsolationForest(random_state=seed).fit(
        windows(quiet, stride=4).reshape(-1, 2 * WINDOW)
    )

    def score(series):
        flat = windows(series).reshape(-1, 2 * WINDOW)
        return anomaly.over_time(-forest.score_samples(flat), WINDOW)

    return score


def linear_prediction(quiet):
    """Scores by the squared error of a linear prediction from the steps before."""

    def lagged(series):
        before = [series[lag : len(series) - LAGS + lag] for lag in range(LAGS)]
        return np.concatenate(before, axis=-1), series[LAGS:]

    model = Ridge(alpha=1.0).fit(*lagged(quiet))

    def score(series):
        inputs, targets = lagged(series)
        error = np.square(model.predict(inputs) - targets).sum(axis=-1)
        return smoothed(np.concatenate([np.full(LAGS, error[:LAGS].mean()), error]))

    return score


def found(alarms, kinds):
    """Precision over all alarms, and the share of anomalies of each kind that raised one.

    An anomaly is found if an alarm is raised within it or a quarter of an hour beside it; an alarm
    beside any anomaly by no more than that is none that is false.
    """
    near = np.convolve(kinds >= 0, np.ones(2 * SMOOTH + 1), mode="same") > 0
    precision = (alarms & near).sum() / max(1, alarms.sum())
    starts = np.flatnonzero((kinds >= 0) & np.append(True, kinds[1:] != kinds[:-1]))
    recall = dict.fromkeys(KINDS, 0.0)
    for start in starts:
        kind = kinds[start]
        end = start + np.argmax(np.append(kinds[start:] != kind, True))
        hit = alarms[max(0, start - SMOOTH) : end + SMOOTH].any()
        recall[KINDS[kind]] += hit / EACH
    return {"precision": precision, **recall}


def picture(series, kinds, scores, alarm, steps):
    """Two sensors, the score of the VAE, and where alarms were raised."""
    chart = drawing.Chart((1100, 420))
    time = np.arange(steps)
    scaled = np.clip(scores[:steps], None, np.quantile(scores[:steps], 0.995))
    scaled = (scaled - scaled.min()) / np.ptp(scaled) * 3 - 8
    for index, name in enumerate(("first sensor", "second sensor")):
        colour = drawing.PALETTE[index]
        chart.line(
            name, time, series[:steps, index] - 3.5 * index, color=colour, lw=0.8, label=name
        )
    chart.line("score", time, scaled, color=drawing.PALETTE[2], lw=0.9, label="score of the VAE")
    truth = np.where(kinds[:steps] >= 0, 3.2, np.nan)
    raised = np.where(alarm.is_strange(scores[:steps]), 3.7, np.nan)
    chart.line("truth", time, truth, color="#7a7a7a", lw=5, label="anomalies")
    chart.line("raised", time, raised, color=drawing.PALETTE[1], lw=5, label="alarms")
    for start in np.flatnonzero((kinds[:steps] >= 0) & (np.roll(kinds[:steps], 1) < 0)):
        chart.text(f"at {start}", start, 4.1, KINDS[kinds[start]], fontsize=8)
    chart.scale("x", 0, steps, False, "minute")
    chart.scale("y", -8.2, 4.6, False, "readings, set apart")
    return chart.picture()


def main(options):
    """Trains, scores and prints."""
    rows = {}
    for seed in options.seeds:
        random = np.random.default_rng(seed)
        quiet, held_out = sensors(options.steps, random), sensors(options.steps, random)
        series, kinds = planted(random)
        methods = {
            "VAE of windows": trained_vae(quiet, seed, options.epochs),
            "isolation forest": isolation_forest(quiet, seed),
            "linear prediction": linear_prediction(quiet),
        }
        for name, score in methods.items():
            alarm = anomaly.threshold(score(held_out), false_alarm_rate=0.02)
            scores = score(series)
            rows.setdefault(name, []).append(found(alarm.is_strange(scores), kinds[: len(scores)]))
            if name == "VAE of windows" and seed == options.seeds[0]:
                options.output_dir.mkdir(parents=True, exist_ok=True)
                file = options.output_dir / "series.png"
                picture(series, kinds, scores, alarm, steps=2400).save(file)
    columns = ("precision", *KINDS)
    print(f"{len(options.seeds)} seed(s); precision of alarms, then recall by kind of {EACH} each")
    print(f"{'':20}" + "".join(f"{column:>12}" for column in columns))
    for name, results in rows.items():
        means = [np.mean([result[column] for result in results]) for column in columns]
        print(f"{name:20}" + "".join(f"{mean:12.2f}" for mean in means))
    print(f"wrote {options.output_dir / 'series.png'}")


if __name__ == "__main__":
    main(parser.parse_args())
