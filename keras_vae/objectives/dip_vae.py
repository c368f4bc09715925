"""A VAE that pulls the covariance of the codes towards the identity."""

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.vae import VAE

KINDS = ("i", "ii")


@keras.saving.register_keras_serializable(package="keras_vae")
class DIPVAE(VAE):
    """-log p(x|z) + beta * KL + lambda_off * sum_{i!=j} C_ij^2 + lambda_diag * sum_i (C_ii - 1)^2.

    C is a covariance over the batch: of the posterior means (`kind="i"`), or of the codes, which
    adds the mean of the posterior variances (`kind="ii"`). The two penalties are logged as
    `off_diagonal_loss` and `diagonal_loss`; they are squares of covariances, not nats. Use it for
    decorrelated latents at beta 1: cheap, no adversary, but only second moments are looked at.

    Reference: Kumar, Sattigeri & Balakrishnan, "Variational inference of disentangled latent
    concepts from unlabeled observations" (2018), equations 6 and 7.

    Args:
        kind: `"i"` or `"ii"`. Defaults to `"ii"`.
        lambda_off_diagonal: Float. Defaults to `10.0`.
        lambda_diagonal: Float. Defaults to `None`: ten times the other for `"i"`, the same for
            `"ii"`, as in the paper.
        **kwargs: As `VAE` takes them.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        encoder,
        decoder,
        kind: str = "ii",
        lambda_off_diagonal: float = 10.0,
        lambda_diagonal: float | None = None,
        **kwargs,
    ):
        arguments.one_of("kind", kind, KINDS)
        if lambda_diagonal is None:
            lambda_diagonal = lambda_off_diagonal * (10 if kind == "i" else 1)
        self.kind = kind
        coefficients = {
            "lambda_off_diagonal": lambda_off_diagonal,
            "lambda_diagonal": lambda_diagonal,
        }
        super().__init__(encoder, decoder, coefficients=coefficients, **kwargs)

    def regularizers(self, posterior, z, kl, training):
        """The KL and the two penalties."""
        means = posterior.mean()
        centred = means - tf.reduce_mean(means, axis=0)
        count = tf.cast(tf.shape(means)[0], tf.float32)
        covariance = tf.matmul(centred, centred, transpose_a=True) / count
        variances = tf.linalg.diag_part(covariance)
        off_diagonal = tf.reduce_sum(covariance**2) - tf.reduce_sum(variances**2)
        if self.kind == "ii":
            variances += tf.reduce_mean(posterior.variance(), axis=0)
        return {
            **super().regularizers(posterior, z, kl, training),
            "off_diagonal_loss": (self.lambda_off_diagonal, off_diagonal),
            "diagonal_loss": (self.lambda_diagonal, tf.reduce_sum((variances - 1) ** 2)),
        }

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "kind": self.kind}
