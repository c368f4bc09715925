import math

import keras
import numpy as np
import pandas
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae.callbacks.latent_statistics import LatentStatistics


def trained(statistics, *callbacks, epochs=1, images=None):
    """The history of a model that has nothing to do with what is measured."""
    x = keras.Input((4, 4, 1))
    y = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(keras.layers.Flatten()(x)))
    model = keras.Model(x, y)
    model.compile(keras.optimizers.SGD(), "mse", jit_compile=False)
    images = np.zeros((4, 4, 4, 1), np.float32) if images is None else images
    callbacks = [statistics, *callbacks]
    return model.fit(images, images, epochs=epochs, verbose=0, callbacks=callbacks).history


def codes(loc, scale=None):
    """An encoder of images that are numbered by their first pixel."""

    def encode(images):
        rows = images.reshape(len(images), -1)[:, 0].astype(int)
        loc_of, scale_of = np.asarray(loc)[rows], scale
        if scale is None:
            return loc_of
        return {"loc": loc_of, "scale": np.broadcast_to(scale_of, loc_of.shape)}

    return encode


def numbered(n):
    return np.arange(n, dtype=np.float32)[:, None] * np.ones((1, 16), np.float32)


def test_a_perfectly_informative_code():
    n = 200
    loc = np.stack([np.arange(n), -np.arange(n)], axis=1) * 1.0
    statistics = LatentStatistics(numbered(n), encode=codes(loc, 0.01))
    history = trained(statistics)
    kl = np.mean(np.sum(0.5 * (loc**2 + 0.01**2 - 1) - math.log(0.01), axis=1))
    assert history["active_units"] == [2]
    assert history["latent_kl"] == pytest.approx([kl])
    assert history["mutual_information"] == pytest.approx([math.log(n)])
    assert history["marginal_kl"] == pytest.approx([kl - math.log(n)])


def test_a_collapsed_code_is_warned_of_once():
    statistics = LatentStatistics(numbered(50), encode=codes(np.zeros((50, 3)), 1.0))
    with pytest.warns(UserWarning, match="none of 3 latents is active.*over 50 images") as warned:
        history = trained(statistics, epochs=3)
    assert sum("collapsed" in str(warning.message) for warning in warned) == 1
    assert history["active_units"] == [0, 0, 0]
    for name in ("latent_kl", "mutual_information", "marginal_kl"):
        assert history[name] == pytest.approx([0, 0, 0], abs=1e-6)


def test_half_of_the_latents_collapsed(recwarn):
    loc = np.stack([np.where(np.arange(100) % 2, 50.0, -50.0), np.zeros(100)], axis=1)
    history = trained(LatentStatistics(numbered(100), encode=codes(loc, 1.0)))
    assert history["active_units"] == [1]
    assert history["latent_kl"] == pytest.approx([0.5 * 50**2])
    assert history["mutual_information"] == pytest.approx([math.log(2)])
    assert not [warning for warning in recwarn if "collapsed" in str(warning.message)]


def test_active_is_what_varies_more_than_the_threshold():
    loc = np.array([[0.0, 0.0], [0.199, 0.22]])
    for threshold, expected in ((0.01, 1), (0.0098, 2), (0.02, 0)):
        statistics = LatentStatistics(numbered(2), threshold=threshold, encode=codes(loc))
        assert trained(statistics)["active_units"] == [expected]


def test_a_code_without_a_scale_has_what_is_defined_for_it(tmp_path, recwarn):
    statistics = LatentStatistics(numbered(5), tmp_path, encode=codes(np.zeros((5, 2))))
    history = trained(statistics)
    assert history["active_units"] == [0]
    assert "latent_kl" not in history
    assert not [warning for warning in recwarn if "collapsed" in str(warning.message)]
    frame = pandas.read_csv(tmp_path / "latent_statistics.csv")
    assert list(frame.columns) == ["step", "epoch", "active_units", "variance_0", "variance_1"]
    assert not (tmp_path / "latent_kl.png").exists()


def test_files_hold_every_latent_and_epoch(make_vae, images, tmp_path):
    vae = make_vae(latent_dim=3)
    for _ in range(2):
        statistics = LatentStatistics(images[:7], tmp_path, tensorboard=True)
        history = vae.fit(
            images, batch_size=10, epochs=2, verbose=0, callbacks=[statistics]
        ).history
    frame = pandas.read_csv(tmp_path / "latent_statistics.csv")
    assert list(frame["step"]) == [2, 4, 6, 8]
    assert list(frame["epoch"]) == [1, 2, 1, 2]
    np.testing.assert_allclose(frame[["kl_0", "kl_1", "kl_2"]].sum(axis=1), frame["latent_kl"])
    np.testing.assert_allclose(frame["latent_kl"][2:], history["latent_kl"])
    posterior = vae.encode(images[:7])
    kl = np.mean(vae.kl_per_dimension(posterior), axis=0)
    np.testing.assert_allclose(frame.iloc[-1][["kl_0", "kl_1", "kl_2"]].to_numpy(), kl, rtol=1e-4)
    variance = np.var(posterior.mean(), axis=0)
    last = frame.iloc[-1][["variance_0", "variance_1", "variance_2"]].to_numpy()
    np.testing.assert_allclose(last, variance, rtol=1e-4)
    with Image.open(tmp_path / "latent_kl.png") as picture:
        assert picture.size == (640, 440)
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    expected = {"active_units", "latent_kl", "mutual_information", "marginal_kl"}
    assert expected <= set(events.Tags()["tensors"])


def test_early_stopping_and_checkpoints_can_watch(tmp_path):
    stop = keras.callbacks.EarlyStopping("active_units", mode="max", patience=2)
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "{active_units:.0f}.weights.h5",
        monitor="mutual_information",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    loc = np.stack([np.arange(5.0), np.zeros(5)], axis=1)
    statistics = LatentStatistics(numbered(5), encode=codes(loc, 0.1))
    history = trained(statistics, stop, checkpoint, epochs=9)
    assert history["active_units"] == [1, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["1.weights.h5"]


def test_between_two_measurements_the_last_one_stands(tmp_path):
    calls = []

    def encode(images):
        if len(images) > 2:
            calls.append(len(images))
        return np.eye(5)[: len(images)] * len(calls)

    statistics = LatentStatistics(numbered(5), tmp_path, every=2, threshold=0.5, encode=encode)
    history = trained(statistics, epochs=5)
    assert history["active_units"] == [0, 5, 5, 5, 5]
    assert list(pandas.read_csv(tmp_path / "latent_statistics.csv")["epoch"]) == [1, 2, 4]


def test_the_sample_is_the_same_in_every_epoch_and_touches_no_generator():
    loc = np.random.default_rng(1).normal(size=(30, 2))
    np.random.seed(5)
    state = np.random.get_state()[1].copy()
    history = trained(LatentStatistics(numbered(30), encode=codes(loc, 0.7)), epochs=2)
    first, second = history["mutual_information"]
    assert first == second
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_a_failure_to_measure_is_one_warning():
    def encode(images):
        if len(images) > 2:
            raise RuntimeError("out of memory")
        return np.zeros((len(images), 2))

    with pytest.warns(UserWarning, match="could not measure the codes.*out of memory") as warned:
        history = trained(LatentStatistics(numbered(5), encode=encode), epochs=2)
    assert sum("LatentStatistics" in str(warning.message) for warning in warned) == 1
    assert len(history["loss"]) == 2


def test_images_that_do_not_fit_are_an_error_before_the_first_step(make_vae, images):
    vae = make_vae()
    with pytest.raises(ValueError, match="do not fit the model"):
        vae.fit(images, verbose=0, callbacks=[LatentStatistics(images[:, :3])])
    assert int(vae.optimizer.iterations) == 0


def test_a_model_without_an_encoder_names_the_function_to_pass(images):
    with pytest.raises(ValueError, match="Pass `encode=`"):
        trained(LatentStatistics(images))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((1, 4))}, "`images`.*at least 2.*Received"),
        ({"images": np.zeros(4)}, "`images`.*Received"),
        ({"every": 0}, "`every`.*Received"),
        ({"every": 1.5}, "`every`.*Received"),
        ({"every": "2"}, "`every`.*Received"),
        ({"threshold": -1}, "`threshold`.*Received"),
        ({"threshold": "low"}, "`threshold`.*Received"),
        ({"seed": -1}, "`seed`.*Received"),
        ({"encode": "encoder"}, "`encode`. Expected a function or `None`.*Received"),
        ({"threshold": math.nan}, "`threshold`.*Received"),
        ({"tensorboard": True}, "needs a folder"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentStatistics(**{"images": np.zeros((2, 4)), **arguments})
