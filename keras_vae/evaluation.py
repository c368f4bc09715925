"""What a trained VAE is worth on held-out images, in nats an image.

Works on every member of the family and every likelihood: it asks the model for q(z|x), p(x|z) and
the prior, and for nothing else. A conditional model is scored given the labels that come with the
images, `(images, labels)`. Results are plain dicts of floats; a `_standard_error` is that of
the mean over the images, the standard deviation over them divided by the root of their number.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments, datasets, latent_measures, several_codes
from keras_vae.distributions import DiscretizedLogistic, is_factorized
from keras_vae.held_out import check_built, checked, inputs_of, over_batches

__all__ = [
    "bits_per_dimension",
    "evaluate_all",
    "evaluate_elbo",
    "latent_statistics",
    "linear_probe",
    "log_likelihood",
    "reconstruction_error",
]

# Of decoded images at once: 13 MB of MNIST's, which stay near the processor.
_ROWS = 4096


def evaluate_elbo(
    model, dataset, seed: int = 0, progress: bool = True, by_example: bool = False
) -> dict[str, float | np.ndarray]:
    """The evidence lower bound and its two parts, with one sample of q(z|x) an image.

    ELBO = E_q[log p(x|z)] - KL(q(z|x) || p(z)) (Kingma & Welling, 2014, equation 3).

    Args:
        model: A built `keras_vae.VAE`.
        dataset: Images `[n, *event]`, or a data set of batches of them, with or without labels.
        seed: Int. Of the samples of q(z|x). Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.
        by_example: Bool. Whether to return values by image, arrays `[n]` in the order of the data
            and without standard errors, in place of their means. Defaults to `False`.

    Returns:
        `elbo`, `distortion` (-log p(x|z)) and `rate` (the KL), each in nats an image and with its
        standard error, and `num_images`.

    Raises:
        ValueError: If there are no images, they do not fit the model, or a term is not finite.
    """

    @tf.function(reduce_retracing=True)
    def terms(noise_seed, images, *condition):
        posterior = model.encode(images, *condition)
        z = posterior.sample(seed=noise_seed)
        distortion = -model.decode(z, *condition).log_prob(images)
        return distortion, model.kl_divergence(posterior, z)

    distortion, rate = over_batches(terms, model, dataset, seed, progress)
    values = {"elbo": -(distortion + rate), "distortion": distortion, "rate": rate}
    return values if by_example else {**_means(values), "num_images": len(rate)}


def log_likelihood(
    model,
    dataset,
    num_samples: int = 5000,
    seed: int = 0,
    progress: bool = True,
    by_example: bool = False,
) -> dict[str, float | np.ndarray]:
    """The importance-weighted estimate of log p(x), a lower bound that tightens with the samples.

    log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), with z_k from q(z|x) (Burda, Grosse & Salakhutdinov,
    "Importance weighted autoencoders", 2016, equation 8). With K = 1 it is the sampled ELBO.

    Memory does not grow with the images or with K: samples pass through the decoder 4,096 at a
    time.

    Args:
        model: A built `keras_vae.VAE`.
        dataset: Images `[n, *event]`, or a data set of batches of them, with or without labels.
        num_samples: Int. K, at least 1; exactly that many are drawn. Defaults to `5000`.
        seed: Int. Of the samples. Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.
        by_example: Bool. Whether to return values by image, arrays `[n]` in the order of the data
            and without standard errors, in place of their means. Defaults to `False`.

    Returns:
        `log_likelihood` in nats an image with its standard error, `nll` (its negative),
        `num_samples` and `num_images`.

    Raises:
        ValueError: If `num_samples` is less than 1, there are no images, they do not fit the model,
            or the estimate is not finite.
    """
    num_samples = arguments.count("num_samples", num_samples)
    check_built(model)
    prior = model.prior_distribution()

    # Without XLA, whose logarithms and exponentials on a CPU are a quarter as fast.
    @tf.function(reduce_retracing=True)
    def log_sum_of_weights(count, noise_seed, images, *condition):
        posterior = model.encode(images, *condition)
        z = posterior.sample(count, seed=noise_seed)
        log_prob = several_codes.log_likelihood(model, z, images, *condition)
        log_weights = log_prob + prior.log_prob(z) - posterior.log_prob(z)
        return tf.reduce_logsumexp(log_weights, axis=0)

    def estimate(noise_seed, images, *condition):
        chunk = max(1, min(num_samples, _ROWS // len(images)))
        total = None
        for start in range(0, num_samples, chunk):
            chunk_seed = tf.random.fold_in(noise_seed, start)
            count = min(chunk, num_samples - start)
            part = log_sum_of_weights(count, chunk_seed, images, *condition)
            total = part if total is None else tf.reduce_logsumexp([total, part], axis=0)
        return (total - math.log(num_samples),)

    (values,) = over_batches(estimate, model, dataset, seed, progress, batch_size=64)
    if by_example:
        return {"log_likelihood": values}
    result = _means({"log_likelihood": values})
    return {
        **result,
        "nll": -result["log_likelihood"],
        "num_samples": num_samples,
        "num_images": len(values),
    }


def bits_per_dimension(
    model, dataset, num_samples: int = 100, seed: int = 0, progress: bool = True
) -> dict[str, float]:
    """-log2 p(x) over the number of values of an image, by importance sampling.

    It is what an image of bytes would take a byte with a perfect code, 8 without any model, and it
    compares with other models of the same bytes. Densities and the cross-entropy of grey pixels
    have no such meaning, and are refused.

    Args:
        model: A built `keras_vae.VAE` whose likelihood is a `DiscretizedLogistic`.
        dataset: Images, or a data set of batches of them.
        num_samples: As for `log_likelihood`. Defaults to `100`.
        seed: Int. Of the samples. Defaults to `0`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `bits_per_dimension` with its standard error, an upper bound that tightens with the samples;
        `num_samples` and `num_images`.

    Raises:
        ValueError: If the likelihood is another one, or as for `log_likelihood`.
    """
    check_built(model)
    if not isinstance(model.likelihood, DiscretizedLogistic):
        raise ValueError(
            "Bits a dimension are those of a probability of bytes. Expected: a model with the "
            f"likelihood 'discretized_logistic'. Received: {type(model.likelihood).__name__}. "
            "`log_likelihood` gives nats for every likelihood."
        )
    found = log_likelihood(model, dataset, num_samples, seed, progress)
    nats = math.prod(model.event_shape) * math.log(2)
    return {
        "bits_per_dimension": found["nll"] / nats,
        "bits_per_dimension_standard_error": found["log_likelihood_standard_error"] / nats,
        "num_samples": num_samples,
        "num_images": found["num_images"],
    }


def latent_statistics(
    model, dataset, threshold: float = 0.01, progress: bool = True
) -> dict[str, object]:
    """How much each latent is used.

    A unit is active if the variance over the images of its posterior mean exceeds the threshold
    (Burda et al., 2016, section 5.2).

    Args:
        model: A built `keras_vae.VAE`.
        dataset: Images, or a data set of batches of them.
        threshold: Float. Of the variance. Defaults to `0.01`.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.

    Returns:
        `active_units`, `kl_per_dimension` (nats, a list of floats; `None` where posterior or prior
        does not factorise over the latents, so that none has a KL of its own),
        `variance_of_means` (a list of floats) and `num_images`.

    Raises:
        ValueError: If `threshold` is no number of at least 0, there are no images, they do not fit
            the model, or a statistic is not finite.
    """
    threshold = arguments.number("threshold", threshold, least=0)

    @tf.function(reduce_retracing=True)
    def statistics(noise_seed, *inputs):
        del noise_seed  # Nothing here is random.
        posterior = model.encode(*inputs)
        if is_factorized(posterior) and is_factorized(model.prior_distribution()):
            return posterior.mean(), model.kl_per_dimension(posterior)
        return (posterior.mean(),)

    means, *kl = over_batches(statistics, model, dataset, 0, progress)
    variance = latent_measures.variance_of_means(means)
    return {
        "active_units": latent_measures.active_units(variance, threshold),
        "kl_per_dimension": kl[0].mean(axis=0).tolist() if kl else None,
        "variance_of_means": variance.tolist(),
        "num_images": len(means),
    }


def reconstruction_error(
    model, dataset, progress: bool = True, by_example: bool = False
) -> dict[str, float | np.ndarray]:
    """The mean squared error a pixel of deterministic reconstructions, of those observed.

    Args:
        model: A built `keras_vae.VAE`.
        dataset: Images, or a data set of batches of them.
        progress: Bool. Whether to show a progress bar. Defaults to `True`.
        by_example: Bool. Whether to return values by image, arrays `[n]` in the order of the data
            and without standard errors, in place of their means. Defaults to `False`.

    Returns:
        `mean_squared_error` with its standard error, and `num_images`.
    """

    @tf.function(reduce_retracing=True)
    def error(noise_seed, images, *condition):
        del noise_seed  # Nothing here is random.
        reconstructions = model(images, *condition, training=False)
        squared = tf.math.squared_difference(images, reconstructions)
        is_observed = tf.cast(tf.math.logical_not(tf.math.is_nan(images)), tf.float32)
        squared = tf.where(tf.math.is_nan(images), 0.0, squared)
        axes = list(range(1, images.shape.rank))
        return (
            tf.math.divide_no_nan(
                tf.reduce_sum(squared, axis=axes), tf.reduce_sum(is_observed, axis=axes)
            ),
        )

    (values,) = over_batches(error, model, dataset, 0, progress)
    if by_example:
        return {"mean_squared_error": values}
    return {**_means({"mean_squared_error": values}), "num_images": len(values)}


def linear_probe(model, train, test, epochs: int = 20, seed: int = 0) -> dict[str, float]:
    """How well a linear classifier reads the labels off the posterior means.

    Multinomial logistic regression on standardised codes, by Adam with a cosine schedule.

    Args:
        model: A built `keras_vae.VAE`.
        train: Batches `(images, labels)` that the classifier is fitted to.
        test: Batches `(images, labels)` that it is scored on.
        epochs: Int. Passes over the training codes. Defaults to `20`.
        seed: Int. Of the classifier's batches. Defaults to `0`.

    Returns:
        `probe_accuracy` in [0, 1], with its standard error.

    Raises:
        ValueError: If there are no images, they do not fit the model, there is not one label from
            0 for each, or `epochs` is less than 1.
    """
    epochs = arguments.count("epochs", epochs)
    codes, labels = _codes_and_labels(model, train)
    test_codes, test_labels = _codes_and_labels(model, test)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0) + 1e-8
    num_classes = int(max(labels.max(), test_labels.max())) + 1
    probe = keras.Sequential(
        [keras.layers.Input(codes.shape[1:]), keras.layers.Dense(num_classes, "softmax")]
    )
    # Zeros and a shuffle of our own leave Keras's random state as it was.
    probe.set_weights([np.zeros_like(weight) for weight in probe.get_weights()])
    batches = datasets.from_arrays((codes - mean) / deviation, labels, batch_size=256, seed=seed)
    # The rate falls, so that the last steps' noise does not decide the score.
    rate = keras.optimizers.schedules.CosineDecay(0.01, epochs * int(batches.cardinality()))
    probe.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    probe.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    predicted = probe.predict((test_codes - mean) / deviation, batch_size=4096, verbose=0)
    return _means({"probe_accuracy": (predicted.argmax(axis=-1) == test_labels).astype(float)})


def _codes_and_labels(model, dataset):
    is_labelled = isinstance(dataset, tf.data.Dataset) and isinstance(dataset.element_spec, tuple)
    if not is_labelled or len(dataset.element_spec) < 2:
        raise ValueError(
            "A linear probe needs a `tf.data.Dataset` of batches (images, labels). "
            f"Received: {getattr(dataset, 'element_spec', type(dataset).__name__)}. Load the data "
            "set with `with_labels=True`, or give labels to `keras_vae.datasets.from_arrays`."
        )
    check, batches = checked(model, dataset, None)
    with check.errors_made_clear():
        pairs = [
            (model.encode(*inputs_of(model, check, batch)).mean().numpy(), batch[1].numpy())
            for batch in batches
        ]
    if not pairs:
        raise ValueError("There are no images to evaluate. Received: an empty data set")
    codes, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(
            "A linear probe needs one class an image. Expected: integers [n] from 0. "
            f"Received: {labels.dtype} {list(labels.shape)}"
            + (f" from {labels.min()}" if labels.dtype.kind in "iuf" else "")
            + ". Number the classes, for example by `np.unique(labels, return_inverse=True)`."
        )
    return codes, labels


def _means(values):
    """The mean of each by its name, and its standard error."""
    result = {}
    for name, of_images in values.items():
        result[name] = float(of_images.mean())
        result[f"{name}_standard_error"] = float(of_images.std() / math.sqrt(len(of_images)))
    return result


def evaluate_all(
    model,
    dataset: str,
    split: str = "test",
    binarize: str | None = None,
    num_samples: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, object]:
    """Every figure of this module, on one split of a data set.

    Args:
        model: A built `keras_vae.VAE`.
        dataset: Name of the data set, as `keras_vae.datasets.load` takes it.
        split: TFDS split string to evaluate on. Defaults to `"test"`.
        binarize: `None` for grey pixels, or `"fixed"`: each pixel drawn once, by `seed`. Defaults
            to `None`.
        num_samples: Int. Samples an image of the log-likelihood; 0 leaves it out. Defaults to
            `100`.
        seed: Int. Of every sample that is drawn. Defaults to `0`.
        progress: Bool. Whether to show progress bars. Defaults to `True`.

    Returns:
        `{name: figure}`, in nats an image unless the function that the figure comes from says
        otherwise; `kl_per_dimension` where there is one, in nats to four digits. Where the data
        set has no split `train`, or not one label an image, there is no `probe_accuracy`.

    Raises:
        ValueError: If an argument is invalid, the images do not fit the model, or a figure is not
            finite.
        DatasetUnavailableError: If the data set is neither prepared nor downloadable.
    """
    arguments.count("num_samples", num_samples, least=0)
    load: dict = {"batch_size": 1000, "binarize": binarize, "seed": seed, "shuffle": False}
    images = datasets.load(dataset, split, **load)
    figures: dict[str, Any] = {}
    figures |= evaluate_elbo(model, images, seed=seed, progress=progress)
    if num_samples:
        figures |= log_likelihood(model, images, num_samples, seed=seed, progress=progress)
    statistics: dict[str, Any] = latent_statistics(model, images, progress=progress)
    figures["active_units"] = statistics["active_units"]
    if statistics["kl_per_dimension"] is not None:
        figures["kl_per_dimension"] = [round(kl, 4) for kl in statistics["kl_per_dimension"]]
    figures |= reconstruction_error(model, images, progress=progress)
    try:
        train, test = datasets.load(dataset, ("train", split), with_labels=True, **load)
    except ValueError:
        return figures  # There are no labels, or no training split, to probe with.
    if train.element_spec[1].shape.rank != 1:
        return figures  # Several factors an image are no class of it.
    return figures | linear_probe(model, train, test, seed=seed)
