"""Callbacks that show an autoencoder learn, for any Keras model.

They import no model: they ask the one they are given for what they need, by
`keras_vae.model_functions`.

| to | callbacks |
|---|---|
| log and chart | `ELBOLogger`, `LossCurves`, `LatentStatistics`, `DisentanglementMetrics` |
| draw | `ReconstructionGrid`, `LatentTraversal`, `PriorSamples`, `LatentMap`; `animate` them |
| change a number of the model | `ValueSchedule`, `BetaSchedule`, `CapacitySchedule` |
| survive | `Resume` after a kill, `StopOnNonFinite` before it is too late |

What they share is in `helpers`. All but `Resume` follow a run through `helpers.run_callback`.
"""

from keras_vae.callbacks.beta_schedule import BetaSchedule
from keras_vae.callbacks.capacity_schedule import CapacitySchedule
from keras_vae.callbacks.disentanglement_metrics import DisentanglementMetrics
from keras_vae.callbacks.elbo_logger import ELBOLogger
from keras_vae.callbacks.helpers.animate import animate
from keras_vae.callbacks.latent_map import LatentMap
from keras_vae.callbacks.latent_statistics import LatentStatistics
from keras_vae.callbacks.latent_traversal import LatentTraversal
from keras_vae.callbacks.loss_curves import LossCurves
from keras_vae.callbacks.prior_samples import PriorSamples
from keras_vae.callbacks.reconstruction_grid import ReconstructionGrid
from keras_vae.callbacks.resume import Resume
from keras_vae.callbacks.stop_on_non_finite import StopOnNonFinite
from keras_vae.callbacks.value_schedule import ValueSchedule

__all__ = [
    "BetaSchedule",
    "CapacitySchedule",
    "DisentanglementMetrics",
    "ELBOLogger",
    "LatentMap",
    "LatentStatistics",
    "LatentTraversal",
    "LossCurves",
    "PriorSamples",
    "ReconstructionGrid",
    "Resume",
    "StopOnNonFinite",
    "ValueSchedule",
    "animate",
]
