"""How far two samples are from one distribution."""

import tensorflow as tf

#: Names of the kernels of `maximum_mean_discrepancy`.
KERNELS = ("rbf", "imq")


def maximum_mean_discrepancy(x: tf.Tensor, y: tf.Tensor, kernel: str = "rbf") -> tf.Tensor:
    """The squared maximum mean discrepancy of two samples, without bias: 0 in the mean if equal.

    E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)] over pairs of different points (Gretton et al., "A
    kernel two-sample test", 2012, equation 3), so that it may be slightly negative.

    Args:
        x: `[n, latent]`, n at least 2.
        y: `[m, latent]`, m at least 2.
        kernel: `"rbf"`, exp(-|a - b|^2 / latent), where two draws of N(0, I) are 2 latent apart in
            the mean; or `"imq"`, c / (c + |a - b|^2) with c = 2 latent (Tolstikhin et al.,
            "Wasserstein auto-encoders", 2018, section 4), whose tails pull in far codes. Defaults
            to `"rbf"`.

    Returns:
        A scalar.
    """
    latents = float(x.shape[-1])

    def similarity(a, b):
        squared = tf.reduce_sum(tf.math.squared_difference(a[:, None], b[None]), axis=-1)
        return tf.exp(-squared / latents) if kernel == "rbf" else 2 / (2 + squared / latents)

    def within(a):
        count = tf.cast(tf.shape(a)[0], tf.float32)
        # Every point is as similar to itself as can be: 1.
        total = tf.reduce_sum(similarity(a, a)) - count
        return tf.math.divide_no_nan(total, count * (count - 1))

    return within(x) + within(y) - 2 * tf.reduce_mean(similarity(x, y))
