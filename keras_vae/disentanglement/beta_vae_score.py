"""The score of the beta-VAE's paper: which factor do pairs of images share?"""

from collections.abc import Callable

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.held_factors import held_factors
from keras_vae.disentanglement.scikit_learn import (
    require_scikit_learn,
    unfinished_fits_allowed,
)

# Pairs that are drawn at once.
_PAIRS = 65_536


def beta_vae_score(
    data,
    encode: Callable | None = None,
    num_train: int = 10_000,
    num_test: int = 5_000,
    batch_size: int = 64,
    continuous=None,
    num_bins: int = 20,
    seed: int = 0,
) -> dict[str, object]:
    """How well a linear classifier tells which factor pairs of images share.

    Higgins et al., "beta-VAE: learning basic visual concepts with a constrained variational
    framework" (2017), section 3: a point is the mean of |z_1 - z_2| over `batch_size` pairs of
    images that agree in one factor, and its class is that factor. Logistic regression, as
    disentanglement_lib has it, whose sizes these are.

    The easiest of the metrics to be perfect in: a rotation hardly lowers it, and with all factors
    but one in the latents it can still be 1 (Kim & Mnih, 2018). Chance is 1 over the number of
    factors.

    A factor data set draws `(num_train + num_test) * batch_size * 2` images, 1.9 million by
    default; a pair of arrays draws from its own points, which costs nothing and finds the same
    score as far as there are several points of each value.

    The classifier is scikit-learn's `LogisticRegression` with its L2 penalty of C = 1 on codes as
    they are: very small codes score lower. Before scikit-learn 0.22 its default was one classifier
    a factor by liblinear, so older published numbers are another classifier's.

    Args:
        data: A factor data set, or a pair `(codes, factors)` of arrays, `[n, latent]` and
            `[n, num_factors]`.
        encode: Function from images to codes; with a pair, `None`. Defaults to `None`.
        num_train: Int. Points that the classifier is fitted to. Defaults to `10_000`.
        num_test: Int. Points that it is scored on. Defaults to `5_000`.
        batch_size: Int. Pairs a point. Defaults to `64`.
        continuous: Of a pair: bool, or one a factor, in place of what the type of `factors` says.
            Defaults to `None`.
        num_bins: Int. Of a pair: bins, of equally many points, of a continuous factor. Defaults to
            `20`.
        seed: Int. Of all that is drawn. Defaults to `0`.

    Returns:
        `score`, the accuracy on the test points; `train_accuracy`; `chance`. Constant codes have
        about chance.

    Raises:
        ValueError: If `data` is neither, codes are not finite, or an argument is invalid.
        ImportError: If scikit-learn is not installed.
    """
    require_scikit_learn("beta_vae_score")
    from sklearn.linear_model import LogisticRegression

    num_train = arguments.count("num_train", num_train, least=2)
    num_test = arguments.count("num_test", num_test)
    batch_size = arguments.count("batch_size", batch_size)
    generator = np.random.default_rng(arguments.seed("seed", seed))
    source = held_factors(data, encode, continuous, arguments.count("num_bins", num_bins, least=2))
    held = generator.integers(len(source.factors), size=num_train + num_test)
    # All classes are there to be told, however few points there are.
    held[: len(source.factors)] = np.arange(len(source.factors))[: len(held)]
    parts = []
    step = max(1, _PAIRS // batch_size)
    for start in range(0, len(held), step):
        part = held[start : start + step]
        first, second = source.pairs(np.repeat(part, batch_size), generator)
        parts.append(np.abs(first - second).reshape(len(part), batch_size, -1).mean(axis=1))
    points = np.concatenate(parts)
    with unfinished_fits_allowed():
        model = LogisticRegression(max_iter=1000).fit(points[:num_train], held[:num_train])
    correct = model.predict(points) == held
    return {
        "score": float(correct[num_train:].mean()),
        "train_accuracy": float(correct[:num_train].mean()),
        "chance": 1 / len(source.factors),
    }
