"""Tests of what all picture callbacks share, by short trainings of models of every kind."""

import inspect
import math
import os
import shutil
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_vae import callbacks, drawing
from keras_vae.callbacks.helpers.picture_callback import PictureCallback
from keras_vae.callbacks.latent_map import LatentMap
from keras_vae.callbacks.latent_statistics import LatentStatistics
from keras_vae.callbacks.latent_traversal import LatentTraversal
from keras_vae.callbacks.prior_samples import PriorSamples
from keras_vae.callbacks.reconstruction_grid import ReconstructionGrid

layers = keras.layers
FOLDERS = {
    "reconstructions": (4 * 34 + 2, 2 * 34 + 2),
    "prior_samples": (3 * 34 + 2, 2 * 34 + 2),
    "traversals/grid": None,  # As wide as its title.
    "latent_map": (540, 490),
}


class Sampling(layers.Layer):
    """Draws a code, whether training or not, like many encoders found elsewhere."""

    def __init__(self, seed):
        super().__init__()
        self.seed_generator = None if seed is None else keras.random.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_variance = inputs
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seed_generator)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


class Moments(layers.Layer):
    """A posterior of standard deviation 1."""

    def call(self, mean):
        return mean, keras.ops.zeros_like(mean), mean


class ForeignVAE(keras.Model):
    """A model that knows nothing of this project."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, images):
        with tf.GradientTape() as tape:
            mean, log_variance, code = self.encoder(images, training=True)
            error = tf.reduce_mean((self.decoder(code, training=True) - images) ** 2)
            kl = tf.reduce_mean(mean**2 + tf.exp(log_variance) - log_variance - 1)
            loss = error + 0.01 * kl + sum(self.losses)
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def compiled(model, **options):
    model.compile(optimizer=keras.optimizers.Adam(1e-2), jit_compile=False, **options)
    return model


def foreign_vae(seed=1, **options):
    """With everything that a picture may disturb."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    image = keras.Input((4, 4, 1))
    hidden = layers.Dense(6, activation="relu")(layers.Flatten()(image))
    hidden = layers.Dropout(0.2, seed=2)(layers.BatchNormalization()(hidden))
    mean, log_variance = layers.Dense(2)(hidden), layers.Dense(2)(hidden)
    encoder = keras.Model(image, [mean, log_variance, Sampling(seed)([mean, log_variance])])
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16, activation="sigmoid", activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Reshape((4, 4, 1)),
        ]
    )
    return compiled(ForeignVAE(encoder, decoder), **options)


def unbuilt_vae():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([layers.Flatten(), layers.Dense(2), Moments()])
    decoder = keras.Sequential([layers.Dense(16), layers.Reshape((4, 4, 1))])
    return compiled(ForeignVAE(encoder, decoder))


class Noop(PictureCallback):
    """Draws one grey pixel."""

    def draw(self, functions):
        return {self.name: Image.new("L", (1, 1), 128)}


def picture_callbacks(images, folder, **options):
    return [
        ReconstructionGrid(images[:4], folder, **options),
        LatentTraversal(folder, images=images, around=images[0], num_steps=3, **options),
        PriorSamples(folder, num_images=6, **options),
        LatentMap(images, folder, labels=np.arange(20) % 3, **options),
    ]


def fit(model, images, callbacks=(), **options):
    model.fit(
        tf.data.Dataset.from_tensor_slices(images).batch(8),
        **{"epochs": 2, "verbose": 0, **options},
        callbacks=list(callbacks),
    )
    return [variable.numpy() for variable in model.variables]


MODELS = {
    "ours": lambda make_vae: make_vae(),
    "foreign": lambda make_vae: foreign_vae(),
    "foreign with unseeded noise": lambda make_vae: foreign_vae(seed=None),
    "foreign eager": lambda make_vae: foreign_vae(run_eagerly=True),
    "foreign not built": lambda make_vae: unbuilt_vae(),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_training_is_bit_identical_and_every_picture_is_there(kind, make_vae, images, tmp_path):
    plain = MODELS[kind](make_vae)
    plain_state = fit(plain, images)
    watched = MODELS[kind](make_vae)
    watched_state = fit(watched, images, picture_callbacks(images, tmp_path, frequency=2))
    for with_pictures, without in zip(watched_state, plain_state, strict=True):
        np.testing.assert_array_equal(with_pictures, without)
    assert watched.history.history == plain.history.history
    for name, size in FOLDERS.items():
        files = sorted(os.listdir(tmp_path / name))
        assert files == ["step_00000002.png", "step_00000004.png", "step_00000006.png"]
        for file in files:
            with Image.open(tmp_path / name / file) as picture:
                picture.load()
                assert size in (picture.size, None)


def test_several_steps_an_execution(make_vae, images, tmp_path):
    model = make_vae(compile_kwargs={"steps_per_execution": 2})
    fit(model, images, picture_callbacks(images, tmp_path, frequency="power_of_two"), epochs=1)
    files = sorted(os.listdir(tmp_path / "prior_samples"))
    # Steps 1 and 2 ran as one; step 3, the last, is not due.
    assert files == ["step_00000002.png"]


def test_epochs_go_to_tensorboard_as_they_go_to_files(make_vae, images, tmp_path):
    fit(make_vae(eager=True), images, picture_callbacks(images, tmp_path, tensorboard=True))
    reader = EventAccumulator(str(tmp_path / "tensorboard"), {"tensors": 0})
    # Every callback writes a file of its own, and a reader reads the newest unless given all.
    tags = {}
    for file in sorted((tmp_path / "tensorboard").iterdir()):
        reader = EventAccumulator(str(file), {"tensors": 0})
        reader.Reload()
        tags |= {tag: reader.Tensors(tag) for tag in reader.Tags()["tensors"]}
    assert set(tags) == {*FOLDERS, "traversals/latents"}
    for name, events in tags.items():
        assert [event.step for event in events] == [1, 2]
        for event in events:
            encoded = event.tensor_proto.string_val[2]
            with Image.open(tmp_path / name / f"epoch_{event.step:04d}.png") as picture:
                decoded = tf.io.decode_png(encoded).numpy().squeeze()
                np.testing.assert_array_equal(decoded, picture)


def test_resumed_run_numbers_on(make_vae, images, tmp_path):
    model = make_vae(eager=True)
    fit(model, images, [Noop(tmp_path, "dots")])
    fit(model, images, [Noop(tmp_path, "dots")], initial_epoch=1, epochs=3)
    assert sorted(os.listdir(tmp_path / "dots")) == [f"epoch_000{n}.png" for n in (1, 2, 3)]


@pytest.mark.filterwarnings("error")
def test_folder_removed_in_mid_training_is_made_again(make_vae, images, tmp_path):
    def remove(epoch, logs):
        if epoch == 0:
            shutil.rmtree(tmp_path / "run")

    spoiler = keras.callbacks.LambdaCallback(on_epoch_end=remove)
    fit(make_vae(eager=True), images, [Noop(tmp_path / "run", "dots"), spoiler], epochs=3)
    assert sorted(os.listdir(tmp_path / "run/dots")) == ["epoch_0002.png", "epoch_0003.png"]


@pytest.mark.parametrize("tensorboard", [False, True])
def test_file_in_the_way_in_mid_training_is_one_warning(make_vae, images, tmp_path, tensorboard):
    def spoil(epoch, logs):
        if epoch == 0:
            shutil.rmtree(tmp_path / "run")
            (tmp_path / "run").touch()

    model = make_vae(eager=True)
    callbacks = [
        Noop(tmp_path / "run", "dots", tensorboard=tensorboard),
        keras.callbacks.LambdaCallback(on_epoch_end=spoil),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, images, callbacks, epochs=4)
    caught = [str(warning.message) for warning in caught if "Noop" in str(warning.message)]
    assert len(caught) == 1
    assert "could not draw or write a picture, and training goes on" in caught[0]
    assert len(model.history.epoch) == 4


def test_failing_to_draw_is_one_warning(make_vae, images, tmp_path):
    class Clumsy(Noop):
        def draw(self, functions):
            raise MemoryError("too large")

    model = make_vae(eager=True)
    with pytest.warns(UserWarning, match="Clumsy could not draw.*MemoryError: too large") as caught:
        fit(model, images, [Clumsy(tmp_path, "dots")], epochs=3)
    assert len(caught) == 1
    assert len(model.history.epoch) == 3


def test_nothing_is_written_when_a_check_fails(make_vae, images, tmp_path):
    watching = picture_callbacks(images, tmp_path / "run", tensorboard=True)
    watching.append(LatentTraversal(tmp_path / "other", latents=(0, 5)))
    with pytest.raises(ValueError, match="no latent 5 in a model with 2 latents"):
        fit(make_vae(eager=True), images, watching)
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_written_is_an_error_at_the_start(make_vae, images, tmp_path):
    (tmp_path / "dots").touch()
    with pytest.raises(OSError, match="Cannot write into the folder"):
        fit(make_vae(eager=True), images, [Noop(tmp_path, "dots")])


def test_model_that_is_not_built_is_checked_after_its_first_step(images, tmp_path):
    model = unbuilt_vae()
    wrong = ReconstructionGrid(np.zeros((1, 5, 5, 1), np.float32), tmp_path)
    with pytest.raises(ValueError, match=r"Images of shape \(5, 5, 1\) do not fit the model"):
        fit(model, images, [wrong])
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda images, folder: PriorSamples(folder),
        lambda images, folder: LatentTraversal(folder),
        lambda images, folder: LatentMap(images, folder),
    ],
    ids=["decode", "decode", "encode"],
)
def test_functional_autoencoder_needs_functions(make, images, tmp_path, request):
    name = request.node.callspec.id.rstrip("01")
    with pytest.raises(ValueError, match=f"no way to {name} with .*Pass `{name}=`"):
        fit_autoencoder(autoencoder()[0], images, [make(images, tmp_path)])


def test_functional_autoencoder_with_functions(images, tmp_path):
    def trained(watching):
        model, encoder, decoder = autoencoder()
        fit_autoencoder(model, images, watching(encoder, decoder))
        return model.get_weights()

    def watching(encoder, decoder):
        return [
            ReconstructionGrid(images[:4], tmp_path),
            LatentTraversal(tmp_path, images=images, encode=encoder, decode=decoder, num_steps=3),
            PriorSamples(tmp_path, num_images=6, decode=decoder),
            LatentMap(images, tmp_path, encode=encoder),
        ]

    for ours, theirs in zip(trained(watching), trained(lambda *_: []), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name, size in FOLDERS.items():
        with Image.open(tmp_path / name / "epoch_0002.png") as picture:
            assert size in (picture.size, None)


def autoencoder():
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])
    decoder = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dropout(0.3),
            layers.Dense(16, activation="sigmoid"),
            layers.Reshape((4, 4, 1)),
        ]
    )
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, decoder(encoder(image)))
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    return model, encoder, decoder


def fit_autoencoder(model, images, callbacks):
    model.fit(images, images, epochs=2, batch_size=8, verbose=0, callbacks=callbacks)


def test_argument_that_is_no_function():
    with pytest.raises(
        ValueError, match=r"`decode`. Expected a function or `None`. Received: 'x'|decode='x'"
    ):
        PriorSamples("run", decode="x")


@pytest.mark.parametrize("cls", [ReconstructionGrid, LatentMap, LatentStatistics])
def test_swapped_images_and_folder_are_named(cls, images):
    with pytest.raises(
        ValueError, match=r"`images` and `folder` are swapped. Pass the images first"
    ):
        cls("run", images)


def test_images_come_before_the_folder_wherever_both_are_taken_by_place():
    for name in callbacks.__all__:
        parameters = inspect.signature(getattr(callbacks, name)).parameters.values()
        places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        if {"images", "folder"} <= set(places):
            assert places[:2] == ["images", "folder"], name


IMAGES = np.zeros((4, 4, 4, 1), np.float32)
# What `None`, `True`, `"a"` and NaN may be given for, and whatever takes any text.
SENSIBLE = {
    "labels": [None],
    "latents": [None],
    "around": [None],
    "images": [None],
    "limits": [None],
    "quantiles": [None],
    "grid_limits": [None],
    "num_rows": [None],
    "latent_dim": [None],
    "gif": [True],
    "error_row": [True],
    "tensorboard": [True],
    "reconstruct": [None],
    "encode": [None],
    "decode": [None],
    "sampler": [None],
    "warmup_steps": [None],
    "warmup_epochs": [None],
    "folder": ["a"],
    "attribute": ["a"],
}
NEEDED = {
    ReconstructionGrid: {"images": IMAGES, "folder": "run"},
    LatentTraversal: {"folder": "run"},
    PriorSamples: {"folder": "run"},
    LatentMap: {"images": IMAGES, "folder": "run"},
    LatentStatistics: {"images": IMAGES, "folder": "run"},
    callbacks.LossCurves: {"folder": "run"},
    callbacks.BetaSchedule: {"warmup_steps": 5},
    callbacks.CapacitySchedule: {"warmup_steps": 5},
    callbacks.ValueSchedule: {"attribute": "beta", "warmup_steps": 5},
}


@pytest.mark.parametrize(
    ("cls", "argument"),
    [(cls, name) for cls in NEEDED for name in inspect.signature(cls).parameters],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("value", ["a", None, True, math.nan])
def test_every_argument_refuses_what_makes_no_sense(cls, argument, value):
    allowed = list(SENSIBLE.get(argument, []))
    if argument == "folder" and cls is LatentStatistics:
        allowed.append(None)
    if argument == "images" and "images" in NEEDED[cls]:
        allowed = []
    if any(value is one or value == one for one in allowed):
        return
    with pytest.raises(ValueError, match=r"Received|swapped"):
        cls(**{**NEEDED[cls], argument: value})


def test_model_of_tf_keras_is_named(tmp_path):
    model = type("Model", (), {"__module__": "tf_keras.src.engine.training"})()
    with pytest.raises(ValueError, match=r"callback of Keras 3.*tf_keras.*`import keras`"):
        PriorSamples(tmp_path).set_model(model)


def test_picture_is_written_whole(make_vae, images, tmp_path, monkeypatch):
    fit(make_vae(eager=True), images, [Noop(tmp_path, "dots")], epochs=1)
    monkeypatch.setattr(drawing, "png", lambda picture: (_ for _ in ()).throw(OSError("full")))
    with pytest.warns(UserWarning, match="OSError: full"):
        fit(make_vae(eager=True), images, [Noop(tmp_path, "dots")], epochs=2)
    assert os.listdir(tmp_path / "dots") == ["epoch_0001.png"]
    with Image.open(tmp_path / "dots/epoch_0001.png") as picture:
        assert picture.getpixel((0, 0)) == 128
