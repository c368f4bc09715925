"""Arrays and numbers in, picture out. Nothing here knows of models or of files.

Figures are made without `pyplot`, so no window opens, no figure stays behind, and any thread may
draw.
"""

from keras_vae.drawing.chart import Chart
from keras_vae.drawing.encoding import gif, png, rendered
from keras_vae.drawing.event_grid import event_grid, span
from keras_vae.drawing.heat_map import heat_map
from keras_vae.drawing.image_grid import image_grid
from keras_vae.drawing.latent_factors import latent_factors
from keras_vae.drawing.latent_map import latent_map
from keras_vae.drawing.loss_curves import loss_curves
from keras_vae.drawing.palette import PALETTE
from keras_vae.drawing.rate_distortion import rate_distortion, rate_distortion_points
from keras_vae.drawing.score_distributions import score_distributions

__all__ = [
    "PALETTE",
    "Chart",
    "event_grid",
    "gif",
    "heat_map",
    "image_grid",
    "latent_factors",
    "latent_map",
    "loss_curves",
    "png",
    "rate_distortion",
    "rate_distortion_points",
    "rendered",
    "score_distributions",
    "span",
]
