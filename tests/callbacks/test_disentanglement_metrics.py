import keras
import numpy as np
import pandas
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae.callbacks.disentanglement_metrics import DisentanglementMetrics
from keras_vae.disentanglement import mutual_information_gap

NAMES = ["mutual_information_gap", "factor_vae_score"]


@pytest.fixture(scope="module")
def data():
    """Images of two factors: how bright the upper half is, and the lower."""
    factors = np.tile(np.stack(np.divmod(np.arange(12), 4), axis=1), (10, 1))
    images = np.zeros((120, 4, 4, 1), np.float32)
    images[:, :2], images[:, 2:] = (factors[:, k, None, None, None] / 4 for k in range(2))
    return images, factors


def halves(images):
    """The factors, read off the images."""
    return np.asarray(images)[:, [0, 3], 0, 0]


def fit(vae, images, *callbacks, epochs=1):
    return vae.fit(images, batch_size=10, epochs=epochs, verbose=0, callbacks=callbacks).history


def test_scores_enter_the_logs_the_table_and_tensorboard(make_vae, images, data, tmp_path):
    metrics = DisentanglementMetrics(data, tmp_path, num_points=120, tensorboard=True)
    history = fit(make_vae(), images, metrics, epochs=2)
    frame = pandas.read_csv(tmp_path / "disentanglement.csv")
    assert list(frame.columns) == ["step", "epoch", *NAMES]
    assert list(frame["step"]) == [2, 4]
    for name in NAMES:
        np.testing.assert_allclose(frame[name], history[name])
        assert all(0 <= score <= 1 for score in history[name])
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    assert set(NAMES) <= set(events.Tags()["tensors"])


def test_the_scores_are_those_of_the_codes(make_vae, images, data):
    chosen = {"mutual_information_gap": {"num_bins": 5}}
    metrics = DisentanglementMetrics(data, None, chosen, num_points=120, encode=halves)
    history = fit(make_vae(), images, metrics)
    expected = mutual_information_gap(halves(data[0]), data[1], num_bins=5)["score"]
    assert history["mutual_information_gap"] == pytest.approx([expected])
    assert expected > 0.9


def test_callbacks_behind_it_see_the_scores(make_vae, images, data):
    metrics = DisentanglementMetrics(data, num_points=120, encode=halves)
    stop = keras.callbacks.EarlyStopping("factor_vae_score", mode="max", patience=2)
    assert fit(make_vae(), images, metrics, stop, epochs=9)["factor_vae_score"] == [1, 1, 1]


def test_between_two_measurements_the_last_one_stands(make_vae, images, data, tmp_path):
    metrics = DisentanglementMetrics(data, tmp_path, NAMES[:1], every=2, num_points=120)
    history = fit(make_vae(), images, metrics, epochs=5)["mutual_information_gap"]
    assert history[1] == history[2] != history[3] == history[4]
    assert list(pandas.read_csv(tmp_path / "disentanglement.csv")["epoch"]) == [1, 2, 4]


@pytest.mark.parametrize("eager", [False, True])
def test_training_ends_the_same_with_and_without(make_vae, images, data, tmp_path, eager):
    vaes = [make_vae(eager=eager) for _ in range(2)]
    fit(vaes[0], images, epochs=2)
    fit(vaes[1], images, DisentanglementMetrics(data, tmp_path, num_points=120), epochs=2)
    for plain, watched in zip(vaes[0].get_weights(), vaes[1].get_weights(), strict=True):
        np.testing.assert_array_equal(plain, watched)


def test_any_keras_model_by_its_encoder(images, data):
    x = keras.Input((4, 4, 1))
    hidden = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = keras.Model(x, keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(hidden)))
    model.compile(keras.optimizers.SGD(), "mse", jit_compile=False)
    encoder = keras.Model(x, hidden)
    metrics = DisentanglementMetrics(data, num_points=120, encode=encoder)
    history = model.fit(images, images, verbose=0, callbacks=[metrics]).history
    assert set(NAMES) <= set(history)
    with pytest.raises(ValueError, match="no way to encode"):
        model.fit(
            images, images, verbose=0, callbacks=[DisentanglementMetrics(data, num_points=120)]
        )


def test_a_failure_in_mid_training_is_one_warning(make_vae, images, data, tmp_path):
    calls = []

    def encode(images):
        calls.append(len(images))
        # The first images are encoded twice, to see whether the code is a sample.
        if len(calls) > 2:
            raise OSError("gone")
        return halves(images)

    metrics = DisentanglementMetrics(data, tmp_path, num_points=120, encode=encode)
    with pytest.warns(UserWarning, match="could not measure the codes.*gone") as warned:
        history = fit(make_vae(), images, metrics, epochs=3)
    assert sum("could not" in str(warning.message) for warning in warned) == 1
    assert len(history["loss"]) == 3


def test_what_cannot_be_measured_ends_the_run_before_its_first_step(make_vae, images, data):
    vae = make_vae()
    before = vae.get_weights()
    wrong = DisentanglementMetrics(data, None, {"sap_score": {"test_share": 2}}, num_points=120)
    with pytest.raises(ValueError, match="test_share"):
        fit(vae, images, wrong)
    scales = DisentanglementMetrics(
        data, None, ["posterior_mutual_information_gap"], num_points=120, encode=halves
    )
    with pytest.raises(ValueError, match="needs the standard deviations"):
        fit(vae, images, scales)
    for old, new in zip(before, vae.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_data_set_is_drawn_from_once(make_vae, images, data):
    class Factors:
        factor_names = ("upper", "lower", "constant")
        draws = 0

        def draw(self, count, generator):
            self.draws += 1
            rows = generator.integers(120, size=count)
            return np.pad(data[1][rows], ((0, 0), (0, 1))), data[0][rows]

    factors = Factors()
    metrics = DisentanglementMetrics(factors, num_points=1500, encode=halves)
    vae = make_vae()
    first = fit(vae, images, metrics)
    assert factors.draws == 2
    assert fit(vae, images, metrics)["factor_vae_score"] == first["factor_vae_score"] == [1]
    assert factors.draws == 2


def test_a_run_that_goes_on_keeps_its_rows(make_vae, images, data, tmp_path):
    vae = make_vae()
    for _ in range(2):
        fit(vae, images, DisentanglementMetrics(data, tmp_path, NAMES[:1], num_points=120))
    frame = pandas.read_csv(tmp_path / "disentanglement.csv")
    assert list(frame["step"]) == [2, 4]
    fit(make_vae(), images, DisentanglementMetrics(data, tmp_path, NAMES[:1], num_points=120))
    assert list(pandas.read_csv(tmp_path / "disentanglement.csv")["step"]) == [2]


def test_two_that_write_one_table_are_refused(make_vae, images, data, tmp_path):
    both = [DisentanglementMetrics(data, tmp_path, num_points=120) for _ in range(2)]
    with pytest.raises(ValueError, match=r"disentanglement\.csv"):
        fit(make_vae(), images, *both)
