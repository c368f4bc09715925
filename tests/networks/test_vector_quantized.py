"""Tests of the networks between images and a grid of vectors."""

import numpy as np
import pytest

from keras_vae import networks


@pytest.mark.parametrize(
    ("shape", "num_halvings", "grid"),
    [((28, 28, 1), 2, (7, 7)), ((9, 14, 3), 2, (3, 4)), ((8, 8, 1), 1, (4, 4))],
    ids=str,
)
def test_images_become_grids_and_come_back_in_their_size(shape, num_halvings, grid):
    settings = {"num_halvings": num_halvings, "width": 8, "normalization": "group"}
    encoder = networks.vq_encoder(shape, 5, **settings)
    decoder = networks.vq_decoder(shape, 5, likelihood="discretized_logistic", **settings)
    vectors = encoder(np.random.default_rng(0).random((2, *shape), dtype=np.float32))
    assert vectors.shape == (2, *grid, 5) and vectors.dtype == "float32"
    assert decoder(vectors).shape == (2, *shape[:2], 2 * shape[2])
    assert decoder.input_shape == encoder.output_shape
