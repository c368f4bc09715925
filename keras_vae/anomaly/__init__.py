"""Is this one strange? Scores by example, where they come from, and when to raise an alarm.

Functions of a trained model of this package and of data that it is asked about: `[n, *event]` or
batches of them. Every score is greater the stranger an example is.

`VAEDetector` trains a model of its own on the rows of a table, as an estimator of scikit-learn.
"""

import importlib.util

from keras_vae.anomaly.attribution import attribution
from keras_vae.anomaly.likelihood_regret import likelihood_regret
from keras_vae.anomaly.over_time import over_time
from keras_vae.anomaly.scores import (
    latent_distance,
    negative_elbo,
    negative_log_likelihood,
    reconstruction_term,
)
from keras_vae.anomaly.threshold import Threshold, threshold

__all__ = [
    "Threshold",
    "VAEDetector",
    "attribution",
    "latent_distance",
    "likelihood_regret",
    "negative_elbo",
    "negative_log_likelihood",
    "over_time",
    "reconstruction_term",
    "threshold",
]


def __getattr__(name):
    # scikit-learn, whose base classes it has, is an extra.
    if name == "VAEDetector":
        if importlib.util.find_spec("sklearn") is None:
            raise ImportError(
                "`VAEDetector` needs the package `scikit-learn`. Install it with "
                "`pip install 'keras-vae[anomaly]'`. The functions of `keras_vae.anomaly` do "
                "without."
            )
        from keras_vae.anomaly.detector import VAEDetector

        return VAEDetector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
