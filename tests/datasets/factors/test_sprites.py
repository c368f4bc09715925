"""Tests of sprites by their factors."""

import numpy as np

from keras_vae.datasets.factors import Sprites, sprite_drawing


def test_all_images_of_the_original_are_there():
    data = Sprites()
    assert data.factor_names == ("shape", "scale", "orientation", "x", "y")
    assert np.prod(data.factor_sizes) == 737_280
    assert data.image_shape == (64, 64, 1)


def test_images_are_those_of_their_factors():
    factors, images = Sprites().draw(20, 0)
    assert images.dtype == np.float32 and images.shape == (20, 64, 64, 1)
    np.testing.assert_array_equal(images[..., 0], sprite_drawing.render(factors))


def test_x_is_to_the_right_and_y_downwards():
    data = Sprites()
    for name, axis in (("x", 1), ("y", 0)):
        factors = np.array([[0, 0, 0, 10, 10]] * 2)
        factors[1, data.column(name)] = 20
        centres = [np.argwhere(image[..., 0]).mean(axis=0) for image in data.sample(factors)]
        moved = centres[1] - centres[0]
        # Ten of 31 steps over 32 pixels, to the pixel.
        assert abs(moved[axis] - 320 / 31) < 1 and moved[1 - axis] == 0
