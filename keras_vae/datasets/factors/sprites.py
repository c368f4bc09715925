"""`Sprites`: the images of dSprites, drawn when they are asked for."""

import numpy as np

from keras_vae.datasets.factors import sprite_drawing
from keras_vae.datasets.factors.factor_data import FactorData

FACTOR_VALUES = {
    "shape": sprite_drawing.SHAPES,
    "scale": sprite_drawing.SCALES,
    "orientation": sprite_drawing.ORIENTATIONS,
    "x": sprite_drawing.POSITIONS,
    "y": sprite_drawing.POSITIONS,
}


class Sprites(FactorData):
    """All 737,280 images of dSprites (Matthey et al., 2017), drawn from their formula.

    Factors are shape (square, ellipse, heart), scale (6), orientation (40), x (32) and y (32), in
    the order of the original, whose images these are but for few pixels; see
    `keras_vae.datasets.factors.sprite_drawing`.
    """

    def __init__(self):
        image_shape = (sprite_drawing.IMAGE_SIZE, sprite_drawing.IMAGE_SIZE, 1)
        super().__init__(FACTOR_VALUES, image_shape)

    def sample(self, factors, generator=None):
        """Images of given factor values; there is one of each."""
        return sprite_drawing.render(self.checked(factors))[..., None].astype(np.float32)
