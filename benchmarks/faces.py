"""Faces: bounds, bits a dimension and pictures of models of real grey images.

    python benchmarks/faces.py frey_faces.npz --what curves
    python benchmarks/faces.py frey_faces.npz --what bits
    python benchmarks/faces.py olivetti_faces.npz --what pictures

FILE holds `images`, uint8 `[n, height, width]`, of one of two sets:

- the Frey faces, 1,965 consecutive frames of 28x20, of which 1,565 train, the next 200 choose and
  the last 200 are held out, as is customary;
- the Olivetti faces, 400 of 64x64, ten pictures of each of forty people, in order. Of 35 people
  eight pictures train, the ninth chooses and the tenth is held out; so are the last five people
  altogether.

Measurements:

- `curves`: the bound against the training images seen for 2, 5, 10 and 20 latents, of Gaussian
  encoder and decoder with 200 hidden units, as figure 2 of Kingma & Welling (2014) has it. Written
  to curves.png.
- `bits`: bits a dimension of a discretized logistic, for the VAE and the VampPrior, or those that
  `--models` names. The bound while it learns is written to bits.png.
- `pictures`: reconstructions of held-out faces, samples of the prior, samples of one Gaussian of
  the codes of the training, and walks from one face of the training to another, in
  reconstructions.png, samples.png, samples_gaussian.png and walk.png. Of the Olivetti faces two
  walks are between people, and two between the most different pictures of one.
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_VAE_QUIET", "1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras_vae
from keras_vae import drawing, evaluation, networks, objectives, samplers
from keras_vae.distributions import DiscretizedLogistic, Gaussian

import keras
import numpy as np
import tensorflow as tf

MODELS = ("VAE", "VampPriorVAE")


class Faces(NamedTuple):
    """Faces, float32 `[n, height, width, 1]` in [0, 1].

    Attributes:
        train: To train on.
        choose: By which training is stopped.
        held_out: By a name that says what is held out; the first are most like the training.
        people: Int. How many people are in `train`, as many pictures of each, one behind the other.
    """

    train: np.ndarray
    choose: np.ndarray
    held_out: dict[str, np.ndarray]
    people: int


def main():
    """Parses the command line and prints one table, or draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("file", type=Path, help="an .npz with `images`")
    add("--what", choices=("curves", "bits", "pictures"), required=True, help="which measurement")
    add("--steps", type=int, help="training steps of each model, at most (by the measurement)")
    add(
        "--patience", type=int, help="epochs without a better bound to stop after (50; pictures 20)"
    )
    add("--models", nargs="+", choices=MODELS, default=list(MODELS), help="for `bits` (both)")
    add("--batch-size", type=int, default=100, help="for `bits` (100)")
    add("--samples", type=int, default=200, help="an image, for `bits` (200)")
    add("--rate", type=float, default=1e-3, help="learning rate, but for `curves` (1e-3)")
    add("--latents", type=int, default=20, help="of each model, but for `curves` (20)")
    add("--scale", type=float, default=0.3, help="that `pictures` begin to learn from (0.3)")
    add("--mlp", action="store_true", help="fully connected networks (what `for_data` chooses)")
    add("--plain", action="store_true", help="the same residual networks, not normalised")
    add("--mirror", action="store_true", help="train on mirrored faces, too")
    add("--threads", type=int, default=0, help="of TensorFlow within an operation (0: its own)")
    add("--output-dir", type=Path, default=Path("runs/faces"), help="folder (runs/faces)")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    faces = load(options.file)
    held_out = ", ".join(f"{len(x)} {name}" for name, x in faces.held_out.items())
    print(f"{len(faces.train)} to train on, {len(faces.choose)} choose, {held_out}", flush=True)
    if options.mirror:
        both = np.concatenate([faces.train, faces.train[:, :, ::-1]])
        faces = faces._replace(train=both)
    {"curves": curves, "bits": bits, "pictures": pictures}[options.what](faces, options)


def load(path: Path, shrink: int = 1) -> Faces:
    """The faces of a file, as they are split in the docstring of this program.

    Args:
        path: Of the file.
        shrink: Means of so many by so many pixels, rounded to bytes, take their place.
    """
    images = np.load(path, allow_pickle=False)["images"]
    count, height, width = images.shape
    squares = images.reshape(count, height // shrink, shrink, width // shrink, shrink)
    images = np.rint(squares.mean(axis=(2, 4)))[..., None].astype(np.float32) / 255
    if (height, width) == (28, 20):
        train, choose, test = np.split(images, [1565, 1765])
        return Faces(train, choose, {"held out": test}, 1)
    people = images.reshape(-1, 10, *images.shape[1:])
    known, strangers = np.split(people, [-5])
    return Faces(
        np.concatenate(known[:, :8]),
        known[:, 8],
        {"other pictures": known[:, 9], "other people": np.concatenate(strangers)},
        len(known),
    )


def model_of(cls, faces, likelihood, options, **arguments):
    """A model of some class."""
    keras.utils.set_random_seed(0)
    if not options.mlp and not options.plain:
        return cls.for_data(
            faces.train, options.latents, likelihood=likelihood, verbose=False, seed=0, **arguments
        )
    shape, latents = faces.train.shape[1:], options.latents
    if options.mlp:
        encoder = networks.mlp_encoder(shape, latents, (512, 256))
        decoder = networks.mlp_decoder(shape, latents, (256, 512), likelihood=likelihood)
    else:
        encoder = networks.residual_encoder(shape, latents, width=16)
        decoder = networks.residual_decoder(shape, latents, width=16, likelihood=likelihood)
    return cls(encoder, decoder, likelihood=likelihood, seed=0, **arguments)


def fit_while_it_helps(vae, faces, steps, batch_size, patience, rate):
    """Trains until the bound of images that choose falls, at most so many steps.

    Returns:
        What `fit` remembers; the weights are those of the best epoch.
    """
    vae.compile(keras.optimizers.Adam(rate))
    data = keras_vae.datasets.from_arrays(faces.train, batch_size=batch_size)
    stop = keras.callbacks.EarlyStopping(
        "val_elbo", mode="max", patience=patience, restore_best_weights=True
    )
    epochs = max(1, steps // len(data))
    return vae.fit(
        data, validation_data=faces.choose, epochs=epochs, verbose=0, callbacks=[stop]
    ).history


class Bounds(keras.callbacks.Callback):
    """Remembers the bound of training and held-out images whenever the images seen double."""

    def __init__(self, train, test, batch_size):
        super().__init__()
        self.train, self.test, self.batch_size = train, test, batch_size
        self.points = []

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates; epochs double in length."""
        seen = int(self.model.optimizer.iterations) * self.batch_size
        bounds = [
            evaluation.evaluate_elbo(self.model, x, progress=False)["elbo"]
            for x in (self.train, self.test)
        ]
        self.points.append((seen, *bounds))


def curves(faces, options):
    """The bound against the images seen, by the number of latents."""
    steps, batch_size = options.steps or 16_000, 100
    train, test = faces.train, next(iter(faces.held_out.values()))
    chart = drawing.Chart((760, 460))
    print(f"{'latents':>8} {'images seen':>12} {'train':>8} {'test':>8}  bound in nats an image")
    everything = []
    for index, latent_dim in enumerate((2, 5, 10, 20)):
        keras.utils.set_random_seed(0)
        likelihood = Gaussian("decoded")
        layers = {"hidden_sizes": [200], "activation": "tanh"}
        shape = train.shape[1:]
        vae = keras_vae.VAE(
            networks.mlp_encoder(shape, latent_dim, **layers),
            networks.mlp_decoder(shape, latent_dim, likelihood=likelihood, **layers),
            likelihood,
            seed=0,
        )
        vae.compile(keras.optimizers.Adam(1e-3))
        data = keras_vae.datasets.from_arrays(train, batch_size=batch_size, drop_remainder=True)
        bounds, done, length = Bounds(train, test, batch_size), 0, 125
        while done < steps:
            vae.fit(data.repeat(), steps_per_epoch=length, verbose=0, callbacks=[bounds])
            done, length = done + length, done + length
        for seen, on_train, on_test in bounds.points:
            print(f"{latent_dim:8} {seen:12} {on_train:8.1f} {on_test:8.1f}", flush=True)
        seen, on_train, on_test = np.array(bounds.points).T
        everything += [*on_train[seen > 3e4], *on_test[seen > 3e4]]
        color = drawing.PALETTE[index]
        chart.line(f"{latent_dim} a", seen, on_train, color=color, label=f"{latent_dim} latents")
        chart.line(f"{latent_dim} b", seen, on_test, color=color, ls="--", label="_test")
    chart.scale("x", 1e4, steps * batch_size, True, "training images seen")
    chart.scale("y", min(everything), max(everything), False, "bound (nats an image)")
    chart.picture().save(options.output_dir / "curves.png")


def bits(faces, options):
    """Bits a dimension, with what is best on the images that choose."""
    heads = "".join(f"{name:>16}" for name in ("train", *faces.held_out))
    print(f"{'model':14}{heads}  bits a dimension ({options.samples} samples)")
    bits_of = faces.train[0].size * np.log(2)
    chart, curves_of = drawing.Chart((760, 460)), {}
    for name in options.models:
        cls = {"VAE": keras_vae.VAE, "VampPriorVAE": objectives.VampPriorVAE}[name]
        arguments = {"num_pseudo_inputs": 100} if name == "VampPriorVAE" else {}
        vae = model_of(cls, faces, DiscretizedLogistic(), options, **arguments)
        if name == "VampPriorVAE":
            vae.pseudo_inputs.assign(faces.train[:: len(faces.train) // 100][:100])
        history = fit_while_it_helps(
            vae,
            faces,
            options.steps or 10_000,
            options.batch_size,
            options.patience or 50,
            options.rate,
        )
        found = [
            evaluation.bits_per_dimension(vae, x, options.samples, progress=False)
            for x in (faces.train, *faces.held_out.values())
        ]
        best = 1 + int(np.argmax(history["val_elbo"]))
        numbers = "".join(f"{figures['bits_per_dimension']:16.3f}" for figures in found)
        print(f"{name:14}{numbers}  epoch {best} of {len(history['elbo'])}", flush=True)
        curves_of[name] = [-np.array(history[key]) / bits_of for key in ("elbo", "val_elbo")]
    epochs = max(len(train) for train, _ in curves_of.values())
    seen = np.concatenate(
        [np.concatenate([train[2:], chosen[2:]]) for train, chosen in curves_of.values()]
    )
    for index, (name, (train, chosen)) in enumerate(curves_of.items()):
        x, color = np.arange(1, len(train) + 1), drawing.PALETTE[index]
        chart.line(f"{name} a", x, train, color=color, label=f"{name}, training")
        chart.line(
            f"{name} b", x, chosen, color=color, ls="--", label=f"{name}, images that choose"
        )
    chart.scale("x", 1, epochs, False, "epochs")
    chart.scale("y", seen.min(), min(8, seen.max()), False, "bound (bits a dimension)")
    chart.picture().save(options.output_dir / "bits.png")


def pictures(faces, options):
    """Reconstructions, samples and walks of one model."""
    vae = model_of(keras_vae.VAE, faces, Gaussian(options.scale, learn_scale=True), options)
    history = fit_while_it_helps(
        vae, faces, options.steps or 4000, 50, options.patience or 20, options.rate
    )
    print(f"best after epoch {1 + int(np.argmax(history['val_elbo']))} of {len(history['elbo'])}")
    folder, rows = options.output_dir, []
    scale = 2 if faces.train.shape[1] < 64 else 1
    for test in faces.held_out.values():
        chosen = test[:: max(1, len(test) // 10)][:10]
        rows += [chosen, vae.reconstruct(chosen).numpy()]
    drawing.image_grid(np.stack(rows), scale=scale).save(folder / "reconstructions.png")
    # More components would learn the few training images by heart.
    one_gaussian = samplers.GaussianMixtureSampler(num_components=1)
    one_gaussian.fit(samplers.codes_of(vae, faces.train))
    for name, sampler in (("samples", None), ("samples_gaussian", one_gaussian)):
        drawn = vae.sample(40, seed=0, sampler=sampler).numpy()
        grid = drawn.reshape(4, 10, *drawn.shape[1:])
        drawing.image_grid(grid, scale=scale).save(folder / f"{name}.png")
    walked = vae.interpolate(*ends_of_walks(faces)).numpy()
    drawing.image_grid(walked, scale=scale).save(folder / "walk.png")
    for name, x in {"train": faces.train, **faces.held_out}.items():
        found = evaluation.evaluate_elbo(vae, x, progress=False)
        error = evaluation.reconstruction_error(vae, x, progress=False)["mean_squared_error"]
        print(f"{name}: elbo {found['elbo']:.1f}, rate {found['rate']:.1f}, mse {error:.5f}")
    print(f"wrote reconstructions, two kinds of samples and walks into {folder}")


def ends_of_walks(faces):
    """Pairs of faces of the training: of a film's last frames all are alike."""
    if faces.people == 1:
        spread = faces.train[:: len(faces.train) // 10][:10]
        return spread[[0, 2, 4]], spread[[5, 7, 9]]
    people = faces.train[: 8 * faces.people].reshape(faces.people, 8, -1)
    distances = ((people[:, :, None] - people[:, None]) ** 2).mean(axis=-1)
    one_person = []
    for person in np.argsort(distances.max(axis=(1, 2)))[-2:]:
        one_person.append(
            8 * person + np.array(np.unravel_index(distances[person].argmax(), (8, 8)))
        )
    between = [(0, 8 * 17), (8 * 9, 8 * 30)]
    first, last = np.array([*between, *one_person]).T
    return faces.train[first], faces.train[last]


if __name__ == "__main__":
    main()
