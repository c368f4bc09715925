"""The vector-quantised variational autoencoder: images as numbers on a grid."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.distributions import get_likelihood
from keras_vae.export import HasSignatures, Signatures
from keras_vae.network_checks import check_decoder, check_networks, check_parameters_shape
from keras_vae.over_images import OverImages
from keras_vae.presets import HasPresets, without_optimizer_state
from keras_vae.quantized.code_check import CodeCheck
from keras_vae.quantized.code_prior import CodePrior
from keras_vae.quantized.codebook import Codebook
from keras_vae.training import LoggedMean, Pass, Term, TermTrainer
from keras_vae.training.data_checks import as_float_images


@keras.saving.register_keras_serializable(package="keras_vae")
class VQVAE(OverImages, HasSignatures, HasPresets, TermTrainer):
    """A VQ-VAE: encoder, codebook, decoder p(x|z), trained on reconstruction and commitment.

    The encoder returns a vector at each place of a grid, of which the codebook's nearest goes on to
    the decoder. With z_e the former, e the latter and sg the stop-gradient operator, the loss of an
    image is

        -log p(x|e) + sum |sg[z_e] - e|^2 + commitment * sum |z_e - sg[e]|^2

    (van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", 2017, equation
    3), the sums over the grid; the gradient of the decoder's input passes to the encoder's output
    as it is. With `decay` the second term is left out, and moving averages take its place (appendix
    A.1). The paper averages both terms over the grid; here, where the first is a sum over pixels,
    they are sums, so that the terms keep their proportions whatever the size of the images.

    `fit` and `evaluate` take images alone (`x`), or `(x,)`, `(x, y)`, `(x, y, sample_weight)`; `y`
    is not used. They log

    - `reconstruction_loss`, -log p(x|e) in nats an image, `commitment_loss`, and without `decay`
      `codebook_loss`, both squared distances an image, so that `loss == reconstruction_loss +
      commitment * commitment_loss` (+ `codebook_loss`);
    - `perplexity`, e to the entropy of the codes of a batch, from 1 to `num_codes`: how many of
      them are in use;
    - `elbo`, log p(x|e) + log p(codes), in nats an image: the evidence lower bound. Without a
      `code_prior` all codes are equally probable, log `num_codes` nats for each place; a trained
      `CodePrior` gives a better bound.

    What reads means and scales of q(z|x), such as `callbacks.LatentTraversal` and
    `keras_vae.evaluation`, refuses a model that has none.

    Args:
        encoder: Keras model from images `[batch, *event]` to vectors `[batch, *grid, code_dim]`,
            such as `networks.vq_encoder`; of a single vector an image, `[batch, code_dim]`.
        decoder: Keras model from `[batch, *grid, code_dim]` to the likelihood's parameters, such as
            `networks.vq_decoder`.
        num_codes: Int. K, how many vectors the codebook has. Defaults to `512`.
        likelihood: As for `VAE`. Defaults to `"bernoulli"`.
        commitment: Float, at least 0. Weight of the commitment loss, a variable that schedules may
            move. Defaults to `0.25`.
        decay: Float in (0, 1), of the codebook's moving averages; `None` trains it by gradient. See
            `Codebook`. Defaults to `0.99`.
        revive_after: Int. Training steps without use after which a code is moved to an encoder
            output of the batch; `None` leaves all where they are. Defaults to `100`.
        seed: Int. Which outputs revived codes are moved to is a function of `(seed, step)` alone.
            Defaults to `None`, a seed drawn from Python's `random`.
        code_prior: A `CodePrior` over the codes, which becomes a part of the model that its `fit`
            leaves as it is; see `with_prior`. Defaults to `None`: all codes are equally probable,
            and there is nothing to sample from.

    Raises:
        ValueError: If an argument is invalid, or if encoder, decoder, likelihood and prior do not
            fit.

    Input shape:
        `[batch, *event]`, floating point, inside the likelihood's support.

    Output shape:
        The same: the mean of p(x|e).

    Example:
    >>> vqvae = keras_vae.quantized.VQVAE(
    ...     keras_vae.networks.vq_encoder((28, 28, 1), code_dim=16),
    ...     keras_vae.networks.vq_decoder((28, 28, 1), code_dim=16),
    ...     num_codes=128,
    ... )
    >>> vqvae.compile(optimizer=keras.optimizers.Adam(1e-3))
    >>> vqvae.fit(images, epochs=10)
    >>> vqvae.encode_codes(images)  # integers, [n, 7, 7]
    >>> prior = keras_vae.quantized.CodePrior(vqvae.grid_shape, vqvae.num_codes)
    >>> prior.compile(optimizer=keras.optimizers.Adam(1e-3))
    >>> prior.fit(vqvae.encode_codes(images), epochs=10)
    >>> vqvae = vqvae.with_prior(prior)
    >>> vqvae.sample(64, seed=0)  # new images
    """

    # What draws or measures a continuous latent looks here, and says that there is none.
    has_discrete_codes = True

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        num_codes: int = 512,
        likelihood="bernoulli",
        commitment: float = 0.25,
        decay: float | None = 0.99,
        revive_after: int | None = 100,
        seed: int | None = None,
        code_prior: CodePrior | None = None,
        **kwargs,
    ):
        check_networks(encoder=encoder, decoder=decoder)
        if not isinstance(code_prior, CodePrior | None):
            raise arguments.invalid("code_prior", "a `CodePrior` or `None`", code_prior)
        super().__init__({"commitment": commitment}, seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.codebook = Codebook(num_codes, decay, revive_after, name="codebook")
        self.likelihood = get_likelihood(likelihood)
        self.code_prior = code_prior
        if code_prior is not None:
            # It learns from codes that stay what they are, by a `fit` of its own.
            code_prior.trainable = False
        # Tuples once the model is built.
        self._event_shape: Any = None
        self._grid_shape: Any = None
        self._decoder_checked = False
        encoder_input = getattr(encoder, "input_shape", None) if encoder.built else None
        if isinstance(encoder_input, tuple):
            self.build(encoder_input)

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The shape of one image; `None` until the model is built."""
        return self._event_shape

    @property
    def grid_shape(self) -> tuple[int, ...] | None:
        """The shape of the codes of one image, `()` of a single one; `None` until built."""
        return self._grid_shape

    @property
    def num_codes(self) -> int:
        """How many codes there are to choose from."""
        return self.codebook.num_codes

    def build(self, input_shape):
        """Builds the networks and the codebook, and checks that they fit each other.

        Args:
            input_shape: `(batch, *event)`; the batch may be `None`.
        """
        if self.built:
            return
        event_shape = tuple(input_shape[1:])
        code_shape = _code_shape(self.encoder(keras.KerasTensor((None, *event_shape))))
        expected = getattr(self.decoder, "input_shape", None) if self.decoder.built else None
        if isinstance(expected, tuple) and expected[1:] != code_shape:
            raise ValueError(
                "`encoder` and `decoder` differ in their codes: the encoder returns "
                f"{list(code_shape)} an image, and the decoder takes {list(expected[1:])}. Build "
                "both with the same `code_dim` and the same number of halvings."
            )
        parameters = self.decoder(keras.KerasTensor((None, *code_shape)))
        check_parameters_shape(parameters, self.likelihood, event_shape)
        for part, shape in ((self.codebook, code_shape), (self.likelihood, event_shape)):
            if not part.built:
                part.build((None, *shape))
        self._event_shape, self._grid_shape = event_shape, code_shape[:-1]
        self._check_prior()
        self.built = True

    # The pass, and what its loss is made of ------------------------------------------------

    def call(self, x, training: bool = False, return_pass: bool = False):
        """Reconstructs images: the mean of p(x|e) at the nearest codes.

        Args:
            x: Images, `[batch, *event]`.
            training: Bool. Nothing depends on it but what depends on it in the networks. Defaults
                to `False`.
            return_pass: Bool. Whether to return all that the loss is made of. Defaults to `False`.

        Returns:
            The reconstruction `[batch, *event]`, or with `return_pass` a
            `keras_vae.training.Pass`.
        """
        x = as_float_images(x, self.event_shape)
        outputs = tf.cast(self.encoder(x), tf.float32)
        likelihood = self.likelihood.distribution(self.decoder(self.codebook(outputs)))
        return self._pass(x, outputs, likelihood) if return_pass else likelihood.mean()

    def prepare_to_train(self):
        """Looks at what the decoder returns, once, and makes what training needs."""
        if self.built and not self._decoder_checked:
            code_shape = (*self.grid_shape, self.codebook.vectors.shape[-1])
            check_decoder(self.decoder, code_shape, self.likelihood)
            self._decoder_checked = True
        super().prepare_to_train()

    # What a trained model is asked for -----------------------------------------------------

    def reconstruct(self, x, batch_size: int = 1024) -> tf.Tensor:
        """Images as the model sees them: the mean of p(x|e) at the nearest codes.

        Args:
            x: Images, `[n, *event]`, or what `predict` takes besides: a `tf.data.Dataset`, a
                generator or a `keras.utils.PyDataset` of batches of images.
            batch_size: Int. How many images of an array pass through the networks at once. Defaults
                to `1024`.

        Returns:
            `[n, *event]`, float32. Deterministic.

        Raises:
            ValueError: If the images are not such as `fit` takes, or the data have no end.
        """
        return self._of_images("reconstruct", lambda x, _=None: self(x), batch_size, x)

    def encode_codes(self, x, batch_size: int = 1024) -> tf.Tensor:
        """The codes of images: the numbers of the nearest vectors of the codebook.

        Args:
            x: As for `reconstruct`.
            batch_size: Int. As for `reconstruct`. Defaults to `1024`.

        Returns:
            int32 `[n, *grid]`, from 0 to `num_codes - 1`. Deterministic.

        Raises:
            ValueError: As `reconstruct` does.
        """

        def codes_of(x, _=None):
            return self.codebook.nearest(self.encoder(as_float_images(x, self.event_shape)))

        self._check_built("encode_codes")
        return self._of_images("encode_codes", codes_of, batch_size, x)

    def decode_codes(self, codes, batch_size: int = 1024) -> tf.Tensor:
        """The images of codes: the mean of p(x|e).

        Args:
            codes: Integers `[n, *grid]` from 0 to `num_codes - 1`, as `encode_codes` returns them
                and `CodePrior.sample` draws them.
            batch_size: Int. How many pass through the decoder at once. Defaults to `1024`.

        Returns:
            `[n, *event]`, float32.

        Raises:
            ValueError: If the codes are no such integers, or the model is not built.
        """

        def images_of(codes, _=None):
            return self.likelihood.distribution(self.decoder(self.codebook.lookup(codes))).mean()

        self._check_built("decode_codes")
        if tf.is_tensor(codes) and not hasattr(codes, "numpy"):
            return images_of(codes)
        codes = CodeCheck(self._grid_shape, self.num_codes).array(codes)
        return self._in_batches(images_of, batch_size, codes)

    def with_prior(self, code_prior: CodePrior) -> "VQVAE":
        """The same model with a prior over its codes, from which it samples.

        Args:
            code_prior: A `CodePrior` that was trained on codes of this model.

        Returns:
            A `VQVAE` of copies of both, not compiled: neither changes when the other is trained.

        Raises:
            ValueError: If the prior is none, or of other codes, or the model is not built.
        """
        self._check_built("with_prior")
        if not isinstance(code_prior, CodePrior):
            raise arguments.invalid("code_prior", "a trained `CodePrior`", code_prior)
        copy = without_optimizer_state(code_prior)
        both = type(self).from_config({**self.get_config(), "code_prior": copy})
        if not both.built:
            both.build((None, *self._event_shape))
        for part in ("encoder", "decoder", "codebook", "likelihood"):
            getattr(both, part).set_weights(getattr(self, part).get_weights())
        both.commitment = float(self.commitment)
        return both

    def draw_codes(self, n: int, seed: int | None = None, batch_size: int = 256) -> tf.Tensor:
        """Draws codes of the model's `code_prior`; see `CodePrior.sample`.

        Args:
            n: Int. Of how many images.
            seed: Int. The same seed and `batch_size` give the same codes. Defaults to `None`: new
                ones each call.
            batch_size: Int. How many are drawn at once. Defaults to `256`.

        Returns:
            int32 `[n, *grid]`.

        Raises:
            ValueError: If an argument is invalid, or the model has no prior over its codes.
        """
        if self.code_prior is None:
            raise ValueError(
                "This VQ-VAE has no prior over its codes to draw from. Train a "
                "`keras_vae.quantized.CodePrior` on `vqvae.encode_codes(images)`, and take "
                "`vqvae.with_prior(prior)`."
            )
        return self.code_prior.sample(n, seed, batch_size=batch_size)

    def sample(self, n: int, seed: int | None = None, batch_size: int = 256) -> tf.Tensor:
        """New images: the mean of p(x|e) at codes that `code_prior` draws.

        Args:
            n: Int. How many.
            seed: Int. As for `draw_codes`. Defaults to `None`: new ones each call.
            batch_size: Int. How many are drawn and decoded at once. Defaults to `256`.

        Returns:
            `[n, *event]`, float32.

        Raises:
            ValueError: As `draw_codes` does.
        """
        return self.decode_codes(self.draw_codes(n, seed, batch_size), batch_size)

    def signatures(self) -> Signatures:
        """What an exported model serves.

        `reconstruct` by default, `encode_codes`, `decode_codes`, and `sample` of `n` and `seed`
        where there is a `code_prior`.
        """
        images = tf.TensorSpec((None, *self._event_shape), tf.float32, name="images")
        codes = tf.TensorSpec((None, *self._grid_shape), tf.int32, name="codes")
        served: dict = {
            "reconstruct": (self.reconstruct, [images]),
            "encode_codes": (self.encode_codes, [images]),
            "decode_codes": (self.decode_codes, [codes]),
        }
        if self.code_prior is not None:
            draw, inputs = self.code_prior.signatures()["sample"]
            served["sample"] = (lambda n, seed: self.decode_codes(draw(n, seed)), inputs)
        return served

    def get_config(self) -> dict:
        """The constructor's arguments, parts serialised; `commitment` as it was at the start."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "num_codes": self.codebook.num_codes,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "decay": self.codebook.decay,
            "revive_after": self.codebook.revive_after,
            # Of `None` it makes `None`.
            "code_prior": keras.saving.serialize_keras_object(self.code_prior),
        }

    def _check_prior(self):
        """Raises a `ValueError` if the prior is one over other codes."""
        prior = self.code_prior
        own = (self._grid_shape, self.num_codes)
        if prior is not None and (prior.grid_shape, prior.num_codes) != own:
            raise ValueError(
                f"`code_prior` must be one over grids of shape {list(own[0])} of {own[1]} codes. "
                f"Received: one over grids of shape {list(prior.grid_shape)} of "
                f"{prior.num_codes} codes. Build it by `CodePrior(vqvae.grid_shape, "
                "vqvae.num_codes)`."
            )

    def _pass(self, x, outputs, likelihood):
        """The terms of the loss, what is logged beside them, and how the codebook moves."""
        distortion = -likelihood.log_prob(x)
        codes = self.codebook.nearest(outputs)
        vectors = self.codebook.lookup(codes)
        terms = {"reconstruction_loss": Term(1.0, distortion)}
        if self.codebook.decay is None:
            distance = _squared_distance(tf.stop_gradient(outputs), vectors)
            terms["codebook_loss"] = Term(1.0, distance)
        distance = _squared_distance(outputs, tf.stop_gradient(vectors))
        terms["commitment_loss"] = Term(self.commitment, distance)
        if self.code_prior is None:
            rate = math.prod(self.grid_shape) * math.log(self.num_codes)
        else:
            rate = self.code_prior.nats(codes)
        logged = {
            "perplexity": LoggedMean(self.codebook.perplexity(codes)),
            "elbo": LoggedMean(-(distortion + rate)),
        }

        def update():
            self.codebook.update(outputs, codes, self.noise_seed(training=True))

        return Pass(likelihood.mean(), terms, logged, update)


def _squared_distance(first, second):
    """The sum over all axes but the first, `[batch]`."""
    return tf.reduce_sum((first - second) ** 2, axis=list(range(1, first.shape.rank)))


def _code_shape(outputs):
    """The shape of the vectors of one image, `(*grid, code_dim)`."""
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) < 2 or None in shape[1:]:
        raise ValueError(
            "`encoder` must return one array of vectors, [batch, *grid, code_dim], or [batch, "
            "code_dim], all sizes but the batch's known. "
            f"Received: {keras.tree.map_structure(lambda part: tuple(part.shape), outputs)}. "
            "`keras_vae.networks.vq_encoder` builds one."
        )
    return tuple(shape[1:])
