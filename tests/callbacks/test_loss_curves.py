import threading

import keras
import numpy as np
import pandas
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae import drawing
from keras_vae.callbacks.loss_curves import LossCurves

NAMES = ["loss", "reconstruction_loss", "kl_loss"]


@pytest.fixture
def drawn(monkeypatch):
    """What the charts were asked to show, by their names."""
    shown = {}

    def recorded(name, draw):
        def record(*args, **kwargs):
            shown[name] = args
            shown[f"{name} options"] = kwargs
            return draw(*args, **kwargs)

        return record

    for name in ("loss_curves", "rate_distortion"):
        monkeypatch.setattr(drawing, name, recorded(name, getattr(drawing, name)))
    return shown


def autoencoder():
    x = keras.Input((4, 4, 1))
    y = keras.layers.Dense(16)(keras.layers.Flatten()(x))
    model = keras.Model(x, keras.layers.Reshape((4, 4, 1))(y))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def test_draws_training_and_validation(make_vae, images, tmp_path, drawn):
    vae = make_vae()
    history = vae.fit(
        images,
        validation_data=images[:8],
        batch_size=4,
        epochs=2,
        verbose=0,
        callbacks=[LossCurves(tmp_path, tensorboard=True)],
    ).history
    for name in ("losses", "rate_distortion"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.mode == "RGB"
            assert np.ptp(np.asarray(picture)) == 255
    frame = pandas.read_csv(tmp_path / "losses.csv")
    assert list(frame.columns) == ["step", "epoch", *NAMES, *(f"val_{name}" for name in NAMES)]

    steps, curves, (validated, validation) = drawn["loss_curves"]
    assert steps == list(range(1, 11))
    assert validated == [5, 10]
    for name in NAMES:
        own = [vae.step_logs(step)[name] for step in steps]
        np.testing.assert_allclose(curves[name], own, rtol=1e-6)
        np.testing.assert_allclose(validation[name], history[f"val_{name}"], rtol=1e-6)
    assert drawn["loss_curves options"]["ylabel"] == "loss  [nats an image]"
    (paths,) = drawn["rate_distortion"]
    # The path has every step's own point, and not the epochs' means alone.
    expected = [steps, curves["kl_loss"], curves["reconstruction_loss"]]
    np.testing.assert_allclose(paths["training"], expected, rtol=1e-6)
    expected = [[5, 10], history["val_kl_loss"], history["val_reconstruction_loss"]]
    np.testing.assert_allclose(paths["validation"], expected, rtol=1e-6)
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    assert {"losses", "rate_distortion"} <= set(events.Tags()["tensors"])


def test_means_over_pixels_and_latents_become_nats_an_image(make_vae, images, tmp_path, drawn):
    vae = make_vae(reduction="mean", beta=1.0)
    curves = LossCurves(tmp_path, frequency="epoch")
    history = vae.fit(images, batch_size=10, verbose=0, callbacks=[curves]).history
    (step,), (rate,), (distortion,) = drawn["rate_distortion"][0]["training"]
    assert step == 2
    label = drawn["loss_curves options"]["ylabel"]
    assert "nats a pixel" in label and "nats a latent" in label
    assert rate == pytest.approx(2 * history["kl_loss"][0], rel=1e-6)
    assert distortion == pytest.approx(16 * history["reconstruction_loss"][0], rel=1e-6)
    assert -(rate + distortion) == pytest.approx(history["elbo"][0], rel=1e-5)


def test_a_model_with_nothing_but_a_loss_has_no_rate(images, tmp_path, drawn):
    autoencoder().fit(images, images, batch_size=4, verbose=0, callbacks=[LossCurves(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"losses.png", "losses.csv"}
    assert np.isfinite(drawn["loss_curves"][1]["loss"]).all()
    assert drawn["loss_curves options"]["ylabel"] == "loss"
    assert list(pandas.read_csv(tmp_path / "losses.csv").columns) == ["step", "epoch", "loss"]


def test_points_are_few_on_a_long_run(images, tmp_path, drawn):
    model = autoencoder()
    model.fit(
        np.repeat(images, 50, axis=0),
        np.repeat(images, 50, axis=0),
        batch_size=1,
        verbose=0,
        callbacks=[LossCurves(tmp_path)],
    )
    steps = drawn["loss_curves"][0]
    assert steps[-1] == 1000
    assert len(steps) < 60


def test_a_second_fit_goes_on(images, tmp_path, drawn):
    model = autoencoder()
    for curves in (LossCurves(tmp_path), LossCurves(tmp_path)):
        model.fit(images, images, batch_size=4, verbose=0, callbacks=[curves])
    steps, _, (validated, _) = drawn["loss_curves"]
    assert steps == list(range(1, 11))
    assert validated == [5, 10]


def test_epochs_alone(images, tmp_path, drawn):
    curves = LossCurves(tmp_path, frequency="epoch")
    history = (
        autoencoder()
        .fit(images, images, batch_size=4, epochs=2, verbose=0, callbacks=[curves])
        .history
    )
    assert drawn["loss_curves"][0] == [5, 10]
    np.testing.assert_allclose(drawn["loss_curves"][1]["loss"], history["loss"])


def test_a_failure_to_draw_is_one_warning(images, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(drawing, "loss_curves", fail)
    with pytest.warns(UserWarning, match="LossCurves could not draw.*No space left") as warned:
        history = (
            autoencoder()
            .fit(images, images, epochs=3, verbose=0, callbacks=[LossCurves(tmp_path)])
            .history
        )
    assert sum("LossCurves" in str(warning.message) for warning in warned) == 1
    assert len(history["loss"]) == 3


def test_draws_in_a_thread(images, tmp_path):
    def train():
        autoencoder().fit(images, images, verbose=0, callbacks=[LossCurves(tmp_path)])

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert (tmp_path / "losses.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"names": "loss"}, "`names`"), ({"names": []}, "`names`"), ({"frequency": 0}, "`frequency`")],
)
def test_rejects_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        LossCurves(tmp_path, **arguments)


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(images, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot write into the folder"):
        autoencoder().fit(
            images, images, verbose=0, callbacks=[LossCurves(tmp_path / "file" / "run")]
        )
