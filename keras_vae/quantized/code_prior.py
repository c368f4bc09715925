"""A prior over the codes of a VQ-VAE, one code after the other."""

import math
import random

import keras
import numpy as np
import tensorflow as tf

from keras_vae import arguments
from keras_vae.export import HasSignatures, Signatures, count_and_seed
from keras_vae.networks.causal import OneByOne, causal_transformer
from keras_vae.presets import HasPresets
from keras_vae.quantized.code_check import CodeCheck
from keras_vae.training import LoggedMean, Pass, Term, TermTrainer


@keras.saving.register_keras_serializable(package="keras_vae")
class CodePrior(HasSignatures, HasPresets, TermTrainer):
    """p(c) = prod_i p(c_i | c_1, ..., c_(i-1)): a causal transformer over grids of codes.

    The autoregressive prior that a VQ-VAE is given once it is trained (van den Oord, Vinyals &
    Kavukcuoglu, "Neural discrete representation learning", 2017, section 3.3, where it is a
    PixelCNN). The codes of a grid follow each other row by row. `fit` and `evaluate` take them
    alone, as `VQVAE.encode_codes` returns them, and log

    - `loss`, and the same as `nats_per_code`: -log p(c) over the number of codes, at first
      log `num_codes`;
    - `bits_per_code`, that over log 2.

    -log p(c) and the `reconstruction_loss` of the VQ-VAE add up to an upper bound of -log p(x).

    Args:
        grid_shape: Of the codes of one image, `VQVAE.grid_shape`; `()` of a single one.
        num_codes: Int. The codes are integers from 0 to one less, `VQVAE.num_codes`.
        width: Int. As for `networks.causal.causal_transformer`. Defaults to `128`.
        depth: Int. Blocks of the transformer. Defaults to `3`.
        num_heads: Int. Heads of attention a block. Defaults to `4`.
        **kwargs: As `keras_vae.training.TermTrainer` takes them; nothing is drawn in training.

    Raises:
        ValueError: If an argument is invalid.

    Input shape:
        `[batch, *grid_shape]`, integers.

    Output shape:
        `[batch, *grid_shape, num_codes]`, float32: logits of each code, given those before it.

    Example:
    >>> prior = keras_vae.quantized.CodePrior(vqvae.grid_shape, vqvae.num_codes)
    >>> prior.compile(optimizer=keras.optimizers.Adam(1e-3))
    >>> prior.fit(vqvae.encode_codes(images), epochs=10)
    >>> vqvae.with_prior(prior).sample(64, seed=0)  # new images
    """

    # As of `VQVAE`: there is nothing between two codes.
    has_discrete_codes = True

    def __init__(
        self,
        grid_shape,
        num_codes: int,
        width: int = 128,
        depth: int = 3,
        num_heads: int = 4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.grid_shape = arguments.counts("grid_shape", grid_shape)
        self.num_codes = arguments.count("num_codes", num_codes, least=2)
        self.length = math.prod(self.grid_shape)
        self.network = causal_transformer(self.length, self.num_codes, width, depth, num_heads)
        self._size = {"width": width, "depth": depth, "num_heads": num_heads}
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of the codes of one image."""
        return self.grid_shape

    def call(self, codes, training: bool = False, return_pass: bool = False):
        """Logits of each code, given those before it.

        Args:
            codes: Integers, `[batch, *grid_shape]`.
            training: Bool. Nothing depends on it. Defaults to `False`.
            return_pass: Bool. Whether to return all that the loss is made of. Defaults to `False`.

        Returns:
            `[batch, *grid_shape, num_codes]`, or with `return_pass` a `keras_vae.training.Pass`.
        """
        codes = tf.reshape(tf.cast(codes, tf.int32), [-1, self.length])
        logits = self.network(codes, training=training)
        output = tf.reshape(logits, [-1, *self.grid_shape, self.num_codes])
        if not return_pass:
            return output
        nats = -_log_prob(logits, codes)
        bits = LoggedMean(nats / (self.length * math.log(2)))
        terms = {"nats_per_code": Term(1.0, nats, self.length)}
        return Pass(output, terms, {"bits_per_code": bits})

    def symbolic_inputs(self) -> tuple:
        """Symbolic codes."""
        return (keras.KerasTensor((None, *self.grid_shape), "int32"),)

    def data_check(self) -> CodeCheck:
        """Integers of the grid's shape, each the number of a code."""
        return CodeCheck(self.grid_shape, self.num_codes)

    def nats(self, codes) -> tf.Tensor:
        """-log p(c) in nats an image, of codes that are known to be such, also in graphs.

        Args:
            codes: Integers, `[batch, *grid_shape]`.

        Returns:
            `[batch]`, float32.
        """
        codes = tf.reshape(codes, [-1, self.length])
        return -_log_prob(self.network(codes), codes)

    def log_prob(self, codes, batch_size: int = 256) -> np.ndarray:
        """The logarithm of the probability p(c) of the codes of each image.

        Args:
            codes: Integers, `[n, *grid_shape]`.
            batch_size: Int. How many pass through the network at once. Defaults to `256`.

        Returns:
            `[n]`, float32, in nats.

        Raises:
            ValueError: If an argument is invalid.
        """
        arguments.count("batch_size", batch_size)
        codes = self.data_check().array(codes)
        batches = (codes[at : at + batch_size] for at in range(0, len(codes), batch_size))
        return np.concatenate([-self.nats(batch) for batch in batches])

    def draw_codes(self, n: int, seed: int | None = None) -> tf.Tensor:
        """Codes of as many images, as `sample` draws them, for what draws a model's codes."""
        return self.sample(n, seed)

    def sample(
        self, n: int, seed: int | None = None, temperature: float = 1.0, batch_size: int = 256
    ) -> tf.Tensor:
        """Draws codes, one after the other, for `VQVAE.decode_codes`.

        Args:
            n: Int. Of how many images.
            seed: Int. The same seed and `batch_size` give the same codes. Defaults to `None`: new
                ones each call.
            temperature: Float, above 0. What logits are divided by: below 1 codes are more like
                those that are most probable. Defaults to `1.0`.
            batch_size: Int. How many are drawn at once. Defaults to `256`.

        Returns:
            int32 `[n, *grid_shape]`.

        Raises:
            ValueError: If an argument is invalid.
        """
        n, batch_size = arguments.count("n", n), arguments.count("batch_size", batch_size)
        temperature = arguments.positive("temperature", temperature)
        seed = random.randrange(2**31) if seed is None else arguments.seed("seed", seed)
        parts = [
            self._draw(min(batch_size, n - at), [seed, at], temperature)
            for at in range(0, n, batch_size)
        ]
        return tf.reshape(tf.concat(parts, axis=0), [n, *self.grid_shape])

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([], tf.float32),
        ],
        autograph=False,
    )
    def _draw(self, n, seed, temperature):
        """Codes `[n, length]`; a code is drawn once all before it are there."""
        network = OneByOne(self.network)

        def step(place, codes, memory):
            last = tf.gather(codes, tf.maximum(place - 1, 0), axis=1)
            logits, memory = network.step(place, last, memory)
            own = tf.random.experimental.stateless_fold_in(seed, place)
            drawn = tf.random.stateless_categorical(logits / temperature, 1, own, dtype=tf.int32)
            return place + 1, tf.where(tf.range(self.length) == place, drawn, codes), memory

        start = (0, tf.zeros([n, self.length], tf.int32), network.start(n))
        return tf.while_loop(lambda place, *_: place < self.length, step, start)[1]

    def signatures(self) -> Signatures:
        """What an exported model serves: `log_prob` by default, and `sample` of `n` and `seed`."""
        codes = tf.TensorSpec((None, *self.grid_shape), tf.int32, name="codes")

        def sample(n, seed):
            drawn = self._draw(n, tf.stack([seed, 0]), 1.0)
            return tf.reshape(drawn, [-1, *self.grid_shape])

        return {
            "log_prob": (lambda codes: -self.nats(codes), [codes]),
            "sample": (sample, count_and_seed()),
        }

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {"grid_shape": self.grid_shape, "num_codes": self.num_codes, **self._size}
        return {**super().get_config(), **config}


def _log_prob(logits, codes):
    """Log-probabilities `[n]` of logits `[n, length, num_codes]` and codes `[n, length]`."""
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=codes, logits=logits)
    return -tf.reduce_sum(nats, axis=-1)
