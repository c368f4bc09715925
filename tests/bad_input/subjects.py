"""What the mistakes of this folder are made with: small images, small models, a run to damage."""

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import callbacks, networks
from keras_vae.quantized import VQVAE, CodePrior
from keras_vae.tables import Table, TableVAE
from stand_ins import hugging_face, kaggle

SHAPE = (8, 8, 1)


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


def from_hub(folder: Path, address: str = "hf://me/mine", version="", does=None, **settings):
    """Puts a preset on a stand-in for a hub, has something happen there, and loads it."""
    with pytest.MonkeyPatch.context() as patch:
        scheme, _, name = address.partition("://")
        module = hugging_face if scheme == "hf" else kaggle
        with module.connected(patch, folder / "cache", **settings) as hub:
            vae().save_to_preset(folder / "mine")
            hub.put(name, folder / "mine")
            if does:
                does(hub)
            return keras_vae.VAE.from_preset(address + version)


def to_hub(folder: Path, address: str = "hf://me/mine", does=None, token="write:me", **arguments):
    """Uploads a preset to a stand-in for a hub, where something happened before."""
    with pytest.MonkeyPatch.context() as patch:
        module = hugging_face if address.startswith("hf") else kaggle
        with module.connected(patch, folder / "cache", token) as hub:
            vae().save_to_preset(folder / "mine")
            if does:
                does(hub)
            return keras_vae.upload_preset(address, folder / "mine", **arguments)


def without(package: str, use: Callable[[], object]):
    """Does something as if a package were not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, package, None)
        return use()


def others(folder: Path) -> Path:
    """A folder with the configuration of somebody else's model."""
    (folder / "others").mkdir()
    (folder / "others" / "config.json").write_text("{}")
    return folder / "others"


def newer(folder: Path) -> Path:
    """A preset as a later version would write it."""
    vae().save_to_preset(folder / "newer")
    card = folder / "newer" / "newer.json"
    card.write_text(card.read_text().replace('"format": 1', '"format": 2'))
    return folder / "newer"


def resume(folder: Path, damage: Callable[[Path], object] = lambda folder: None, **settings):
    """Trains with `Resume`, damages what it saved, and begins again with other settings."""
    watch(callbacks.Resume(folder / "run", {"beta": 1.0}))
    damage(folder / "run" / "resume")
    return callbacks.Resume(folder / "run", settings)


def a_file(folder: Path) -> Path:
    """A file that stands where a folder should be."""
    (folder / "file").touch()
    return folder / "file"


class Other(keras_vae.VAE):
    """Another member of the family."""


class Unweighted(keras_vae.VAE):
    """A new objective that forgets the weight of its term."""

    def regularizers(self, posterior, z, kl, training):
        return {"size_loss": abs(z)}


def objective(name: str, **arguments) -> keras_vae.VAE:
    """A small member of the family."""
    return getattr(keras_vae.objectives, name)(encoder(), decoder(), **arguments)


def points(num_latents: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Forty codes and their factors, two of three and four values."""
    factors = np.stack(np.unravel_index(np.arange(40) % 12, (3, 4)), axis=1)
    return np.random.default_rng(0).normal(size=(40, num_latents)), factors


def with_one(array: np.ndarray, value: float) -> np.ndarray:
    """An array of which one number has that value."""
    spoiled = array.astype(float)
    spoiled[5, 1] = value
    return spoiled


def with_layer(layer: keras.layers.Layer) -> keras_vae.VAE:
    """A model whose decoder has that layer."""
    inputs = keras.Input((2,))
    pixels = keras.layers.Dense(64)(layer(keras.layers.Dense(8)(inputs)))
    return vae(decoder=keras.Model(inputs, keras.layers.Reshape(SHAPE)(pixels)))


def diverged() -> keras_vae.VAE:
    """A model that lost its weights."""
    model = vae()
    model.encoder.get_layer("loc").kernel.assign(np.full((4, 2), np.nan))
    return model


def of_shape(*shape: int) -> keras_vae.VAE:
    """A small model of images of another shape."""
    return keras_vae.VAE(networks.mlp_encoder(shape, 2, [4]), networks.mlp_decoder(shape, 2, [4]))


def rows(*columns) -> np.ndarray:
    """Six rows of a table, of one column for each number; the fourth row has those numbers."""
    table = np.ones((6, len(columns)), np.float32)
    table[3] = columns
    return table


def of_rows(likelihood, num_columns: int, missing=False, **arguments) -> keras_vae.VAE:
    """A small model of a table, compiled."""
    model = keras_vae.VAE(
        **{
            "encoder": networks.mlp_encoder((num_columns,), 2, [4], missing=missing),
            "decoder": networks.mlp_decoder((num_columns,), 2, [4], likelihood=likelihood),
            "likelihood": likelihood,
            "missing": missing,
            **arguments,
        }
    )
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


def frame(**columns) -> pd.DataFrame:
    """Twelve rows of a table of three columns, with others in their place or beside them."""
    own = {
        "age": np.arange(12) * 1.5 - 3.2,
        "visits": np.arange(12) ** 2,
        "colour": ["red", "green", "blue"] * 4,
    }
    return pd.DataFrame({**own, **columns})


def infer(**columns) -> Table:
    """What such a table is taken for."""
    return Table.infer(frame(**columns), verbose=False)


def table_vae(table: Table | None = None, **arguments) -> TableVAE:
    """A small model of such a table, compiled."""
    model = TableVAE(table or infer(), **{"hidden_sizes": [4], **arguments})
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


def vqvae(**arguments) -> VQVAE:
    """A small VQ-VAE of 4x4 codes of five, compiled."""
    networks_of_it = {
        "encoder": networks.vq_encoder(SHAPE, 3, 1, width=8),
        "decoder": networks.vq_decoder(SHAPE, 3, 1, width=8),
    }
    model = VQVAE(**{**networks_of_it, "num_codes": 5, **arguments})
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


def code_prior(**arguments) -> CodePrior:
    """A small prior over such codes, compiled."""
    small = {"grid_shape": (4, 4), "num_codes": 5, "width": 8, "depth": 1}
    model = CodePrior(**{**small, **arguments})
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model
