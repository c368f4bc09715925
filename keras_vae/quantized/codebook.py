"""Vectors by number: the discrete code of a VQ-VAE, and how its vectors move."""

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.noise import random_bits


@keras.saving.register_keras_serializable(package="keras_vae")
class Codebook(keras.layers.Layer):
    """So many vectors, of which the nearest stands for what the encoder returns.

    Calling it quantises: every vector of the last axis is replaced by the nearest of the codebook
    (van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", 2017, equations
    1 and 2), and the gradient passes as if nothing had been done. All in float32, whatever the
    dtype policy.

    With `decay` each vector e is an exponential moving average of what it stands for (appendix
    A.1): with n encoder outputs z nearest to it in a batch,

        N <- decay * N + (1 - decay) * n
        m <- decay * m + (1 - decay) * sum(z)
        e <- m / N

    which is kept as e and N alone, e <- e + (1 - decay) * (sum(z) - n * e) / N: a vector that
    stands for nothing stays where it is to the last bit. N begins at 0, so that the first batch
    counts in full. Without `decay` the vectors are trained by the gradient of the codebook loss.

    A vector to which nothing was nearest for `revive_after` updates is put where an encoder output
    of the batch is. So is every one that the first batch makes no use of, so that training begins
    with vectors where the codes are.

    Args:
        num_codes: Int. K, how many vectors there are.
        decay: Float in (0, 1), or `None` for vectors that are trained by gradient. Defaults to
            `0.99`.
        revive_after: Int. Updates without use after which a vector is moved. Defaults to `100`;
            `None` leaves all where they are.
        **kwargs: As `keras.layers.Layer` takes them.

    Raises:
        ValueError: If an argument is invalid.

    Input and output shape:
        `[batch, ..., code_dim]`.
    """

    def __init__(
        self,
        num_codes: int,
        decay: float | None = 0.99,
        revive_after: int | None = 100,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_codes = arguments.count("num_codes", num_codes, least=2)
        self.decay = None if decay is None else arguments.share("decay", decay)
        self.revive_after = (
            None if revive_after is None else arguments.count("revive_after", revive_after)
        )

    def build(self, input_shape):
        """Makes the vectors, and what is counted of each."""
        # Every replica assigns the same numbers.
        kept = {"dtype": "float32", "autocast": False, "aggregation": "only_first_replica"}
        self.vectors = self.add_weight(
            shape=(self.num_codes, input_shape[-1]),
            initializer=keras.initializers.RandomUniform(-1 / self.num_codes, 1 / self.num_codes),
            trainable=self.decay is None,
            name="vectors",
            **kept,
        )
        counts = {"shape": (self.num_codes,), "trainable": False, **kept}
        if self.decay is not None:
            self.counts = self.add_weight(initializer="zeros", name="counts", **counts)
        if self.revive_after is not None:
            # At the first batch all have been out of use for long.
            start = keras.initializers.Constant(self.revive_after)
            self.unused = self.add_weight(initializer=start, name="unused", **counts)
        self.built = True

    def call(self, inputs):
        """The nearest vectors, with the gradient of the inputs themselves (section 3.2)."""
        inputs = tf.cast(inputs, tf.float32)
        nearest = tf.stop_gradient(self.lookup(self.nearest(inputs)))
        # The difference is 0, so that what comes out are the codebook's vectors to the last bit.
        return nearest + (inputs - tf.stop_gradient(inputs))

    def nearest(self, inputs) -> tf.Tensor:
        """The numbers of the nearest vectors: `[batch, ..., code_dim] -> int32 [batch, ...]`."""
        vectors = tf.convert_to_tensor(self.vectors)
        # Squared distances, without the inputs' own squares, which are the same for all.
        products = tf.tensordot(tf.cast(inputs, tf.float32), vectors, [[-1], [-1]])
        distances = tf.reduce_sum(vectors**2, axis=-1) - 2.0 * products
        return tf.argmin(distances, axis=-1, output_type=tf.int32)

    def lookup(self, codes) -> tf.Tensor:
        """The vectors of numbers: `int [batch, ...] -> [batch, ..., code_dim]`."""
        return tf.gather(tf.convert_to_tensor(self.vectors), codes)

    def perplexity(self, codes) -> tf.Tensor:
        """How many vectors numbers make use of: e to the entropy of their shares.

        Args:
            codes: Int `[batch, ...]`.

        Returns:
            A float32 scalar from 1 to `num_codes`.
        """
        usage = tf.reduce_sum(self._one_hot(codes), axis=0)
        shares = tf.math.divide_no_nan(usage, tf.reduce_sum(usage))
        return tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))

    def update(self, inputs, codes, seed):
        """Moves the vectors after what they stand for in a batch, and those that nothing needs.

        What several replicas have of a batch counts together.

        Args:
            inputs: The encoder's outputs, `[batch, ..., code_dim]`.
            codes: Their numbers, int `[batch, ...]`.
            seed: int32 `[2]`, on which alone depends which of the outputs moved vectors become.
        """
        inputs = tf.reshape(tf.stop_gradient(inputs), [-1, self.vectors.shape[-1]])
        vectors, one_hot = tf.convert_to_tensor(self.vectors), self._one_hot(codes)
        usage, counts = _over_replicas(tf.reduce_sum(one_hot, axis=0)), None
        if self.decay is not None:
            share = 1.0 - self.decay
            sums = _over_replicas(tf.matmul(one_hot, inputs, transpose_a=True))
            counts = self.decay * self.counts + share * usage
            moves = share * (sums - usage[:, None] * vectors)
            vectors += tf.math.divide_no_nan(moves, counts[:, None])
        if self.revive_after is not None:
            unused = tf.where(usage > 0, 0.0, self.unused + 1.0)
            others, are_there = self._drawn(inputs, seed)
            revived = (unused >= self.revive_after) & are_there
            vectors = tf.where(revived[:, None], others, vectors)
            self.unused.assign(tf.where(revived, 0.0, unused))
            if counts is not None:
                counts = tf.where(revived, 0.0, counts)
        if counts is not None:
            self.counts.assign(counts)
        if counts is not None or self.revive_after is not None:
            self.vectors.assign(vectors)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            "num_codes": self.num_codes,
            "decay": self.decay,
            "revive_after": self.revive_after,
        }
        return {**super().get_config(), **config}

    def _one_hot(self, codes):
        """`[n, num_codes]`: sums by products of matrices, which are the same in every run."""
        return tf.one_hot(tf.reshape(codes, [-1]), self.num_codes)

    def _drawn(self, inputs, seed):
        """One encoder output for each vector, and whether there is one.

        They stand at equal distances in the batch, from a random one on: all are different if there
        are as many as vectors. Of several replicas each gives those of every so many vectors.
        """
        replica = tf.distribute.get_replica_context()
        replicas = replica.num_replicas_in_sync if replica is not None else 1
        count = tf.shape(inputs)[0]
        some = tf.maximum(count, 1)
        first = tf.cast(random_bits([], seed) % tf.cast(some, tf.uint32), tf.int32)
        distance = tf.maximum(count // self.num_codes, 1)
        places = (first + distance * tf.range(self.num_codes)) % some
        if replicas == 1:
            return tf.gather(inputs, places), True
        # One row more: a replica may go empty-handed when the last batch is smaller.
        drawn = tf.gather(tf.pad(inputs, [[0, 1], [0, 0]]), places)
        is_own = tf.range(self.num_codes) % replicas == replica.replica_id_in_sync_group
        is_own = tf.cast(is_own & (count > 0), tf.float32)
        return _over_replicas(drawn * is_own[:, None]), _over_replicas(is_own) > 0


def _over_replicas(value):
    """The sum of what the replicas have, within a step that they share."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)
