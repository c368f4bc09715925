"""A VAE as an outlier detector of scikit-learn."""

import keras
import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_vae import arguments, datasets, networks
from keras_vae.anomaly.scores import negative_elbo, negative_log_likelihood, reconstruction_term
from keras_vae.distributions import Gaussian
from keras_vae.noise import python_seed
from keras_vae.vae import VAE

_CRITERIA = {
    "negative_elbo": lambda model, rows, seed: negative_elbo(model, rows, 8, seed, progress=False),
    "negative_log_likelihood": lambda model, rows, seed: negative_log_likelihood(
        model, rows, 100, seed, progress=False
    ),
    "reconstruction": lambda model, rows, seed: reconstruction_term(model, rows, progress=False),
}
# Of standardised columns: further out, float32 overflows in a square.
_FURTHEST = 1e6


class VAEDetector(OutlierMixin, BaseEstimator):
    """Trains a VAE on the rows of a table, and finds those that it cannot explain.

    Columns are standardised by mean and standard deviation of the training rows; p(x|z) is a
    Gaussian whose standard deviation, one for all standardised columns, is learned.

    It has the conventions of scikit-learn: `score_samples` and `decision_function` are greater the
    more *usual* a row is, and `predict` gives 1 for those and -1 for outliers. The attributes that
    PyOD's detectors have, `decision_scores_`, `threshold_` and `labels_`, are greater or 1 where a
    row is strange, as there.

    Args:
        latent_dim: Int. Latents. Defaults to `None`: half as many as columns, from 1 to 10.
        hidden_sizes: Ints. Units of the encoder's hidden layers; the decoder has them in reverse.
            Defaults to `(64, 32)`.
        epochs: Int. Passes over the rows. Defaults to `None`: as many as make 3,000 steps, at most
            200.
        batch_size: Int. Rows a training step. Defaults to `64`.
        learning_rate: Float. Of Adam. Defaults to `1e-3`.
        beta: Float. Weight of the KL. Defaults to `1.0`.
        criterion: The score: `"negative_elbo"` with eight samples, `"negative_log_likelihood"` with
            a hundred, or `"reconstruction"`. Defaults to `"negative_elbo"`.
        linear_within: Float above 0, k. Standard deviations of a column up to which values stay as
            they are; further out x becomes k (1 + log(|x| / k)) with its sign, so that single
            values far out do not make the scale for all. Defaults to `None`: all stay.
        contamination: Float in (0, 0.5]. The share of the training rows that counts as outliers.
            Defaults to `0.1`.
        random_state: Int, `numpy.random.RandomState` or `None`, as everywhere in scikit-learn.
            Defaults to `None`: another training each time.

    Attributes:
        model_: The trained `keras_vae.VAE`, of rows as `standardised` gives them.
        mean_, scale_: `[columns]`, by which they are standardised.
        offset_: The score of training rows that `contamination` of them are below.
        decision_scores_: `[n]`. How strange the training rows are, in nats.
        threshold_: The strangeness from which a row is an outlier, `-offset_`.
        labels_: `[n]`. 1 for outliers among the training rows, 0 for others.
        n_features_in_, feature_names_in_: As everywhere in scikit-learn.
    """

    def __init__(
        self,
        latent_dim=None,
        hidden_sizes=(64, 32),
        epochs=None,
        batch_size=64,
        learning_rate=1e-3,
        beta=1.0,
        criterion="negative_elbo",
        linear_within=None,
        contamination=0.1,
        random_state=None,
    ):
        self.latent_dim = latent_dim
        self.hidden_sizes = hidden_sizes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.beta = beta
        self.criterion = criterion
        self.linear_within = linear_within
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X, y=None):
        """Trains on rows, most of which are usual.

        Args:
            X: `[n, columns]`, finite numbers, at least two rows.
            y: Not looked at.

        Returns:
            Itself.

        Raises:
            ValueError: If an argument or `X` is invalid.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        arguments.one_of("criterion", self.criterion, _CRITERIA)
        if not 0 < arguments.number("contamination", self.contamination) <= 0.5:
            raise arguments.invalid(
                "contamination", "a number above 0 and up to 0.5", self.contamination
            )
        if self.linear_within is not None:
            arguments.positive("linear_within", self.linear_within)
        # Scores must be of the kind that the threshold is of, until the next `fit`.
        self._criterion, self._linear_within = self.criterion, self.linear_within
        batch_size = min(arguments.count("batch_size", self.batch_size), len(X))
        steps = -(-len(X) // batch_size)
        epochs = self.epochs
        if epochs is None:
            epochs = max(1, min(200, 3000 // steps))
        arguments.count("epochs", epochs)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with np.errstate(over="ignore", invalid="ignore"):
            self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        if not np.isfinite(self.scale_).all():
            raise ValueError(
                "Columns must have a standard deviation in double precision. Received: values up "
                f"to {np.abs(X).max():g}. Choose another unit, or take logarithms."
            )
        # A column of one value says nothing until it has another, which is then as far as it is.
        self.scale_[self.scale_ <= 1e-12 * np.maximum(1, abs(self.mean_))] = 1.0
        self.model_ = self._model(X.shape[1])
        # XLA takes longer to compile so small a model than it saves in a few thousand steps.
        self.model_.compile(keras.optimizers.Adam(self.learning_rate), jit_compile=False)
        rows = datasets.from_arrays(self._standardised(X), batch_size=batch_size, seed=self._seed)
        # What an epoch costs beside its steps is more than the few steps of a small table do.
        self.model_.fit(rows.repeat(epochs), verbose=0)
        self.decision_scores_ = self._strangeness(X)
        self.threshold_ = float(np.quantile(self.decision_scores_, 1 - self.contamination))
        self.offset_ = -self.threshold_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def score_samples(self, X) -> np.ndarray:
        """How usual rows are, in nats: the negative of the score that was chosen.

        Args:
            X: `[n, columns]`.

        Returns:
            `[n]`, float64; smaller is stranger.
        """
        check_is_fitted(self)
        return -self._strangeness(validate_data(self, X, dtype=np.float64, reset=False))

    def decision_function(self, X) -> np.ndarray:
        """`score_samples` above `offset_`, `[n]`; below 0 are outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """1 for usual rows and -1 for outliers, `[n]`."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def standardised(self, X) -> np.ndarray:
        """Rows as `model_` takes them, for whatever else it is asked, such as `attribution`.

        Args:
            X: `[n, columns]`.

        Returns:
            `[n, columns]`, float32.
        """
        check_is_fitted(self)
        return self._standardised(validate_data(self, X, dtype=np.float64, reset=False))

    def _model(self, columns):
        latent_dim = self.latent_dim
        if latent_dim is None:
            latent_dim = max(1, min(10, columns // 2))
        sizes = arguments.counts("hidden_sizes", self.hidden_sizes)
        with python_seed(self._seed):
            encoder = networks.mlp_encoder((columns,), latent_dim, sizes, scale="log_variance")
            decoder = networks.mlp_decoder((columns,), latent_dim, sizes[::-1])
        likelihood = Gaussian(1.0, learn_scale=True)
        return VAE(encoder, decoder, likelihood=likelihood, beta=self.beta, seed=self._seed)

    def _standardised(self, X):
        rows = np.clip((X - self.mean_) / self.scale_, -_FURTHEST, _FURTHEST)
        if self._linear_within is not None:
            sizes = np.maximum(np.abs(rows) / self._linear_within, 1.0)
            rows = rows / sizes * (1 + np.log(sizes))
        return rows.astype(np.float32)

    def _strangeness(self, X):
        return _CRITERIA[self._criterion](self.model_, self._standardised(X), self._seed)
