"""scikit-learn, which the metrics that train a classifier need and `keras_vae` does not."""

import contextlib
import importlib.util
import warnings


def require_scikit_learn(metric: str):
    """Raises an `ImportError` that says what to install if scikit-learn is not there.

    Args:
        metric: What needs it.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise ImportError(
            f"`{metric}` needs the package `scikit-learn`. Install it with "
            "`pip install 'keras-vae[disentanglement]'`."
        )


@contextlib.contextmanager
def unfinished_fits_allowed():
    """Keeps back warnings that a classifier has not converged.

    Where codes separate the values of a factor its weights grow without end; what it predicts is
    then right long before they stand still.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def seeded(model, seed: int):
    """An estimator of scikit-learn, with a seed if it takes one and has none."""
    if model.get_params().get("random_state", seed) is None:
        model.set_params(random_state=seed)
    return model
