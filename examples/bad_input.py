"""What `keras_vae` says to bad input: every mistake below is made, and its message printed.

    python examples/bad_input.py > docs/bad_input.md

A message says what was expected, what came and what to do; `tests/test_bad_input.py` holds each of
them to that. Nothing is written but into a temporary folder.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_vae
from keras_vae import callbacks, datasets, evaluation, networks
from keras_vae.distributions import Gaussian

SHAPE = (8, 8, 1)


class Case(NamedTuple):
    """A mistake.

    `make` makes it, given a folder to write into. Its message holds `expected`, `received` and
    `advice`; where what was expected is all the advice there is, that is empty.
    """

    what: str
    make: Callable[[Path], object]
    expected: str
    received: str
    advice: str = ""


def images(count: int = 6, shape: tuple = SHAPE) -> np.ndarray:
    """Grey images, the same at every call."""
    return np.random.default_rng(0).random((count, *shape), dtype=np.float32)


def spoiled(value: float) -> np.ndarray:
    """Images of which one pixel has that value."""
    spoiled = images()
    spoiled[3, 2, 1, 0] = value
    return spoiled


def encoder(latent_dim: int = 2) -> keras.Model:
    """A small encoder."""
    return networks.mlp_encoder(SHAPE, latent_dim, [4])


def decoder(latent_dim: int = 2, shape: tuple = SHAPE) -> keras.Model:
    """A small decoder."""
    return networks.mlp_decoder(shape, latent_dim, [4])


def vae(**arguments) -> keras_vae.VAE:
    """A small model, compiled."""
    model = keras_vae.VAE(**{"encoder": encoder(), "decoder": decoder(), **arguments})
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


def unbuilt() -> keras_vae.VAE:
    """A model whose encoder tells no shape."""
    return keras_vae.VAE(keras.Sequential([keras.layers.Flatten()]), decoder())


def plain(outputs: int) -> keras.Model:
    """A model from images to that many numbers."""
    return keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(outputs)]
    )


def fit(data, **arguments):
    """Trains on data, with what else `fit` takes."""
    return vae().fit(data, verbose=0, **arguments)


def batches(*arrays) -> tf.data.Dataset:
    """Batches of four."""
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(4)


def watch(callback: keras.callbacks.Callback):
    """Trains with a callback."""
    return fit(images(), callbacks=[callback])


def preset(folder: Path, damage: Callable[[Path], object]):
    """Saves a preset, damages it and loads it."""
    vae().save_to_preset(folder / "mine")
    damage(folder / "mine")
    return keras_vae.VAE.from_preset(folder / "mine")


def resume(folder: Path, damage: Callable[[Path], object] = lambda folder: None, **settings):
    """Trains with `Resume`, damages what it saved, and begins again with other settings."""
    watch(callbacks.Resume(folder / "run", {"beta": 1.0}))
    damage(folder / "run" / "resume")
    return callbacks.Resume(folder / "run", settings)


def a_file(folder: Path) -> Path:
    """A file that stands where a folder should be."""
    (folder / "file").touch()
    return folder / "file"


def set_beta(value):
    """Assigns to a model's beta."""
    vae().beta = value


class Other(keras_vae.VAE):
    """Another member of the family."""


CASES = {
    "Networks": [
        Case(
            "the shape of an image is empty",
            lambda _: networks.mlp_encoder((), 2),
            "Expected the shape of one image, such as (28, 28, 1)",
            "Received: input_shape=()",
        ),
        Case(
            "no latents",
            lambda _: networks.mlp_encoder(SHAPE, 0),
            "`latent_dim`. Expected positive integers",
            "Received: 0",
        ),
        Case(
            "one number in place of the hidden layers",
            lambda _: networks.mlp_decoder(SHAPE, 2, 100),
            "`hidden_sizes`. Expected a sequence of positive integers",
            "Received: hidden_sizes=100",
            "such as [100, 100]",
        ),
        Case(
            "a hidden layer of 1.5 units",
            lambda _: networks.mlp_decoder(SHAPE, 2, [1.5]),
            "`hidden_sizes`. Expected positive integers",
            "Received: 1.5",
        ),
        Case(
            "an activation that does not exist",
            lambda _: networks.mlp_encoder(SHAPE, 2, activation="rleu"),
            "Expected the name of a Keras activation, such as 'relu'",
            "Received: activation='rleu'",
        ),
        Case(
            "a scale that does not exist",
            lambda _: networks.mlp_encoder(SHAPE, 2, scale="sigmoid"),
            "Expected one of ['softplus', 'square', 'exp']",
            "Received: scale='sigmoid'",
        ),
        Case(
            "convolutions on images that do not halve",
            lambda _: networks.conv_encoder((28, 30, 1), 2),
            "whose height and width are multiples of 4",
            "Received: (28, 30, 1)",
            "Pass fewer `filters`, or pad the images",
        ),
        Case(
            "no convolution",
            lambda _: networks.conv_decoder(SHAPE, 2, filters=()),
            "Expected the filters of one convolution or more",
            "Received: filters=()",
            "For none, build an MLP",
        ),
        Case(
            "a kernel of size 0",
            lambda _: networks.conv_decoder(SHAPE, 2, kernel_size=0),
            "`kernel_size`. Expected positive integers",
            "Received: 0",
        ),
    ],
    "The model": [
        Case(
            "an encoder that is a function",
            lambda _: vae(encoder=len),
            "`encoder`. Expected a Keras model",
            "Received: encoder=<built-in function len>",
        ),
        Case(
            "an encoder that returns one array",
            lambda _: vae(encoder=plain(2)),
            "must return a dict of `loc` and `scale`, both of shape [batch, latent]",
            "Received: (None, 2)",
        ),
        Case(
            "networks of different latent size",
            lambda _: vae(decoder=decoder(3)),
            "the decoder takes inputs of shape (None, 3)",
            "the encoder returns 2 latents",
            "Build the decoder with `latent_dim=2`",
        ),
        Case(
            "a decoder of other images",
            lambda _: vae(decoder=decoder(shape=(8, 8, 3))),
            "Expected: (None, 8, 8, 1)",
            "Received: (None, 8, 8, 3)",
            "must return the likelihood's parameters in the shape of the images",
        ),
        Case(
            "a negative beta",
            lambda _: vae(beta=-1),
            "Expected a finite number of at least 0",
            "Received: -1",
        ),
        Case(
            "a beta that is a word",
            lambda _: vae(beta="large"),
            "Expected a finite number of at least 0",
            "Received: large",
        ),
        Case(
            "beta becomes NaN later",
            lambda _: set_beta(float("nan")),
            "Expected a finite number of at least 0",
            "Received: nan",
        ),
        Case(
            "a reduction that does not exist",
            lambda _: vae(reduction="max"),
            "Expected one of ['sum', 'mean']",
            "Received: reduction='max'",
        ),
        Case(
            "a likelihood that does not exist",
            lambda _: vae(likelihood="poisson"),
            "Expected one of ['bernoulli', 'continuous_bernoulli', 'gaussian'",
            "Received: likelihood='poisson'",
            "or a likelihood layer with a `distribution` method",
        ),
        Case(
            "a prior that does not exist",
            lambda _: vae(prior="laplace"),
            "Expected one of [",
            "Received: prior='laplace'",
            "or a prior layer with a `distribution` method",
        ),
        Case(
            "a negative seed",
            lambda _: vae(seed=-1),
            "Expected an integer from 0 to 2**31 - 1",
            "Received: seed=-1",
        ),
        Case(
            "a Gaussian without width",
            lambda _: Gaussian(scale=0.0),
            "Expected a positive finite number",
            "Received: scale=0.0",
        ),
        Case(
            "a learned width that starts below its bound",
            lambda _: Gaussian(scale=1e-6, learn_scale=True),
            "must start at a number of 0.001 or above",
            "Received: scale=1e-06",
        ),
        Case(
            "no sample",
            lambda _: vae().sample(0),
            "`n`. Expected a positive integer",
            "Received: n=0",
        ),
        Case(
            "samples of a model that is not built",
            lambda _: unbuilt().sample(1),
            "`sample` needs a built model",
            "",
            "Call the model on a batch of images",
        ),
        Case(
            "export of a model that is not built",
            lambda folder: unbuilt().export(folder / "saved_model"),
            "`export` needs a built model",
            "",
            "Call the model on a batch of images",
        ),
        Case(
            "no step an execution",
            lambda _: vae().compile("adam", steps_per_execution=0),
            "`steps_per_execution`. Expected a positive integer",
            "Received: steps_per_execution=0",
        ),
        Case(
            "images to embed that the encoder does not take",
            lambda _: vae().embed(images(shape=(4, 4, 1))),
            "Expected: [batch, 8, 8, 1]",
            "Received: [6, 4, 4, 1]",
            "Resize the images",
        ),
        Case(
            "bytes to encode",
            lambda _: vae().encode(images().astype("uint8")),
            "Images must be floating point",
            "Received: dtype uint8",
            "pass `x.astype('float32') / 255`",
        ),
    ],
    "Images to `fit` and `evaluate`": [
        Case(
            "bytes",
            lambda _: fit((images() * 255).astype("uint8")),
            "Images must be floating point, scaled to the support of the likelihood",
            "Received: dtype uint8",
            "pass `x.astype('float32') / 255`",
        ),
        Case(
            "floating point from 0 to 255",
            lambda _: fit(np.float32([0, 255] * 3)[:, None, None, None] * np.ones(SHAPE, "f")),
            "Images must be within [0, 1], the support of the likelihood",
            "Received: values from 0.0 to 255.0",
            "Scale them, for example `x / 255`",
        ),
        Case(
            "pixels that are NaN",
            lambda _: fit(spoiled(np.nan)),
            "Images must be finite",
            "Received: values that are NaN or infinite",
            "Remove or repair those images",
        ),
        Case(
            "no axis of the channel",
            lambda _: fit(images()[..., 0]),
            "Expected: [batch, 8, 8, 1]",
            "Received: [6, 8, 8]",
            "Add the axis of the channel: `x[..., None]`",
        ),
        Case(
            "flat images",
            lambda _: fit(images().reshape(6, 64)),
            "Expected: [batch, 8, 8, 1]",
            "Received: [6, 64]",
            "Reshape them: `x.reshape((-1, 8, 8, 1))`",
        ),
        Case(
            "images of another size",
            lambda _: vae().evaluate(images(shape=(9, 8, 1)), verbose=0),
            "Expected: [batch, 8, 8, 1]",
            "Received: [6, 9, 8, 1]",
            "Resize the images, or build both networks for images of shape (9, 8, 1)",
        ),
        Case(
            "a single image",
            lambda _: fit(images()[0]),
            "Expected: [batch, 8, 8, 1]",
            "Received: [8, 8, 1]",
            "`image[None]` for a single one",
        ),
        Case(
            "no image",
            lambda _: fit(images(0)),
            "There are no images",
            "Received: shape (0, 8, 8, 1)",
            "Look at what selected them",
        ),
        Case(
            "nested lists",
            lambda _: fit(images().tolist()),
            "Images must be an array [batch, *event]",
            "Received: a list of list",
            "Lists become an array by `np.asarray(images, 'float32')`",
        ),
        Case(
            "the path of a folder",
            lambda _: fit("images/"),
            "Images must be an array [batch, *event], or a `tf.data.Dataset`",
            "Received: 'images/'",
        ),
        Case(
            "several arrays by name",
            lambda _: fit({"image": images()}),
            "Images must be one array",
            "Received: keys ['image']",
            "Pass the array alone",
        ),
        Case(
            "nothing",
            lambda _: fit(None),
            "`fit` needs images",
            "Received: x=None",
        ),
        Case(
            "images and labels as one",
            lambda _: fit((images(), np.zeros(6))),
            "`fit` takes images as `x`, labels as `y`",
            "Received: x=a tuple",
            "Pass its parts one by one",
        ),
        Case(
            "a batch of none",
            lambda _: fit(images(), batch_size=0),
            "`batch_size`. Expected a positive integer",
            "Received: batch_size=0",
        ),
        Case(
            "fewer sample weights than images",
            lambda _: fit(images(), sample_weight=np.ones(5)),
            "Expected: shape [6]",
            "Received: shape [5]",
            "There must be one sample weight an image",
        ),
        Case(
            "sample weights of pixels",
            lambda _: fit(batches(images(), np.zeros(6), np.ones((6, 8, 8)))),
            "There must be one sample weight an image. Expected: shape [batch]",
            "Received: shape [None, 8, 8]",
            "take their mean over each image",
        ),
        Case(
            "sample weights that are NaN",
            lambda _: fit(batches(images(), np.zeros(6), np.full(6, np.nan))),
            "Sample weights must be finite numbers of at least 0",
            "A batch of the data set has others",
            "Weight 0 leaves an image out",
        ),
        Case(
            "bad validation data",
            lambda _: fit(images(), validation_data=(images() * 255, np.zeros(6))),
            "Images must be within [0, 1]",
            "Received: values from",
            "Scale them",
        ),
        Case(
            "a data set of single images",
            lambda _: fit(tf.data.Dataset.from_tensor_slices(images())),
            "Expected: [batch, 8, 8, 1]",
            "Received: [8, 8, 1]",
            "Pass several at once: `dataset.batch(128)`",
        ),
        Case(
            "a data set with a pixel of 255",
            lambda _: fit(batches(spoiled(255.0))),
            "Images must be finite and within [0, 1]",
            "A batch of the dataset is not",
            "Scale or clean the images before training",
        ),
        Case(
            "a data set of dicts",
            lambda _: fit(batches({"image": images()})),
            "Data sets must yield images, (images,), (images, labels) or",
            "Received: elements of {'image'",
            "Bring them into that form by `dataset.map`",
        ),
        Case(
            "a data set of nothing",
            lambda _: fit(batches(images()).take(0)),
            "There are no images",
            "Received: an empty data set",
            "Look at what `take`, `filter` or `drop_remainder` leave of it",
        ),
        Case(
            "a generator that has ended",
            lambda _: fit(batch for batch in ()),
            "There are no images",
            "Received: a generator that yields nothing",
            "make a new one for every `fit`",
        ),
        Case(
            "a loss",
            lambda _: keras_vae_with_loss().fit(images(), verbose=0),
            "compile it without the argument `loss`",
            "Received: loss='mse'",
        ),
    ],
    "Data sets": [
        Case(
            "a name with a slip of the pen",
            lambda _: datasets.load("mnits"),
            "Expected 'typeset_digits' or an image set of TensorFlow Datasets",
            "Received: name='mnits'",
            "Did you mean",
        ),
        Case(
            "a split that does not exist",
            lambda folder: datasets.load("typeset_digits", split=7),
            "`split`. Expected a string such as 'train' or 'train+test'",
            "Received: split=7",
        ),
        Case(
            "a size that is no pair",
            lambda _: datasets.load("mnist", image_size=32),
            "`image_size`. Expected (height, width), positive integers",
            "Received: image_size=32",
        ),
        Case(
            "a batch of none",
            lambda _: datasets.from_arrays(images(), batch_size=0),
            "`batch_size`. Expected a positive integer",
            "Received: batch_size=0",
        ),
        Case(
            "a way to binarize that does not exist",
            lambda _: datasets.from_arrays(images(), binarize="static"),
            "`binarize`. Expected one of [None, 'dynamic', 'fixed']",
            "Received: binarize='static'",
        ),
        Case(
            "pixels to binarize that are no probabilities",
            lambda _: datasets.from_arrays(images() * 0 + 255, binarize="dynamic"),
            "Expected: values in [0, 1]",
            "Received: values from 255.0 to 255.0",
            "Scale them, for example `x / 255`, or pass bytes",
        ),
        Case(
            "a start before the first batch",
            lambda _: datasets.from_arrays(images(), start=-1),
            "`start`. Expected an integer of at least 0",
            "Received: start=-1",
        ),
        Case(
            "pixels of 64-bit integers",
            lambda _: datasets.from_arrays(np.ones((6, *SHAPE), np.int64)),
            "Images must be bytes (uint8) or floating point",
            "Received: dtype int64",
            "Convert them with `images.astype('float32')`",
        ),
        Case(
            "fewer labels than images",
            lambda _: datasets.from_arrays(images(), np.zeros(5)),
            "There must be a label for every image",
            "Received: 6 images and 5 labels",
            "Select both alike",
        ),
        Case(
            "images of differing sizes",
            lambda _: datasets.from_arrays([np.zeros((2, 2, 1)), np.zeros((3, 3, 1))]),
            "Images must be one array [n, *event], all of the same shape",
            "Received: list of differing shapes",
            "Resize or crop them alike",
        ),
        Case(
            "a batch that is larger than the data",
            lambda _: datasets.from_arrays(images(), drop_remainder=True),
            "too few for a batch of 128",
            "6 images",
            "Pass a smaller `batch_size`, or `drop_remainder=False`",
        ),
    ],
    "Presets": [
        Case(
            "a name with a slip of the pen",
            lambda _: keras_vae.VAE.from_preset("mnist_mpl"),
            "Expected one of [",
            "Received: 'mnist_mpl'",
            "Did you mean 'mnist_mlp'?",
        ),
        Case(
            "a model of another class",
            lambda _: Other.from_preset("mnist_map"),
            "Expected: a Other",
            "is a VAE",
            "Load it with `VAE.from_preset`",
        ),
        Case(
            "a file that was cut short",
            lambda folder: preset(folder, lambda at: (at / "mine.keras").write_bytes(b"PK")),
            "Expected: SHA-256",
            "Received: ",
            "Fetch both files anew",
        ),
        Case(
            "a card that is no JSON",
            lambda folder: preset(folder, lambda at: (at / "mine.json").write_text("{")),
            "cannot be read",
            "Expecting property name",
        ),
        Case(
            "a folder without a card",
            lambda folder: preset(folder, lambda at: (at / "mine.json").unlink()),
            "A preset's folder holds one card, a .json file",
            "with 0",
        ),
    ],
    "Evaluation": [
        Case(
            "no samples",
            lambda _: evaluation.log_likelihood(vae(), images(), num_samples=0),
            "`num_samples`. Expected a positive integer",
            "Received: num_samples=0",
        ),
        Case(
            "a model that is not built",
            lambda _: evaluation.evaluate_elbo(unbuilt(), images()),
            "needs a built `keras_vae.VAE`",
            "Received: VAE",
            "`build((None, height, width, channels))`, first",
        ),
        Case(
            "a model of another kind",
            lambda _: evaluation.evaluate_elbo(plain(2), images()),
            "needs a built `keras_vae.VAE`",
            "Received: Sequential",
        ),
        Case(
            "a generator",
            lambda _: evaluation.reconstruction_error(vae(), (x for x in [images()])),
            "needs images as an array, or batches of them as a `tf.data.Dataset`",
            "Received: generator",
            "Collect the images by `np.concatenate`",
        ),
        Case(
            "a negative threshold",
            lambda _: evaluation.latent_statistics(vae(), images(), threshold=-1.0),
            "`threshold`. Expected a variance of at least 0",
            "Received: threshold=-1.0",
        ),
        Case(
            "a probe without labels",
            lambda _: evaluation.linear_probe(vae(), batches(images()), batches(images())),
            "needs a `tf.data.Dataset` of batches (images, labels)",
            "Received: TensorSpec",
            "Load the data set with `with_labels=True`",
        ),
        Case(
            "a probe of labels that are no classes",
            lambda _: evaluation.linear_probe(
                vae(), batches(images(), np.ones(6)), batches(images(), np.ones(6))
            ),
            "Expected: integers [n] from 0",
            "Received: float64 [6] from 1.0",
            "Number the classes, for example by `np.unique(labels, return_inverse=True)`",
        ),
    ],
    "Callbacks": [
        Case(
            "a file in place of the folder",
            lambda folder: watch(callbacks.ELBOLogger(a_file(folder), print_table=False)),
            "Cannot write into the folder",
            "is not a folder",
            "Choose a folder that exists or can be made",
        ),
        Case(
            "every 0 steps",
            lambda folder: callbacks.ELBOLogger(folder, frequency=0),
            "`frequency`. Expected 'power_of_two', 'logarithmic', 'epoch' or a positive number",
            "Received: frequency=0",
        ),
        Case(
            "a frequency that does not exist",
            lambda folder: callbacks.PriorSamples(folder, frequency="power_of_2"),
            "Expected 'power_of_two', 'logarithmic', 'epoch' or a positive number of steps",
            "Received: frequency='power_of_2'",
        ),
        Case(
            "one name in place of several",
            lambda folder: callbacks.ELBOLogger(folder, names="loss"),
            "`names`. Expected a sequence of names in the logs, such as",
            "Received: names='loss'",
        ),
        Case(
            "bytes to reconstruct",
            lambda folder: callbacks.ReconstructionGrid(images().astype("uint8"), folder),
            "`images`. Expected floating point images [n, height, width, channels]",
            "Received: uint8 (6, 8, 8, 1)",
        ),
        Case(
            "images to reconstruct that the model does not take",
            lambda folder: watch(callbacks.ReconstructionGrid(images(shape=(4, 4, 1)), folder)),
            "Pass images of the shape that it is trained on",
            "Images of shape (4, 4, 1) do not fit the model",
        ),
        Case(
            "a latent that the model does not have",
            lambda folder: watch(callbacks.LatentTraversal(folder, latents=(0, 7))),
            "in a model with 2 latents, counted from 0",
            "Received: latents=(0, 7)",
        ),
        Case(
            "the same latent twice",
            lambda folder: callbacks.LatentTraversal(folder, latents=(1, 1)),
            "`latents`. Expected two different latents, counted from 0",
            "Received: latents=(1, 1)",
        ),
        Case(
            "quantiles that are no probabilities",
            lambda folder: callbacks.LatentTraversal(folder, quantiles=(0, 1)),
            "`quantiles`. Expected two probabilities between 0 and 1, the smaller first",
            "Received: quantiles=(0, 1)",
        ),
        Case(
            "fewer labels than images on the map",
            lambda folder: callbacks.LatentMap(images(), folder, labels=[1, 2]),
            "`labels`. Expected one label an image: (6,)",
            "Received: shape (2,)",
        ),
        Case(
            "statistics of one image",
            lambda _: callbacks.LatentStatistics(images(1)),
            "`images`. Expected at least 2 images, [n, *event]",
            "Received: shape (1, 8, 8, 1)",
        ),
        Case(
            "a schedule that does not exist",
            lambda _: callbacks.BetaSchedule("exponential", warmup_steps=10),
            "`schedule`. Expected one of ['linear', 'cosine', 'sigmoid', 'cyclical']",
            "Received: schedule='exponential'",
            "or a function of the step",
        ),
        Case(
            "a schedule of unknown length",
            lambda _: callbacks.BetaSchedule(),
            "either as `warmup_steps` or as `warmup_epochs`, greater than 0",
            "Received: warmup_steps=None, warmup_epochs=None",
            "Pass how long the warm-up is",
        ),
        Case(
            "a schedule that gives NaN",
            lambda _: watch(callbacks.BetaSchedule(lambda step: float("nan"))),
            "The schedule of `beta` must give finite numbers",
            "Received: nan at step 0",
        ),
        Case(
            "a schedule of what the model does not have",
            lambda _: watch(callbacks.CapacitySchedule(warmup_steps=10)),
            "Make it a variable in the model's constructor",
            "VAE has no attribute `capacity` to schedule",
            "self.add_weight(",
        ),
        Case(
            "a run with other settings, resumed",
            lambda folder: resume(folder, beta=2.0),
            "had other settings",
            "beta: 1.0 then, 2.0 now",
            "Go on with those, or choose another folder",
        ),
        Case(
            "a damaged run, resumed",
            lambda folder: resume(folder, lambda at: (at / "state.json").write_text("{"), beta=1.0),
            "The saved state in",
            "is damaged",
            "Remove that folder to begin anew",
        ),
        Case(
            "no pictures to animate",
            lambda folder: callbacks.animate(folder),
            "There are no pictures '*.png' in",
            "to animate",
            "Pass the folder that a callback wrote pictures into",
        ),
    ],
}


def keras_vae_with_loss() -> keras_vae.VAE:
    """A model that was given a loss besides its own."""
    model = vae()
    model.compile("adam", "mse")
    return model


def error_of(case: Case, folder: Path) -> Exception:
    """What the mistake raises.

    Raises:
        RuntimeError: If it raises nothing.
    """
    try:
        case.make(folder)
    except Exception as error:
        return error
    raise RuntimeError(f"Nothing is said of: {case.what}.")


def page() -> str:
    """All mistakes and their messages, in Markdown."""
    lines = [
        "# What it says to bad input",
        "",
        "Every mistake here is made by `python examples/bad_input.py`, which writes this page; a",
        "test holds each message to what was expected, what came and what to do.",
    ]
    for area, cases in CASES.items():
        lines += ["", f"## {area}", "", "| mistake | message |", "|---|---|"]
        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                error = error_of(case, Path(folder))
            message = str(error).replace(folder, "runs")
            lines.append(f"| {case.what} | {type(error).__name__}: {cell(message)} |")
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text as it stands in a table: one line, hashes shortened."""
    # Keras prints some in bold.
    text = re.sub(r"\x1b\[\d*m", "", " ".join(text.split()))
    text = re.sub(r"([0-9a-f]{8})[0-9a-f]{56}", r"\1...", text)
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
