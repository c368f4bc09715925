"""How alike two images look by their local means, contrasts and patterns, at several scales."""

import numpy as np
import tensorflow as tf

# Of each scale, the finest first: Wang et al. (2003), section 3.2.
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Below it a factor has no gradient: its root's is without bound.
_LEAST = 1e-3


def num_scales(shape: tuple[int, ...], filter_size: int) -> int:
    """How many scales, five at most, images `(height, width, channels)` have for such a window."""
    return sum(min(shape[:2]) // 2**scale >= filter_size for scale in range(len(_EXPONENTS)))


def multiscale_similarity(
    x: tf.Tensor, y: tf.Tensor, dynamic_range: float, filter_size: int = 11
) -> tf.Tensor:
    """The multi-scale structural similarity (MS-SSIM), 1 for the same images.

    As `tf.image.ssim_multiscale`, but with as many scales as there are, the exponents of which add
    up to 1; with windows that are products of matrices, which XLA compiles well; and with a
    gradient that is finite everywhere.

    Reference: Wang, Simoncelli & Bovik, "Multiscale structural similarity for image quality
    assessment" (2003), equation 7, with the windows and constants of Wang et al. (2004).

    Args:
        x: Images, `[batch, height, width, channels]`, float32.
        y: As many.
        dynamic_range: Float. The greatest value less the least.
        filter_size: Int. Side of the Gaussian window, of deviation 1.5. Defaults to `11`.

    Returns:
        `[batch]`, a mean over the channels.
    """
    scales = num_scales(tuple(x.shape[1:]), filter_size)
    exponents = np.array(_EXPONENTS[:scales]) / sum(_EXPONENTS[:scales])
    product = 1.0
    for scale, exponent in enumerate(exponents):
        if scale:
            x, y = (tf.nn.avg_pool2d(images, 2, 2, "VALID") for images in (x, y))
        luminance, structure = _similarities(x, y, dynamic_range, filter_size)
        local = luminance * structure if scale == scales - 1 else structure
        factor = tf.reduce_mean(local, axis=[1, 2])
        product *= tf.maximum(factor, _LEAST) ** float(exponent)
    return tf.reduce_mean(product, axis=-1)


def _similarities(x, y, dynamic_range, filter_size):
    """Of local means, and of local contrasts and patterns together, for each pixel and channel."""
    first, second = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
    mean_x, mean_y = _windowed(x, filter_size), _windowed(y, filter_size)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    luminance = (2 * product + first) / (squares + first)
    covariance = _windowed(x * y, filter_size) - product
    variances = _windowed(x**2 + y**2, filter_size) - squares
    return luminance, (2 * covariance + second) / (variances + second)


def _windowed(images, filter_size):
    """Means under a Gaussian window that lies wholly within the images."""
    offsets = np.arange(filter_size) - (filter_size - 1) / 2
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    for axis, equation in ((1, "oh,bhwc->bowc"), (2, "ow,bhwc->bhoc")):
        size = images.shape[axis]
        rows = np.zeros((size - filter_size + 1, size), "float32")
        for row in range(len(rows)):
            rows[row, row : row + filter_size] = window
        images = tf.einsum(equation, rows, images)
    return images
