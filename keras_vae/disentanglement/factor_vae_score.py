"""The score of the FactorVAE's paper: which latent stays while a factor is held?"""

from collections.abc import Callable

import numpy as np

from keras_vae import arguments
from keras_vae.disentanglement.held_factors import held_factors


def factor_vae_score(
    data,
    encode: Callable | None = None,
    num_train: int = 10_000,
    num_test: int = 5_000,
    batch_size: int = 64,
    num_variance: int = 10_000,
    threshold: float = 0.05,
    continuous=None,
    num_bins: int = 20,
    seed: int = 0,
) -> dict[str, object]:
    """How well the latent that varies least tells which factor is held.

    Kim & Mnih, "Disentangling by factorising" (2018), section 4: in `batch_size` images that share
    one factor each latent's variance is divided by its variance over all images; the least one is a
    vote of that latent for that factor. Each latent stands for the factor that most votes of the
    training points give it. Sizes as in disentanglement_lib. Chance is about 1 over the number of
    factors.

    Latents whose standard deviation over all images is below `threshold` are pruned first: the
    ratio of two tiny variances is noise. disentanglement_lib has 0.05 in its configuration and 0,
    no pruning, in its code, so a call without that configuration scores dead latents too; and its
    `num_active_dims` counts all latents. The threshold is meant for codes of about unit scale, as
    under a prior N(0, 1): of a plain autoencoder's codes choose it by their scale.

    A factor data set draws `(num_train + num_test) * batch_size` images, a million by default; a
    pair of arrays draws from its own points, which costs nothing and finds the same score as far as
    there are several points of each value.

    Args:
        data: A factor data set, or a pair `(codes, factors)` of arrays, `[n, latent]` and
            `[n, num_factors]`.
        encode: Function from images to codes; with a pair, `None`. Defaults to `None`.
        num_train: Int. Votes that decide what a latent stands for. Defaults to `10_000`.
        num_test: Int. Votes that are scored. Defaults to `5_000`.
        batch_size: Int. Images a vote, at least 2. Defaults to `64`.
        num_variance: Int. Images that the variances over all are from. Defaults to `10_000`.
        threshold: Float. Standard deviation below which a latent is pruned. Defaults to `0.05`.
        continuous: Of a pair: bool, or one a factor, in place of what the type of `factors` says.
            Defaults to `None`.
        num_bins: Int. Of a pair: bins, of equally many points, of a continuous factor. Defaults to
            `20`.
        seed: Int. Of all that is drawn. Defaults to `0`.

    Returns:
        `score`, the accuracy on the test votes; `train_accuracy`; `votes` of the training points
        `[latent, num_factors]`; `active` `[latent]`, bool; `num_active`; `chance`. With all latents
        pruned the score is 0.

    Raises:
        ValueError: If `data` is neither, codes are not finite, or an argument is invalid.
    """
    num_train = arguments.count("num_train", num_train)
    num_test = arguments.count("num_test", num_test)
    batch_size = arguments.count("batch_size", batch_size, least=2)
    num_variance = arguments.count("num_variance", num_variance, least=2)
    threshold = arguments.number("threshold", threshold, least=0.0)
    generator = np.random.default_rng(arguments.seed("seed", seed))
    source = held_factors(data, encode, continuous, arguments.count("num_bins", num_bins, least=2))
    num_factors = len(source.factors)
    variances = source.codes(num_variance, generator).var(axis=0, ddof=1)
    # A constant code is pruned at any threshold: it has no ratio.
    active = (np.sqrt(variances) >= threshold) & (variances > 0)
    accuracies = {"score": 0.0, "train_accuracy": 0.0}
    votes = np.zeros((len(active), num_factors), np.int64)
    if active.any():
        held = generator.integers(num_factors, size=num_train + num_test)
        ratios = source.variances(held, batch_size, generator)[:, active] / variances[active]
        latents = np.flatnonzero(active)[ratios.argmin(axis=1)]
        np.add.at(votes, (latents[:num_train], held[:num_train]), 1)
        correct = votes.argmax(axis=1)[latents] == held
        accuracies["score"] = float(correct[num_train:].mean())
        accuracies["train_accuracy"] = float(correct[:num_train].mean())
    return {
        **accuracies,
        "votes": votes,
        "active": active,
        "num_active": int(active.sum()),
        "chance": 1 / num_factors,
    }
