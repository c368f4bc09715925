"""Faces: bounds, bits a dimension and pictures of models of real grey images.

    python benchmarks/faces.py frey_faces.npz --what curves
    python benchmarks/faces.py frey_faces.npz --what bits
    python benchmarks/faces.py olivetti_faces.npz --what networks
    python benchmarks/faces.py FILE --what pictures

FILE holds `images`, uint8 `[n, height, width]`: the Frey faces, 1,965 consecutive frames of 28x20
(of which 1,565 train, the next 200 choose and the last 200 test, as is customary), or the Olivetti
faces, 400 of 64x64, ten of each of forty people in order (33 people train, two choose, and the last
five test).

- `curves`: the bound against the training images seen for 2, 5, 10 and 20 latents, of Gaussian
  encoder and decoder with 200 hidden units, as figure 2 of Kingma & Welling (2014) has it. Written
  to curves.png.
- `bits`: bits a dimension of a discretized logistic, for the VAE and the VampPrior.
- `networks`: held-out bits a dimension and seconds a step of residual networks by depth and
  normalisation, of a plain stack, and of an MLP.
- `pictures`: reconstructions of held-out faces, samples of the prior, and walks from one face of
  the training to another, in reconstructions.png, samples.png and walk.png.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras_vae
from keras_vae import drawing, evaluation, networks, objectives
from keras_vae.distributions import DiscretizedLogistic, Gaussian

import keras
import numpy as np

SAMPLES = 200


def main():
    """Parses the command line and prints one table, or draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="an .npz with `images`")
    parser.add_argument(
        "--what",
        choices=("curves", "bits", "networks", "pictures"),
        required=True,
        help="which measurement",
    )
    parser.add_argument("--steps", type=int, help="training steps of each model")
    parser.add_argument(
        "--output-dir", type=Path, default=Path("runs/faces"), help="folder (runs/faces)"
    )
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    images = np.load(options.file, allow_pickle=False)["images"]
    images = images[..., None].astype(np.float32) / 255
    is_frey = images.shape[1:3] == (28, 20)
    train, valid, test = np.split(images, [1565, 1765] if is_frey else [330, 350])
    print(f"{len(train)} to train on, {len(test)} held out, {images.shape[1:3]}", flush=True)
    run = {"curves": curves, "bits": bits, "networks": compare, "pictures": pictures}
    run[options.what](train, valid, test, options)


def fit(vae, train, steps):
    """Trains for so many steps, and returns seconds a step, the first ones left out."""
    vae.compile(keras.optimizers.Adam(1e-3))
    data = keras_vae.datasets.from_arrays(train, batch_size=50, drop_remainder=True)
    warm = min(20, steps // 2)
    vae.fit(data.repeat(), steps_per_epoch=warm, epochs=1, verbose=0)
    start = time.perf_counter()
    vae.fit(data.repeat(), steps_per_epoch=steps - warm, epochs=1, verbose=0)
    return (time.perf_counter() - start) / (steps - warm)


def fit_while_it_helps(vae, train, valid, steps, batch_size, patience):
    """Trains until the bound of images that choose falls, at most so many steps; counts epochs."""
    vae.compile(keras.optimizers.Adam(1e-3))
    data = keras_vae.datasets.from_arrays(train, batch_size=batch_size)
    stop = keras.callbacks.EarlyStopping(
        "val_elbo", mode="max", patience=patience, restore_best_weights=True
    )
    epochs = steps // len(data)
    fitted = vae.fit(data, validation_data=valid, epochs=epochs, verbose=0, callbacks=[stop])
    return len(fitted.epoch)


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


def curves(train, valid, test, options):
    """The bound against the images seen, by the number of latents."""
    steps, batch_size = options.steps or 16_000, 100
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


def bits(train, valid, test, options):
    """Bits a dimension, with what is best on the images that choose."""
    print(f"{'model':14} {'train':>7} {'test':>7}  bits a dimension ({SAMPLES} samples)")
    members = {
        "VAE": (keras_vae.VAE, {}),
        "VampPriorVAE": (objectives.VampPriorVAE, {"num_pseudo_inputs": 100}),
    }
    for name, (cls, arguments) in members.items():
        keras.utils.set_random_seed(0)
        vae = cls.for_data(train, 20, verbose=False, seed=0, **arguments)
        if name == "VampPriorVAE":
            vae.pseudo_inputs.assign(train[::15][:100])
        epochs = fit_while_it_helps(vae, train, valid, options.steps or 10_000, 100, 50)
        found = [
            evaluation.bits_per_dimension(vae, x, SAMPLES, progress=False)["bits_per_dimension"]
            for x in (train, test)
        ]
        print(f"{name:14} {found[0]:7.3f} {found[1]:7.3f}  after {epochs} epochs")


def compare(train, valid, test, options):
    """Networks beside each other: what they learn, and in what time."""
    kinds = {
        "mlp": ("mlp", {"hidden_sizes": (512,)}),
        "plain stack": ("residual", {"depth": 0}),
        "depth 1": ("residual", {"depth": 1}),
        "depth 2": ("residual", {"depth": 2}),
        "depth 1, group": ("residual", {"depth": 1, "normalization": "group"}),
    }
    steps = options.steps or 1000
    print(
        f"{'network':16} {'train':>7} {'test':>7} {'ms/step':>8} {'weights':>9}  (bits a dimension)"
    )
    for name, (kind, arguments) in kinds.items():
        keras.utils.set_random_seed(0)
        likelihood = DiscretizedLogistic()
        if kind == "residual":
            arguments = {**arguments, "width": 16}
        encoder = getattr(networks, f"{kind}_encoder")(train.shape[1:], 20, **arguments)
        decoder = getattr(networks, f"{kind}_decoder")
        decoder = decoder(train.shape[1:], 20, likelihood=likelihood, **arguments)
        vae = keras_vae.VAE(encoder, decoder, likelihood, seed=0)
        seconds = fit(vae, train, steps)
        found = [
            evaluation.bits_per_dimension(vae, x, 50, progress=False)["bits_per_dimension"]
            for x in (train, test)
        ]
        size = vae.encoder.count_params() + vae.decoder.count_params()
        print(
            f"{name:16} {found[0]:7.3f} {found[1]:7.3f} {1000 * seconds:8.1f} {size:9}", flush=True
        )


def pictures(train, valid, test, options):
    """Reconstructions, samples and a walk of one model."""
    keras.utils.set_random_seed(0)
    likelihood = Gaussian()
    vae = keras_vae.VAE.for_data(train, 20, likelihood=likelihood, seed=0)
    fit_while_it_helps(vae, train, valid, options.steps or 4000, 50, 20)
    chosen = test[:: max(1, len(test) // 10)][:10]
    grid = np.stack([chosen, vae.reconstruct(chosen).numpy()])
    folder = options.output_dir
    drawing.image_grid(grid, scale=2).save(folder / "reconstructions.png")
    samples = vae.sample(40, seed=0).numpy()
    drawing.image_grid(samples.reshape(4, 10, *train.shape[1:]), scale=2).save(
        folder / "samples.png"
    )
    # Of a film's last frames all are alike: the walk is between faces of the training.
    faces = train[:: len(train) // 10][:10]
    walked = vae.interpolate(faces[[0, 2, 4]], faces[[5, 7, 9]]).numpy()
    drawing.image_grid(walked, scale=2).save(folder / "walk.png")
    for name, x in (("train", train), ("test", test)):
        found = evaluation.evaluate_elbo(vae, x, progress=False)
        error = evaluation.reconstruction_error(vae, x, progress=False)["mean_squared_error"]
        print(f"{name}: elbo {found['elbo']:.1f}, rate {found['rate']:.1f}, mse {error:.5f}")
    print(f"wrote reconstructions.png, samples.png and walk.png into {folder}")


if __name__ == "__main__":
    main()
