"""Tests of pictures of a trained model, beside those that callbacks draw while one trains."""

import numpy as np
import pytest
from PIL import Image

from keras_vae import drawing, visualize
from keras_vae.callbacks import LatentTraversal, PriorSamples, ReconstructionGrid


def pixels(picture):
    return np.asarray(picture, int)


def test_pictures_are_those_that_callbacks_draw(make_vae, images, tmp_path):
    vae = make_vae(eager=True)
    drawn = [
        ReconstructionGrid(images[:3], tmp_path, error_row=True),
        PriorSamples(tmp_path, num_images=5, seed=3),
        LatentTraversal(tmp_path, images=images, num_steps=4, limits=(-1, 1)),
    ]
    vae.fit(images, epochs=1, verbose=0, callbacks=drawn)
    walk = {"num_steps": 4, "limits": (-1, 1)}
    found = {
        "reconstructions": visualize.reconstructions(vae, images[:3], error_row=True),
        "prior_samples": visualize.samples(vae, num_images=5, seed=3),
        "traversals/latents": visualize.latent_traversal(vae, images, **walk),
        "traversals/grid": visualize.latent_grid(vae, images, **walk),
    }
    for name, picture in found.items():
        with Image.open(tmp_path / name / "epoch_0001.png") as expected:
            np.testing.assert_array_equal(pixels(picture), pixels(expected), err_msg=name)


def test_an_interpolation_begins_and_ends_at_reconstructions(make_vae, images):
    vae = make_vae()
    picture = visualize.interpolation(vae, images[:2], images[2:4], num_steps=5)
    walked = vae.interpolate(images[:2], images[2:4], num_steps=5).numpy()
    np.testing.assert_array_equal(pixels(picture), pixels(drawing.event_grid(walked)))
    np.testing.assert_allclose(walked[:, 0], vae.reconstruct(images[:2]), atol=1e-6)
    np.testing.assert_allclose(walked[:, -1], vae.reconstruct(images[2:4]), atol=1e-6)
    halfway = (vae.embed(images[:2]) + vae.embed(images[2:4])) / 2
    np.testing.assert_allclose(walked[:, 2], vae.decode(halfway).mean(), atol=1e-6)


def test_any_keras_model_is_drawn_by_functions_of_ones_own():
    picture = visualize.samples(
        object(), num_images=4, latent_dim=2, decode=lambda z: np.full((len(z), 4, 4), 0.5)
    )
    assert (pixels(picture) == 128).any()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda vae, x: visualize.samples(vae, num_images=0), "num_images=0"),
        (lambda vae, x: visualize.samples(vae, seed=-1), "seed=-1"),
        (lambda vae, x: visualize.reconstructions(vae, x * 2), r"values in \[0, 1\]"),
        (lambda vae, x: visualize.reconstructions(vae, x[:, :3]), "do not fit the model"),
        (lambda vae, x: visualize.interpolation(vae, x[:2], x[:1]), r"\(2, 4, 4, 1\) and \(1, 4,"),
        (lambda vae, x: visualize.interpolation(vae, x[:2], x[:2], 1), "num_steps=1"),
        (lambda vae, x: visualize.latent_traversal(vae, num_rows=0), "num_rows=0"),
        (lambda vae, x: visualize.latent_grid(vae, latents=(0, 9)), "no latent 9"),
        (lambda vae, x: visualize.samples(object()), "Found no way to decode"),
        (lambda vae, x: vae.interpolate(x[:2], x[:3]), "Received: 2 and 3"),
        (lambda vae, x: vae.interpolate(x[:2], x[:2], num_steps=1), "num_steps=1"),
    ],
)
def test_what_does_not_fit_is_refused(draw, message, make_vae, images):
    with pytest.raises(ValueError, match=message):
        draw(make_vae(), images)
