"""Tests of models that take frames and give frames."""

import keras
import numpy as np
import pandas as pd
import pytest

import keras_vae
from keras_vae import anomaly, evaluation, networks
from keras_vae.callbacks import BetaSchedule, ELBOLogger, Resume
from keras_vae.distributions import Gaussian
from keras_vae.tables import LogCounts, Table, TableIWAE, TableModel, TableVAE

ROWS = 60


def make_frame(seed=0, rows=ROWS):
    random = np.random.default_rng(seed)
    z = random.normal(size=rows)
    return pd.DataFrame(
        {
            "width": 50 + 7 * z + random.normal(size=rows),
            "price": np.exp(1 + z),
            "visits": random.poisson(np.exp(2 + 0.5 * z)) * 3,
            "km/h": random.random(rows) < 1 / (1 + np.exp(-3 * z)),
            "colour": np.where(z > 0.5, "red", np.where(z > -0.5, "green", "blue")),
        },
        index=[f"row {index}" for index in range(rows)],
    )


FRAME = make_frame()
FRAME.loc["row 0", "visits"] = 0
HOLES = FRAME.mask(np.random.default_rng(1).random(FRAME.shape) < 0.2)


def make_model(frame=FRAME, cls=TableVAE, **kwargs):
    keras.utils.set_random_seed(0)
    table = Table.infer(frame, {"visits": "count"}, verbose=False)
    model = cls(table, latent_dim=2, hidden_sizes=(8,), seed=3, **kwargs)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def trained():
    """A model of the frame with holes."""
    model = make_model(HOLES)
    model.fit(HOLES, epochs=30, batch_size=20, verbose=0)
    return model


def test_fit_takes_frames_and_logs_every_column(tmp_path):
    model = make_model()
    history = model.fit(
        FRAME,
        validation_data=make_frame(1),
        epochs=3,
        batch_size=16,
        verbose=0,
        callbacks=[
            ELBOLogger(tmp_path, names=["loss", "reconstruction_loss_km_h"]),
            BetaSchedule("linear", warmup_steps=4),
            keras.callbacks.EarlyStopping("val_loss", patience=5),
        ],
    ).history
    names = ["width", "price", "visits", "km_h", "colour"]
    for prefix in ("", "val_"):
        groups = [history[f"{prefix}reconstruction_loss_{name}"] for name in names]
        whole = np.sum(groups, axis=0)
        np.testing.assert_allclose(whole, history[f"{prefix}reconstruction_loss"], rtol=1e-4)
    assert history["loss"][-1] < history["loss"][0]
    logged = pd.read_csv(tmp_path / "elbo.csv")
    assert "reconstruction_loss_km_h" in logged


def test_the_logger_tells_of_every_column_and_prints_lines_that_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    frame = FRAME.rename(columns={"colour": "the colour that is seen from afar"})
    model = make_model(frame)
    loggers = [ELBOLogger(tmp_path / str(step), step) for step in (2, "epoch")]
    model.fit(frame, validation_data=frame, epochs=2, batch_size=30, verbose=0, callbacks=loggers)
    groups = [f"reconstruction_loss_{name}" for name in model.table.groups]
    steps, epochs = (pd.read_csv(logger.path) for logger in loggers)
    own = ["loss", "reconstruction_loss", "kl_loss", "elbo", "beta", "learning_rate"]
    assert list(steps) == ["step", *own, *groups]
    validated = [f"val_{name}" for name in own[:-1]]
    assert list(epochs)[:13] == ["step", "epoch", *own, *validated]
    assert set(epochs.columns[13:]) == {*groups, *(f"val_{name}" for name in groups)}
    for prefix, logged in (("", steps), ("", epochs), ("val_", epochs)):
        terms = logged[[prefix + name for name in groups]]
        np.testing.assert_allclose(
            terms.sum(axis=1), logged[f"{prefix}reconstruction_loss"], rtol=1e-5
        )
    lines = [line for line in capsys.readouterr().out.splitlines() if ": " in line]
    # Of each epoch a step's line, the epoch's and that of its validation.
    assert [line[:10].strip() for line in lines] == ["", "", "val"] * 2
    assert max(map(len, lines)) < 70
    for line, terms in zip(lines[::3], steps[groups].to_numpy(), strict=True):
        parts = dict(part.rsplit(": ", 1) for part in line.strip().split(" - "))
        assert "visits" in parts and any(name.endswith(" others") for name in parts)
        assert sum(map(float, parts.values())) == pytest.approx(terms.sum(), abs=5e-3)


def test_a_frame_trains_as_the_numbers_that_it_is_encoded_to_do():
    ours, encoded = make_model(), make_model()
    weights = np.linspace(0, 1, ROWS)
    given = {"batch_size": 16, "epochs": 2, "verbose": 0, "sample_weight": weights}
    ours.fit(FRAME, **given)
    encoded.fit(encoded.table.encode(FRAME), **given)
    for a, b in zip(ours.get_weights(), encoded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    numbers = ours.table.encode(FRAME)
    for method in ("evaluate", "predict"):
        of_frame = getattr(ours, method)(FRAME, verbose=0)
        np.testing.assert_array_equal(of_frame, getattr(ours, method)(numbers, verbose=0))
    np.testing.assert_array_equal(ours.embed(FRAME), ours.embed(numbers))
    np.testing.assert_array_equal(ours.encode(FRAME).mean(), ours.encode(numbers).mean())
    assert ours.test_on_batch(FRAME) == ours.test_on_batch(numbers)


def test_a_killed_run_ends_as_one_that_was_not(tmp_path):
    whole = make_model()
    whole.fit(FRAME, epochs=4, batch_size=16, shuffle=False, verbose=0)
    for epochs in (2, 4):
        parted = make_model()
        parted.fit(
            FRAME,
            epochs=epochs,
            batch_size=16,
            shuffle=False,
            verbose=0,
            callbacks=[Resume(tmp_path)],
        )
    for a, b in zip(whole.get_weights(), parted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_samples_are_rows_of_the_same_columns_and_types(trained):
    sampled = make_model().sample(50, seed=0)
    assert list(sampled.columns) == list(FRAME.columns)
    assert (sampled.dtypes == FRAME.dtypes).all()
    assert set(sampled["colour"]) <= {"red", "green", "blue"}
    assert (sampled["price"] > 0).all() and (sampled["visits"] >= 0).all()
    pd.testing.assert_frame_equal(sampled, make_model().sample(50, seed=0))
    # Samples, not means: of few codes many different values.
    assert sampled["width"].nunique() == 50
    trained.table.encode(trained.sample(2000, seed=1, batch_size=300))


def test_samples_have_the_moments_of_the_model():
    model = make_model()
    # As a decoder that knows of no code begins, it is exactly the columns' own distributions.
    kernel = model.decoder.get_layer("pixels").kernel
    kernel.assign(np.zeros(kernel.shape))
    sampled = model.sample(4000, seed=0, batch_size=500)
    deviation = FRAME["visits"].std()
    assert sampled["visits"].mean() == pytest.approx(FRAME["visits"].mean(), abs=0.1 * deviation)
    assert np.log(sampled["price"]).std() == pytest.approx(np.log(FRAME["price"]).std(), rel=0.05)
    shares = sampled["colour"].value_counts(normalize=True)
    expected = FRAME["colour"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[expected.index], expected, atol=0.03)


def test_imputation_fills_holes_and_leaves_the_rest(trained):
    filled = trained.impute(HOLES, num_samples=20, seed=0)
    assert not filled.isna().any(axis=None)
    assert (filled.index == HOLES.index).all() and list(filled.columns) == list(HOLES.columns)
    there = HOLES.notna()
    pd.testing.assert_frame_equal(filled[there], HOLES)
    assert (filled["visits"] == filled["visits"].round()).all()
    assert set(filled["colour"]) == {"red", "green", "blue"}
    draws = trained.impute(HOLES, num_samples=20, num_draws=3, seed=0)
    assert len(draws) == 3
    for drawn in draws:
        pd.testing.assert_frame_equal(drawn[there], HOLES)
    assert not draws[0]["width"].equals(draws[1]["width"])
    # What is filled in knows of what is there.
    hidden = HOLES["width"].isna()
    errors = abs(filled["width"] - FRAME["width"])[hidden]
    assert errors.mean() < abs(FRAME["width"].mean() - FRAME["width"])[hidden].mean()


def test_imputation_keeps_the_types_of_the_frame(trained):
    nullable = HOLES.astype({"visits": "Int64", "km/h": "boolean"})[["colour", *HOLES.columns[:-1]]]
    filled = trained.impute(nullable, num_samples=5, seed=0)
    assert (filled.dtypes == nullable.dtypes).all()
    assert list(filled.columns) == list(nullable.columns)
    pd.testing.assert_frame_equal(trained.impute(FRAME, num_samples=2), FRAME)


def test_scores_are_those_of_the_encoded_rows_with_the_index(trained):
    numbers = trained.table.encode(HOLES)
    scores = trained.anomaly_score(HOLES, seed=1)
    assert (scores.index == HOLES.index).all()
    expected = anomaly.negative_elbo(trained, numbers, num_samples=8, seed=1, progress=False)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    by_column = trained.attribution(HOLES)
    assert list(by_column.columns) == list(HOLES.columns)
    term = trained.anomaly_score(HOLES, "reconstruction_term")
    np.testing.assert_allclose(by_column.sum(axis=1), term, rtol=1e-4)
    assert (by_column.to_numpy()[HOLES.isna()] == 0).all()
    relative = trained.attribution(HOLES, reference=HOLES)
    np.testing.assert_allclose(relative.mean(), 0, atol=1e-6)
    # What is usual is so of the values that are there.
    expected = by_column - by_column.where(HOLES.notna()).mean()
    np.testing.assert_allclose(relative, expected.where(HOLES.notna(), 0), atol=1e-6)


def test_a_row_that_is_broken_is_strange_and_its_column_is_to_blame(trained):
    broken = FRAME.copy()
    broken.loc["row 3", "colour"] = {"red": "blue"}.get(broken.loc["row 3", "colour"], "red")
    scores = trained.anomaly_score(broken) - trained.anomaly_score(FRAME)
    assert scores.idxmax() == "row 3" and scores.drop("row 3").abs().max() < 1e-3
    change = trained.attribution(broken) - trained.attribution(FRAME)
    assert change.loc["row 3"].idxmax() == "colour"


def test_the_log_likelihood_is_in_the_units_of_the_frame(trained):
    of_numbers = evaluation.log_likelihood(trained, HOLES, 10, progress=False, by_example=True)
    found = trained.log_likelihood(HOLES, num_samples=10)
    expected = of_numbers["log_likelihood"] + trained.table.log_scale(HOLES)
    np.testing.assert_allclose(found, expected)
    assert (found.index == HOLES.index).all()


def test_a_decoder_of_one_distribution_has_the_log_likelihood_of_scipy():
    from scipy import stats

    frame = FRAME[["width", "colour"]]
    kinds = {"width": ("number", Gaussian("decoded"))}
    model = TableVAE(Table.infer(frame, kinds, verbose=False), latent_dim=1, hidden_sizes=(2,))
    kernel = model.decoder.get_layer("pixels").kernel
    kernel.assign(np.zeros(kernel.shape))
    for layer in ("loc", "raw_scale"):  # The posterior is the prior.
        weights = model.encoder.get_layer("mlp_encoder").get_layer(layer)
        weights.set_weights([np.zeros_like(weight) for weight in weights.get_weights()])
    expected = stats.norm.logpdf(frame["width"], frame["width"].mean(), frame["width"].std(ddof=0))
    counts = frame["colour"].map(frame["colour"].value_counts())
    expected += np.log((counts + 0.5) / (ROWS + 1.5))
    np.testing.assert_allclose(model.log_likelihood(frame, num_samples=3), expected, rtol=1e-4)


@pytest.mark.parametrize("cls", [TableVAE, TableIWAE])
def test_one_file_takes_raw_rows_in_a_fresh_process(cls, tmp_path, run_python):
    model = make_model(HOLES, cls)
    model.fit(HOLES, epochs=1, batch_size=20, verbose=0)
    model.save(tmp_path / "model.keras")
    HOLES.to_pickle(tmp_path / "frame.pkl")
    program = """
import keras, keras_vae
model = keras.saving.load_model("model.keras")
import pandas
frame = pandas.read_pickle("frame.pkl")
print(type(model).__name__, model.missing)
model.sample(20, seed=0).to_pickle("sampled.pkl")
model.impute(frame, num_samples=3, seed=0).to_pickle("imputed.pkl")
model.anomaly_score(frame).to_pickle("scores.pkl")
model.fit(frame, epochs=1, verbose=0)
"""
    printed = run_python(program).splitlines()
    assert printed[0].split() == [cls.__name__, "True"]
    sampled, imputed, scores = (
        pd.read_pickle(tmp_path / f"{name}.pkl") for name in ("sampled", "imputed", "scores")
    )
    pd.testing.assert_frame_equal(sampled, model.sample(20, seed=0), rtol=1e-5)
    pd.testing.assert_frame_equal(imputed, model.impute(HOLES, num_samples=3, seed=0), rtol=1e-5)
    pd.testing.assert_series_equal(scores, model.anomaly_score(HOLES), rtol=1e-4)


def test_any_member_of_the_family_can_be_one_of_tables():
    class TableDIPVAE(TableModel, keras_vae.objectives.DIPVAE):
        pass

    model = make_model(cls=TableDIPVAE, lambda_off_diagonal=3.0)
    logs = model.fit(FRAME, epochs=1, batch_size=20, verbose=0).history
    assert "off_diagonal_loss" in logs
    assert list(model.sample(3).columns) == list(FRAME.columns)


def test_networks_of_ones_own():
    table = Table.infer(FRAME, {"visits": "count"}, verbose=False)
    inputs = keras.Input((table.width,))
    features = LogCounts(table.count_columns())(inputs)
    loc = keras.layers.Dense(3)(features)
    scale = networks.PositiveScale()(keras.layers.Dense(3)(features))
    encoder = keras.Model(inputs, {"loc": loc, "scale": scale})
    decoder = networks.mlp_decoder((table.width,), 3, [4], likelihood=table.likelihood())
    model = TableVAE(table, encoder=encoder, decoder=decoder)
    model.compile("adam", jit_compile=False)
    model.fit(FRAME, verbose=0)
    assert model.latent_dim == 3


def test_an_encoder_sees_counts_as_logarithms_and_standardised_holes_as_zeros():
    model = make_model(HOLES)
    numbers = model.table.encode(HOLES)
    place = model.table.groups["visits"].start
    layers = [model.encoder.get_layer(name) for name in ("log_counts", "standardise")]
    seen = layers[1](layers[0](numbers)).numpy()
    logs = np.log1p(HOLES["visits"].to_numpy())
    expected = (logs - np.nanmean(logs)) / np.nanstd(logs)
    np.testing.assert_allclose(seen[:, place], expected, rtol=1e-4, atol=1e-5)
    others = [column for column in range(model.table.width) if column != place]
    np.testing.assert_array_equal(seen[:, others], numbers[:, others])


def test_without_pandas_the_package_is_imported_and_says_what_to_install(run_python):
    program = """
import sys
sys.modules["pandas"] = None
import keras_vae
try:
    keras_vae.tables.Table.infer({"x": [1.0, 2.0]})
except ImportError as error:
    print(error)
"""
    assert "pip install 'keras-vae[tables]'" in run_python(program)


def test_for_data_is_the_model_of_the_table_that_is_inferred(capsys):
    frame = pd.DataFrame({"age": [20.5, 31.2, 44.0, 50.1], "sex": ["f", "m", "m", "f"]})
    vae = TableVAE.for_data(frame, latent_dim=2, beta=0.5)
    assert "age" in capsys.readouterr().out
    assert vae.table.summary() == Table.infer(frame, verbose=False).summary()
    assert (vae.latent_dim, float(vae.beta)) == (2, 0.5)


def test_rows_are_drawn_by_a_sampler_of_codes(trained):
    class Zeros:
        def sample(self, n, seed):
            return np.zeros((n, trained.latent_dim), np.float32)

    rows = trained.sample(2000, seed=0, sampler=Zeros())
    assert list(rows.columns) == list(FRAME.columns) and len(rows) == 2000
    # All of one distribution, that of the code in the middle.
    expected = trained.table.decode(trained.decode(np.zeros((1, trained.latent_dim))).mean())
    number = next(name for name in FRAME if rows[name].dtype.kind == "f")
    error = rows[number].std() / np.sqrt(len(rows))
    assert abs(rows[number].mean() - expected[number].iloc[0]) < 5 * error
