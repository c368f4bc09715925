"""Arrays and numbers in, picture out. Nothing here knows of models or of files."""

from keras_vae.drawing.charts import (
    Chart,
    heat_map,
    loss_curves,
    rate_distortion,
    rate_distortion_points,
)
from keras_vae.drawing.pictures import gif, image_grid, latent_map, png, rendered

__all__ = [
    "Chart",
    "gif",
    "heat_map",
    "image_grid",
    "latent_map",
    "loss_curves",
    "png",
    "rate_distortion",
    "rate_distortion_points",
    "rendered",
]
